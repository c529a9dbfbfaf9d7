package keystore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Files of a session, after its ID.
const (
	suffixKey    = ".key"
	suffixLedger = ".ledger"
	suffixEnd    = ".end"
	suffixGone   = ".gone"

	suffixTemporary = ".tmp" // after one of these, until the file is whole
)

// The first words of a SID.end file. It ends a session whose ledger cannot be
// written, because its keys are not known or it was refused. The reason of an end
// follows, and on a second line its time in Unix milliseconds.
const (
	markEnded   = "ended: "
	markRefused = "refused: "
)

var errNoSession = errors.New("no such session")

// A session in memory, t in the code, because s is the Store. The caller that
// holds its token owns its contents. Methods of Store with a lower-case twin (Commit
// and commit) take the token, and the twin does the work.
type session struct {
	id    string
	token chan struct{}
	contents
}

// contents are all of a session that a load replaces.
type contents struct {
	owner   string // the account, by SID.key; "" when that cannot be read
	keys    *keys  // nil: not loaded, and failure says why
	failure error  // of the last load
	ledger  ledger // verified when keys are there, else what the file claims
	chain   chain
	size    int64     // of the ledger file
	suspect bool      // the file may not be what it should: rewrite it before the next line
	sealed  string    // the sealed secret of the newest generation
	counted time.Time // when Reserve last saw the high-water item hold the newest step
	ended   string    // from SID.end
	endedAt int64     // Unix milliseconds; 0: not known
}

// readMark reads a SID.end file that is not a refusal.
func (t *session) readMark(mark []byte) bool {
	text, ok := strings.CutPrefix(string(mark), markEnded)
	if !ok {
		return false
	}
	reason, at, _ := strings.Cut(text, "\n")
	t.ended = reason
	if t.endedAt, _ = strconv.ParseInt(strings.TrimSpace(at), 10, 64); !sayable(t.endedAt) {
		t.endedAt = 0
	}
	return true
}

// sayable reports whether JSON can say a time.
func sayable(milliseconds int64) bool {
	year := time.UnixMilli(milliseconds).UTC().Year()
	return 1 <= year && year <= 9999
}

func newSession(id string) *session {
	return &session{id: id, token: make(chan struct{}, 1), contents: contents{failure: fmt.Errorf("the session is not loaded: %w", ErrLocked)}}
}

func (t *session) release() { <-t.token }

// forget drops the keys; failure is what calls get until a load succeeds.
func (t *session) forget(failure error) {
	if t.keys != nil {
		clear(t.keys.chain)
		clear(t.keys.highWater)
	}
	t.keys, t.sealed, t.failure = nil, "", failure
}

func (t *session) record() Record {
	r := Record{ID: t.id, Unverified: true}
	if t.ledger.id != "" {
		r = t.ledger.record()
		r.Unverified = t.keys == nil
	}
	r.Account = cmp.Or(t.owner, r.Account)
	if r.Ended == "" && t.ended != "" {
		r.Ended = t.ended
		if at := time.UnixMilli(t.endedAt); t.endedAt != 0 && at.After(r.HighWater) {
			r.HighWater = at
		}
	}
	return r
}

