package keystore

// Peek returns what the files alone claim of a session. The keychain is not
// asked, so the record is Unverified. It says whose session this is, but no
// rule may depend on it. The error says what cannot be read. The ID is always
// there, and the account while the ledger or the key file is whole. Of the two
// the key file counts, because it alone can be seen to be whole.
func (s *Store) Peek(id string) (Record, error) {
	s.mu.Lock()
	t := s.sessions[id]
	s.mu.Unlock()
	if t == nil {
		return Record{ID: id, Unverified: true}, errNoSession
	}
	peeked := &session{id: id}
	if half, owner, err := s.readKeyFile(id); err == nil { // Load reports what else is wrong with it
		clear(half)
		peeked.owner = owner
	}
	if mark, err := s.disk.read(id+suffixEnd, 4096); err == nil {
		peeked.readMark(mark) // Load reports one that was refused
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
