package keystore

// Peek returns what the files alone claim of a session, without asking the
// keychain and so Unverified: good for finding out whose session it is, and
// for nothing that a rule depends on. The error says what of it cannot be
// read. The ID is always there. The account is, too, while one of ledger and key
// file is whole: the key file's word counts, because it alone can be seen to be.
func (s *Store) Peek(id string) (Record, error) {
	s.mu.Lock()
	t := s.sessions[id]
	s.mu.Unlock()
	if t == nil {
		return Record{ID: id, Unverified: true}, errNoSession
	}
	peeked := &session{id: id}
	if half, owner, err := s.readKeyFile(id); err == nil { // what else is wrong with it Load tells
		clear(half)
		peeked.owner = owner
	}
	if mark, err := s.disk.read(id+suffixEnd, 4096); err == nil {
		peeked.readMark(mark) // one that was refused Load tells of
	}
	data, err := s.disk.read(id+suffixLedger, maxLedger)
	if err != nil {
		return peeked.record(), missingFile("its ledger", err)
	}
	claim, _, err := replay(data, id, nil)
	if claim.id == id {
		peeked.ledger = claim
	}
	return peeked.record(), err
}