// validID reports whether id is one that create makes; only such names become file names.
func validID(id string) bool {
	return len(id) == 26 && strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// take waits until no other call works on the session. The caller must release it.
func (s *Store) take(ctx context.Context, id string) (*session, error) {
	s.mu.Lock()
	t := s.sessions[id]
	s.mu.Unlock()
	if t == nil {
		return nil, errNoSession
	}
	select {
	case t.token <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("the session is busy: %w", ctx.Err())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[id] != t { // erased while we waited
		t.release()
		return nil, errNoSession
	}
	return t, nil
}

// loaded takes a session and loads it unless that is done.
func (s *Store) loaded(ctx context.Context, id string) (*session, error) {
	t, err := s.take(ctx, id)
	if err != nil {
		return nil, err
	}
	if t.keys == nil {
		if err := s.load(ctx, t); t.keys == nil {
			t.release()
			return nil, err
		}
	}
	return t, nil
}

// changed makes a missing item what it is under a live ledger.
func changed(what string, err error) error {
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: %s of the session is missing (the keychain was replaced, or its item deleted)", ErrChanged, what)
	}
	return err
}

// temporary reports whether an error says nothing about the session itself.
func temporary(err error) bool {
	for _, verdict := range []error{ErrTampered, ErrCorrupt, ErrChanged, ErrVersion} {
		if errors.Is(err, verdict) {
			return false
		}
	}
	return true
}

// load reads and verifies a session, and finishes what a crash interrupted.
// Afterwards t.keys is nil unless everything was verified.
func (s *Store) load(ctx context.Context, t *session) error {
	fresh, err := s.verify(ctx, t)
	if err != nil {
		return s.fail(t, err)
	}
	t.contents = fresh.contents
	if t.ended != "" && t.ledger.ended == "" {
		if err := s.append(t, line{Type: lineEnd, Why: t.ended}); err != nil {
			return err
		}
	}
	if t.ledger.ended != "" && t.ended != "" {
		if err := s.disk.remove(t.id + suffixEnd); err != nil {
			s.log.Warn("cannot remove a tombstone that is in the ledger", "error", err)
		}
		t.ended = ""
	}
	if t.suspect {
		s.shorten(t) // by what is torn off
	}
	if err := s.follow(ctx, t); err != nil {
		return err
	}
	s.tidy(ctx, t)
	return nil
}

// fail notes why a session cannot be used. What was verified before stays
// usable when the keychain just cannot be asked again.
func (s *Store) fail(t *session, err error) error {
	if temporary(err) {
		if t.keys == nil {
			t.failure = err
		}
		return err
	}
	t.forget(err)
	if errors.Is(err, ErrTampered) && t.ended == "" && !s.disk.exists(t.id+suffixEnd) {
		text := markRefused + strings.TrimPrefix(err.Error(), ErrTampered.Error()+": ")
		if err := s.disk.replace(t.id+suffixEnd, []byte(text)); err != nil {
			s.log.Warn("cannot note that a session was refused", "error", err)
		}
	}
	return err
}

// verify reads a session from files and keychain into a new one. What the
// ledger claims is left in t when t knows no better.
func (s *Store) verify(ctx context.Context, t *session) (*session, error) {
	if t.keys == nil && errors.Is(t.failure, ErrTampered) {
		return nil, t.failure // for good, also when that could not be written down
	}
	fresh := &session{id: t.id}
	fileHalf, owner, keyErr := s.readKeyFile(t.id)
	defer clear(fileHalf)
	fresh.owner, t.owner = owner, cmp.Or(owner, t.owner)
	mark, err := s.disk.read(t.id+suffixEnd, 4096)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	why, refused := strings.CutPrefix(string(mark), markRefused)
	if fresh.readMark(mark) {
		t.ended, t.endedAt = fresh.ended, fresh.endedAt
	} else if len(mark) > 0 && !refused {
		return nil, fmt.Errorf("%w: %s%s is not one of ours", ErrCorrupt, t.id, suffixEnd)
	}
	data, err := s.disk.read(t.id+suffixLedger, maxLedger)
	if err != nil {
		return nil, missingFile("its ledger", err)
	}
	claim, _, claimErr := replay(data, t.id, nil)
	if t.keys == nil && claim.id == t.id {
		t.ledger = claim
	}
	if refused {
		return nil, fmt.Errorf("%w: %s", ErrTampered, why)
	}
	if claimErr != nil {
		return nil, claimErr
	}
	if keyErr != nil {
		return nil, keyErr
	}
	if err := s.readKeys(ctx, fresh, fileHalf); err != nil {
		return nil, err
	}
	fresh.chain = newChain(fresh.keys.chain, t.id)
	l, size, err := replay(data, t.id, &fresh.chain)
	if err != nil {
		return nil, err
	}
	if l.account != owner {
		return nil, fmt.Errorf("%w: its key is that of another account", ErrTampered)
	}
	fresh.ledger, fresh.size, fresh.suspect = l, int64(size), size != len(data)
	if err := s.compare(ctx, fresh); err != nil {
		return nil, err
	}
	return fresh, s.readSealed(ctx, fresh)
}

func missingFile(what string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing", ErrCorrupt, what)
	}
	return err
}

// readKeyFile reads the file half of a session's key, which the caller
// clears, and whose session it is.
func (s *Store) readKeyFile(id string) (half []byte, owner string, err error) {
	text, err := s.disk.read(id+suffixKey, maxKeyFile)
	if err != nil {
		return nil, "", missingFile("the file half of its key", err)
	}
	defer clear(text)
	if half, owner, err = parseKeyText(id, text); err != nil {
		return nil, "", fmt.Errorf("%w: the file half of its key is malformed", ErrCorrupt)
	}
	return half, owner, nil
}

// readKeys brings both halves of the key together.
func (s *Store) readKeys(ctx context.Context, t *session, fileHalf []byte) error {
	item, err := s.keychain.get(ctx, itemKey(t.id))
	if err != nil {
		return changed("the key", err)
	}
	keychainHalf, err := decodeHalf(item)
	if err != nil {
		return fmt.Errorf("%w: the keychain's half of its key is malformed", ErrTampered)
	}
	t.keys, err = deriveKeys(t.id, keychainHalf, fileHalf)
	return err
}

// compare holds the high-water item against the ledger. An item that is seen to
// be further than the ledger knows is not yet durable: follow makes it so.
func (s *Store) compare(ctx context.Context, t *session) error {
	item, err := s.keychain.get(ctx, itemHighWater(t.id))
	if err != nil {
		return changed("the high-water item", err)
	}
	h, err := t.keys.parseHighWater(item)
	if err != nil {
		return err
	}
	if err := t.ledger.legal(h); err != nil {
		return fmt.Errorf("%w: %w", ErrTampered, err)
	}
	return nil
}

// readSealed finds the sealed secret where it should be, and opens all that is
// sealed to see that it can be.
func (s *Store) readSealed(ctx context.Context, t *session) error {
	gen := t.ledger.now().Gen
	if t.sealed = t.ledger.secret; t.sealed == "" {
		var err error
		if t.sealed, err = s.keychain.readSlot(ctx, slot(t.id, gen), gen); err != nil {
			return changed("the sealed secret", err)
		}
	}
	secret, err := t.keys.openText(gen, purposeSecret, t.sealed)
	clear(secret)
	if err == nil && t.ledger.access != "" {
		var access []byte
		access, err = t.keys.openText(gen, purposeAccess, t.ledger.access)
		clear(access)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTampered, err)
	}
	return nil
}

// append makes one line durable. On error the event did not happen, though a
// failed fsync can leave its line in the file. That is as if the program had
// crashed right after writing it, which every state allows.
func (s *Store) append(t *session, n line) error {
	if t.suspect {
		if err := s.rewrite(t); err != nil {
			return err
		}
	}
	n.At, n.Held, n.Meta = s.clock().UnixMilli(), t.ledger.steps[0].Seq, bytes.Clone(n.Meta)
	next, c := t.ledger, t.chain
	next.steps = slices.Clone(t.ledger.steps)
	if err := next.apply(n); err != nil {
		return err
	}
	text, err := c.add(n)
	if err != nil {
		return err
	}
	if err := s.disk.appendTo(t.id+suffixLedger, t.size, text); err != nil {
		t.suspect = true
		return s.ours(t, err)
	}
	t.ledger, t.chain = next, c
	t.size += int64(len(text))
	if t.size > longLedger {
		s.shorten(t)
	}
	return nil
}

// shorten rewrites a ledger that has become long, or holds a sealed secret that
// the keychain has. A cycle that is pending keeps its reserved space.
func (s *Store) shorten(t *session) {
	err := s.rewrite(t)
	if err == nil && t.ledger.pending {
		err = s.disk.allocate(t.id+suffixLedger, t.size, reservedSpace)
	}
	if err != nil {
		s.log.Warn("cannot shorten a ledger", "error", err)
	}
}

// ours refuses a session whose ledger is not as this program left it.
func (s *Store) ours(t *session, err error) error {
	if errors.Is(err, errGrown) || errors.Is(err, fs.ErrNotExist) {
		return s.fail(t, fmt.Errorf("%w: the ledger was changed while it was in use", ErrTampered))
	}
	return err
}

// rewrite makes the ledger one line. It changes nothing that is known.
func (s *Store) rewrite(t *session) error {
	c := newChain(t.keys.chain, t.id)
	text, err := c.add(t.ledger.startLine())
	if err != nil {
		return err
	}
	t.suspect = true // whatever fails, the file is the old or the new one
	if err := s.disk.replace(t.id+suffixLedger, text); err != nil {
		return err
	}
	t.chain, t.size, t.suspect = c, int64(len(text)), false
	return nil
}

// follow brings the keychain up to the ledger: the newest sealed secret into
// its slot, then the high-water item. When both are there for good, the old
// generation and the ledger's copy of the new one go.
func (s *Store) follow(ctx context.Context, t *session) error {
	if !t.ledger.behind() {
		return nil
	}
	now := t.ledger.now()
	if t.ledger.secret != "" {
		if err := s.keychain.writeSlot(ctx, slot(t.id, now.Gen), now.Gen, t.ledger.secret); err != nil {
			return err
		}
	}
	if len(t.ledger.steps) > 1 {
		if err := s.keychain.set(ctx, itemHighWater(t.id), t.keys.highWaterText(now)); err != nil {
			return err
		}
	}
	if err := s.keychain.flush(ctx); err != nil {
		return err
	}
	t.ledger.hold(now.Seq)
	if t.ledger.secret == "" {
		return nil
	}
	if err := s.append(t, line{Type: lineCommit}); err != nil {
		return err
	}
	s.tidy(ctx, t)
	s.shorten(t)
	return nil
}

// tidy deletes the slot of the generation before, which must not be usable.
func (s *Store) tidy(ctx context.Context, t *session) {
	if _, err := s.keychain.clearSlot(ctx, slot(t.id, t.ledger.now().Gen+1)); err != nil {
		s.log.Warn("cannot delete the last generation from the keychain", "error", err)
	}
}

// publish makes the keychain follow what is durable already, and releases the
// session when it is up to date or failed to be. The caller does not wait for
// that. Whatever comes next for the session does, so no step begins before the
// one before it is durable.
func (s *Store) publish(ctx context.Context, t *session) Record {
	r := t.record()
	go func() {
		defer t.release()
		s.later(s.follow(context.WithoutCancel(ctx), t))
	}()
	return r
}

// later logs why the keychain could not follow; what it should hold is durable.
func (s *Store) later(err error) {
	if err != nil {
		s.log.Warn("the keychain will be brought up to date later", "error", err)
	}
}

func (s *Store) create(ctx context.Context, account string, startedAt time.Time, secret, access, meta []byte) (Record, error) {
	t := newSession(rand.Text())
	t.owner = account
	fileHalf, keychainHalf := newHalf(), newHalf()
	fileText, keychainText := keyText(t.id, fileHalf, account), b64.EncodeToString(keychainHalf)
	defer clear(fileText)
	var err error
	if t.keys, err = deriveKeys(t.id, keychainHalf, fileHalf); err != nil {
		return Record{}, err
	}
	t.ledger = ledger{
		id: t.id, account: account, steps: []step{{Gen: 1, Started: startedAt.UnixMilli()}},
		secret: t.keys.sealText(1, purposeSecret, secret), access: t.sealAccess(1, access),
		meta: bytes.Clone(meta), latest: s.clock().UnixMilli(),
	}
	t.sealed = t.ledger.secret
	if err := s.establish(ctx, t, fileText, keychainText); err != nil {
		if err := s.eraseFiles(t.id); err != nil {
			s.log.Warn("cannot tidy up a session that could not be kept", "error", err)
		}
		s.sweep(ctx)
		return Record{}, err
	}
	t.token <- struct{}{}
	s.mu.Lock()
	s.sessions[t.id] = t
	if name, ok := strings.CutPrefix(account, namedPrefix); ok {
		s.secrets[name] = append(s.secrets[name], t.id)
	}
	s.mu.Unlock()
	return s.publish(ctx, t), nil
}

// establish stores a new session's keys, high-water item and ledger. The ledger is
// last: with it the session is there, with the sealed secret in it.
func (s *Store) establish(ctx context.Context, t *session, fileText []byte, keychainText string) error {
	if err := s.disk.replace(t.id+suffixKey, fileText); err != nil {
		return err
	}
	if err := s.keychain.set(ctx, itemKey(t.id), keychainText); err != nil {
		return err
	}
	if err := s.keychain.set(ctx, itemHighWater(t.id), t.keys.highWaterText(t.ledger.now())); err != nil {
		return err
	}
	if err := s.keychain.flush(ctx); err != nil {
		return err
	}
	return s.rewrite(t)
}

// sealAccess seals an access token; none is "".
func (t *session) sealAccess(gen int, access []byte) string {
	if len(access) == 0 {
		return ""
	}
	return t.keys.sealText(gen, purposeAccess, access)
}

// aMoment is how long Secret relies on what Reserve saw.
const aMoment = 3 * time.Second

// secret reads the secret from the keychain, if that still holds what it
// should, or from the ledger while that is ahead.
func (s *Store) secret(ctx context.Context, t *session) ([]byte, error) {
	gen, sealed := t.ledger.now().Gen, t.ledger.secret
	if sealed == "" {
		var err error
		if !t.ledger.reserved() || time.Since(t.counted) > aMoment {
			err = s.compare(ctx, t)
		}
		if err != nil {
			return nil, s.fail(t, err)
		}
		if sealed, err = s.keychain.readSlot(ctx, slot(t.id, gen), gen); err != nil {
			return nil, s.fail(t, changed("the sealed secret", err))
		}
	}
	secret, err := t.keys.openText(gen, purposeSecret, sealed)
	if err != nil {
		return nil, s.fail(t, fmt.Errorf("%w: %w", ErrTampered, err))
	}
	return secret, nil
}

func (s *Store) access(t *session) ([]byte, error) {
	if t.ledger.access == "" {
		return nil, nil
	}
	access, err := t.keys.openText(t.ledger.now().Gen, purposeAccess, t.ledger.access)
	if err != nil {
		return nil, s.fail(t, fmt.Errorf("%w: %w", ErrTampered, err))
	}
	return access, nil
}

// reservedSpace is what the largest got line, its commit line and some notes need on disk.
const reservedSpace = maxLine

func (s *Store) reserve(ctx context.Context, t *session) error {
	if t.ledger.ended != "" || t.ended != "" {
		return errors.New("cannot reserve a cycle: the session has ended")
	}
	if t.ledger.reserved() {
		return errors.New("cannot reserve a cycle: one is pending")
	}
	if err := s.compare(ctx, t); err != nil {
		return s.fail(t, err)
	}
	counting := t.ledger.counting() // by a Reserve that failed: this one completes it
	if err := s.follow(ctx, t); err != nil || counting {
		return err
	}
	if t.suspect {
		if err := s.rewrite(t); err != nil {
			return err
		}
	}
	if err := s.disk.allocate(t.id+suffixLedger, t.size, reservedSpace); err != nil {
		return s.ours(t, err)
	}
	if err := s.append(t, line{Type: lineAttempt}); err != nil {
		return err
	}
	err := s.follow(ctx, t)
	if err == nil {
		t.counted = time.Now()
	}
	return err
}

func (s *Store) refund(ctx context.Context, t *session) error {
	if !t.ledger.reserved() {
		return errors.New("cannot refund: no cycle is pending")
	}
	if err := s.append(t, line{Type: lineRefund}); err != nil {
		return err
	}
	s.later(s.follow(ctx, t))
	return nil
}

// commit makes what a cycle brought durable, in the ledger; publish does the rest.
func (s *Store) commit(t *session, secret, access, meta []byte) error {
	gen := t.ledger.now().Gen
	if !t.ledger.reserved() {
		if !t.holds(gen, secret, access, meta) {
			return errors.New("cannot commit: no cycle is pending")
		}
		return nil
	}
	if len(secret) == 0 {
		old, err := t.keys.openText(gen, purposeSecret, t.sealed)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrTampered, err)
		}
		defer clear(old)
		secret = old
	}
	gen++
	n := line{Type: lineGot, Secret: t.keys.sealText(gen, purposeSecret, secret), Access: t.sealAccess(gen, access), Meta: meta}
	if err := s.append(t, n); err != nil {
		return err
	}
	t.sealed = n.Secret
	return nil
}

// holds reports whether this is what the newest generation consists of.
func (t *session) holds(gen int, secret, access, meta []byte) bool {
	same := func(purpose, sealed string, want []byte) bool {
		if sealed == "" {
			return len(want) == 0
		}
		got, err := t.keys.openText(gen, purpose, sealed)
		defer clear(got)
		return err == nil && bytes.Equal(got, want)
	}
	return gen > 1 && (len(secret) == 0 || same(purposeSecret, t.sealed, secret)) &&
		same(purposeAccess, t.ledger.access, access) && bytes.Equal(meta, t.ledger.meta)
}

func (s *Store) end(ctx context.Context, t *session, reason string) error {
	if t.keys == nil {
		_ = s.load(ctx, t) // an error here is no reason not to end
	}
	if t.ended != "" || t.keys != nil && t.ledger.ended != "" {
		return nil
	}
	if t.keys != nil {
		err := s.append(t, line{Type: lineEnd, Why: reason})
		if err == nil {
			s.later(s.follow(ctx, t))
		}
		if t.keys != nil {
			return err
		}
	}
	at := s.clock().UnixMilli()
	mark := fmt.Sprintf("%s%s\n%d\n", markEnded, reason, at)
	if errors.Is(t.failure, ErrTampered) {
		mark = markRefused + reason // stays so
	}
	if err := s.disk.replace(t.id+suffixEnd, []byte(mark)); err != nil {
		return err
	}
	t.ended, t.endedAt = reason, at
	return nil
}

// eraseFiles removes a session's files once it is durably noted that its
// keychain items are to go too. What fails here is tried again by sweep.
func (s *Store) eraseFiles(id string) error {
	s.mu.Lock()
	s.gone[id] = true
	s.mu.Unlock()
	noted := s.disk.replace(id+suffixGone, nil)
	err := s.removeFiles(id)
	if noted != nil { // a full disk, perhaps: there is room now
		noted = s.disk.replace(id+suffixGone, nil)
	}
	if noted != nil {
		s.log.Warn("cannot note that keychain items are to be deleted", "error", noted)
	}
	return err
}

// removeFiles removes the file half of a session's key, then the rest.
func (s *Store) removeFiles(id string) error {
	return errors.Join(s.disk.wipe(id+suffixKey), s.disk.remove(id+suffixLedger), s.disk.remove(id+suffixEnd))
}

// sweep deletes what erased sessions left in the keychain, as far as it can
// now. An item that cannot be deleted keeps no other one from it.
func (s *Store) sweep(ctx context.Context) {
	s.mu.Lock()
	ids := slices.Sorted(maps.Keys(s.gone))
	s.mu.Unlock()
	for _, id := range ids {
		if err := s.sweepOne(ctx, id); err != nil {
			s.log.Info("an erased session's items stay in the keychain for now", "error", err)
			if cannotAsk(err) {
				return
			}
		}
	}
}

// cannotAsk reports whether no item can be reached, not just one.
func cannotAsk(err error) bool {
	return errors.Is(err, ErrLocked) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNoCollection) || errors.Is(err, ErrTimeout)
}

func (s *Store) sweepOne(ctx context.Context, id string) error {
	err := s.removeFiles(id)
	dropped := false
	for _, drop := range []func() (bool, error){
		func() (bool, error) { return s.keychain.drop(ctx, itemKey(id)) },
		func() (bool, error) { return s.keychain.drop(ctx, itemHighWater(id)) },
		func() (bool, error) { return s.keychain.clearSlot(ctx, slot(id, 1)) },
		func() (bool, error) { return s.keychain.clearSlot(ctx, slot(id, 2)) },
	} {
		was, failed := drop()
		if cannotAsk(failed) {
			return failed
		}
		dropped, err = dropped || was, errors.Join(err, failed)
	}
	if err != nil {
		return err
	}
	if !dropped { // by now; what was may not be durable, and ksecretd writes only when something changes
		if err := s.keychain.set(ctx, itemKey(id), "gone"); err != nil {
			return err
		}
		if _, err := s.keychain.drop(ctx, itemKey(id)); err != nil {
			return err
		}
	}
	if err := s.keychain.flush(ctx); err != nil {
		return err
	}
	if err := s.disk.remove(id + suffixGone); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.gone, id)
	s.mu.Unlock()
	return nil
}
