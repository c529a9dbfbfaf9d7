package keystore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"curfew/keystore/keychain"
)

// Errors that callers branch on. Every error of this package wraps one of
// them or is a plain I/O error of the state directory.
var (
	ErrNotFound     = keychain.ErrNotFound
	ErrLocked       = keychain.ErrLocked
	ErrUnavailable  = keychain.ErrUnavailable
	ErrNoCollection = keychain.ErrNoCollection
	ErrDenied       = keychain.ErrDenied
	ErrTimeout      = keychain.ErrTimeout // outcome unknown
	ErrTooBig       = keychain.ErrTooBig
	ErrCorrupt      = errors.New("the stored record is damaged")
	ErrTampered     = errors.New("the stored records contradict each other")
	ErrChanged      = errors.New("the keychain is not the one that was used before")
	ErrVersion      = errors.New("written by a newer version of Curfew")
	ErrInUse        = errors.New("another agent uses this state directory")
)

// MaxSecret is the largest secret that can be kept, in bytes.
const MaxSecret = 16 << 10

// Keychain is the OS keychain, as go-keyring gives it: small ASCII items by
// service and user. Implementations may block for ever; Store bounds them.
type Keychain interface {
	Get(service, user string) (string, error)
	Set(service, user, value string) error
	Delete(service, user string) error
	// Probe returns nil when calls may proceed, without ever prompting. Else it
	// returns why a call would prompt or fail: ErrLocked, ErrUnavailable or ErrNoCollection.
	Probe(ctx context.Context) error
	// Unlock shows the OS's own prompt and waits for the person.
	Unlock(ctx context.Context) error
}

// Config says where a Store keeps its records.
type Config struct {
	Dir      string           // the state directory; made with mode 0700
	Service  string           // keychain service; "" means "curfew"
	Keychain Keychain         // nil: the OS's
	Logger   *slog.Logger     // nil: discard
	Now      func() time.Time // nil: time.Now
}

// Store owns the state directory (by lock) and the keychain items of all
// sessions. Its methods are safe for concurrent use; calls on one session
// should not overlap (they wait for each other). Keychain calls are made one
// at a time by a worker, whose goroutine starts with the first of them and
// ends with Close. No other goroutine outlives a method but that of Changes and
// those of Create and Commit, which bring the keychain up to date.
type Store struct {
	disk     *disk
	keychain *worker
	log      *slog.Logger
	clock    func() time.Time
	closing  sync.Once

	mu       sync.Mutex          // guards the maps, not what the sessions hold
	sessions map[string]*session // by ID: every session and named secret with a ledger
	secrets  map[string][]string // the IDs of a named secret, the current one last
	gone     map[string]bool     // IDs whose keychain items are still to be deleted

	naming chan struct{} // one token: held by the call that works on named secrets
}

// A Record is the durable truth of one session, without its secrets.
type Record struct {
	ID         string    // opaque, random
	Account    string    // the caller's name for whose session it is
	StartedAt  time.Time // the sign-in, in whole milliseconds; never changes
	Generation int       // of the stored secret: 1 after Create, +1 per Commit
	Used       int       // cycles reserved (not refunded): the larger of ledger and high-water item
	Pending    bool      // a cycle is reserved and neither committed nor refunded
	HighWater  time.Time // the latest wall-clock time anything was written at, the end included
	Meta       []byte    // the caller's opaque facts as of the last Create, Commit or Note; kept in clear
	Ended      string    // why, once End was called; "" while it lives

	// Unpublished: everything is durable, but the keychain has yet to be brought up
	// to it. The next call that can reach the keychain does so; no cycle starts before.
	Unpublished bool
	// Unverified: this is what the ledger claims. The keychain could not be asked to
	// prove it, or it or the ledger was refused.
	Unverified bool
}

// Open locks the state directory and lists its sessions. It makes no keychain
// call, so nothing is verified before Load. ErrInUse: another agent runs.
func Open(c Config) (*Store, error) {
	d, err := openDisk(c.Dir)
	if err != nil {
		return nil, err
	}
	if c.Keychain == nil {
		c.Keychain = new(keychain.OS)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Store{
		disk:     d,
		keychain: newWorker(c.Keychain, cmp.Or(c.Service, "curfew"), c.Logger),
		log:      c.Logger,
		clock:    c.Now,
		sessions: map[string]*session{},
		secrets:  map[string][]string{},
		gone:     map[string]bool{},
		naming:   make(chan struct{}, 1),
	}
	if err := s.scan(); err != nil {
		d.close()
		return nil, err
	}
	return s, nil
}

// scan lists what is in the state directory, and tidies up what a crash in
// Create, Erase or PutSecret left.
func (s *Store) scan() error {
	names, err := s.disk.names()
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, name := range names {
		there[name] = true
	}
	for _, name := range names {
		if err := s.adopt(name, there); err != nil {
			s.log.Warn("cannot tidy up the state directory", "file", name, "error", err)
		}
	}
	if err := s.adoptNamed(); err != nil {
		s.log.Warn("cannot tidy up the state directory", "error", err)
	}
	return nil
}

// adopt decides what becomes of one file. Whatever is not ours stays.
func (s *Store) adopt(name string, there map[string]bool) error {
	id, suffix, _ := strings.Cut(name, ".")
	if !validID(id) || "."+suffix != suffixLedger && !s.disk.exists(name) { // a ledger that is not a file now may be one later
		return nil
	}
	switch suffix = "." + suffix; suffix {
	case suffixKey + suffixTemporary, suffixLedger + suffixTemporary, suffixEnd + suffixTemporary, suffixGone + suffixTemporary:
		return s.disk.wipe(name)
	case suffixGone:
		return s.eraseFiles(id)
	case suffixKey:
		if !there[id+suffixLedger] { // a Create that did not come as far, and so never succeeded
			return s.eraseFiles(id)
		}
	case suffixLedger:
		if !there[id+suffixGone] {
			s.sessions[id] = newSession(id)
		}
	}
	return nil
}

// Close waits for the keychain call in flight and for what works on a session,
// at most until ctx ends, and unlocks the state directory. Later calls of any
// method fail; later calls of Close do nothing.
func (s *Store) Close(ctx context.Context) (err error) {
	s.closing.Do(func() {
		err = s.keychain.close(ctx)
		s.mu.Lock()
		ids := slices.Collect(maps.Keys(s.sessions))
		s.mu.Unlock()
		for _, id := range ids {
			if t, err := s.take(ctx, id); err == nil {
				t.release()
			}
		}
		err = errors.Join(err, s.disk.close())
	})
	return err
}

// Status says whether the keychain can be used now. It never prompts. Its
// errors are ErrLocked, ErrUnavailable, ErrNoCollection, ErrTimeout and
// ErrDenied. After ErrDenied a person said no. They are asked again only after
// a change, or at the next Unlock, Create or PutSecret.
func (s *Store) Status(ctx context.Context) error { return s.keychain.probe(ctx) }

// Unlock asks the person to unlock the keychain, through the OS's own prompt. It
// waits up to two minutes. ErrDenied: the person said no.
func (s *Store) Unlock(ctx context.Context) error { return s.keychain.unlock(ctx) }

// A watcher is a keychain that reports when it was locked, unlocked, replaced or
// restarted. Watch calls f at each of these, from one goroutine, until ctx ends.
type watcher interface {
	Watch(ctx context.Context, f func())
}

// Changes ticks when Status may have changed: when the OS says that the keychain
// was locked or unlocked, came or went. It also ticks when the keychain has
// answered a call that was given up. Ticks that nobody takes become one. The
// channel is closed when ctx ends. Not every OS reports changes.
func (s *Store) Changes(ctx context.Context) <-chan struct{} {
	ticks := make(chan struct{}, 1)
	tick := func() {
		select {
		case ticks <- struct{}{}:
		default:
		}
	}
	var wg sync.WaitGroup
	if w, ok := s.keychain.kc.(watcher); ok {
		wg.Go(func() {
			w.Watch(ctx, func() {
				s.keychain.askAgain()
				tick()
			})
		})
	}
	go func() {
		defer close(ticks)
		defer wg.Wait()
		for {
			select {
			case <-s.keychain.late:
				tick()
			case <-ctx.Done():
				return
			}
		}
	}()
	return ticks
}

// Sessions lists the IDs of all sessions that have a ledger, also ended ones
// that are not erased yet, and damaged ones.
func (s *Store) Sessions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := maps.Clone(s.sessions)
	for _, secrets := range s.secrets {
		for _, id := range secrets {
			delete(ids, id)
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// Load verifies the ledger, the high-water item and the slot of one session. It
// finishes what a crash interrupted and returns the record.
//
// A session that breaks a rule gives ErrTampered, ErrCorrupt, ErrChanged or
// ErrVersion. The record then has as much as is certain. What is only claimed
// is marked Unverified. A tampered one stays refused even when everything is
// put back as it was, and its secret is never returned again. ErrChanged is
// none of the session's doing: with the right keychain it loads again. After
// any other error nothing is lost. Call Load again later, for example when the
// keychain is unlocked.
func (s *Store) Load(ctx context.Context, id string) (Record, error) {
	return s.with(ctx, id, s.take, func(t *session) error {
		err := s.load(ctx, t)
		if err == nil {
			s.sweep(ctx)
		}
		return err
	})
}

// Create makes a new session durable.
// Nothing of the account's earlier sessions is touched. access is kept sealed
// next to it so that a restart costs no refresh. On error nothing is left that
// could be used. ErrTooBig: secret above MaxSecret, account or meta above 64 KB.
// An access token above MaxSecret is not kept, and a restart then costs a refresh.
func (s *Store) Create(ctx context.Context, account string, startedAt time.Time, secret, access, meta []byte) (Record, error) {
	r, err := s.add(ctx, account, startedAt, secret, access, meta)
	if err != nil {
		return Record{}, fmt.Errorf("a new session cannot be kept: %w", err)
	}
	return r, nil
}

func (s *Store) add(ctx context.Context, account string, startedAt time.Time, secret, access, meta []byte) (Record, error) {
	if err := checkSizes(secret, append([]byte(account), meta...)); err != nil {
		return Record{}, err
	}
	if len(secret) == 0 {
		return Record{}, errors.New("no secret given")
	}
	if !utf8.ValidString(account) { // the ledger could not give it back
		return Record{}, errors.New("the name is not UTF-8")
	}
	s.keychain.askAgain() // a person has just signed in, or typed it
	r, err := s.create(ctx, account, startedAt, secret, s.fitting(access), meta)
	if err != nil {
		return Record{}, err
	}
	s.sweep(ctx)
	return r, nil
}

// Secret returns the current secret (the refresh token). The caller owns the
// bytes and may clear them. It stays readable after End, for revocation, until Erase.
func (s *Store) Secret(ctx context.Context, id string) ([]byte, error) {
	t, err := s.loaded(ctx, id)
	if err != nil {
		return nil, err
	}
	defer t.release()
	return s.secret(ctx, t)
}

// Access returns the sealed access token of the current generation; nil when there is none.
func (s *Store) Access(ctx context.Context, id string) ([]byte, error) {
	t, err := s.loaded(ctx, id)
	if err != nil {
		return nil, err
	}
	defer t.release()
	return s.access(t)
}

// Reserve counts a new cycle durably, in ledger and keychain. It must succeed
// before the first request of the cycle. With a cycle pending it is an error.
//
// It first looks whether the keychain still holds what it should: ErrChanged,
// ErrTampered. After any other error no request may leave either, and calling
// again costs no second count: it completes the cycle that was begun.
func (s *Store) Reserve(ctx context.Context, id string) (Record, error) {
	return s.with(ctx, id, s.loaded, func(t *session) error { return s.reserve(ctx, t) })
}

// Refund takes back the pending cycle's count; only when it is proven that no
// byte of any request of the cycle left the machine. It is durable when the
// ledger has it; until the keychain has it too, Used still counts the cycle.
func (s *Store) Refund(ctx context.Context, id string) (Record, error) {
	return s.with(ctx, id, s.loaded, func(t *session) error { return s.refund(ctx, t) })
}

// Commit makes what a cycle brought durable and closes it. The new secret gets the
// next generation; nil means that the old one stays. On error the caller keeps what it
// has in memory and calls Commit again with the same arguments. It must not start a
// new cycle.
//
// Commit succeeds as soon as everything is durable, before the keychain follows.
// A later call waits for that, or catches up if it failed.
// Committing again what is already committed changes nothing. A cycle that was
// pending when End was called can still be committed, so that what it brought can be revoked.
func (s *Store) Commit(ctx context.Context, id string, secret, access, meta []byte) (Record, error) {
	if err := checkSizes(secret, meta); err != nil {
		return Record{ID: id, Unverified: true}, err
	}
	t, err := s.loaded(ctx, id)
	if err != nil {
		return Record{ID: id, Unverified: true}, err
	}
	if err := s.commit(t, secret, s.fitting(access), meta); err != nil {
		defer t.release()
		return t.record(), err
	}
	return s.publish(ctx, t), nil
}

// Note appends meta (for instance last activity); it makes no keychain call.
// A session that is not loaded gives the error of its last Load.
func (s *Store) Note(ctx context.Context, id string, meta []byte) (Record, error) {
	if err := checkSizes(nil, meta); err != nil {
		return Record{ID: id, Unverified: true}, err
	}
	return s.with(ctx, id, s.take, func(t *session) error {
		if t.keys == nil {
			return t.failure
		}
		return s.append(t, line{Type: lineNote, Meta: meta})
	})
}

// End is the tombstone: after it the session never comes back. The secret
// stays readable for revocation until Erase. It works without the keychain,
// too, and on a session that cannot be loaded. The first reason stays.
func (s *Store) End(ctx context.Context, id, reason string) (Record, error) {
	return s.with(ctx, id, s.take, func(t *session) error { return s.end(ctx, t, cmp.Or(reason, "unknown")) })
}

// Erase removes everything of a session, the file half of its key first, so
// that every copy that a keychain keeps becomes unreadable. When the keychain
// cannot be reached its items, unreadable now, are deleted later. Erasing what
// is not there is no error.
func (s *Store) Erase(ctx context.Context, id string) error {
	t, err := s.take(ctx, id)
	switch {
	case errors.Is(err, errNoSession):
		return nil
	case err != nil:
		return err
	}
	defer t.release()
	if err := s.eraseFiles(id); err != nil {
		return err
	}
	t.forget(errNoSession)
	s.mu.Lock()
	delete(s.sessions, id)
	s.mu.Unlock()
	s.sweep(ctx)
	return nil
}

// with does work on a session that take takes, and returns the record after it.
func (s *Store) with(ctx context.Context, id string, take func(context.Context, string) (*session, error), work func(*session) error) (Record, error) {
	t, err := take(ctx, id)
	if err != nil {
		return Record{ID: id, Unverified: true}, err
	}
	defer t.release()
	err = work(t)
	return t.record(), err
}

// checkSizes refuses what cannot be kept.
func checkSizes(secret, meta []byte) error {
	if len(secret) > MaxSecret {
		return fmt.Errorf("%w: a secret of %d bytes, at most %d can be kept", ErrTooBig, len(secret), MaxSecret)
	}
	if len(meta) > maxMeta {
		return fmt.Errorf("%w: facts of %d bytes, at most %d can be kept", ErrTooBig, len(meta), maxMeta)
	}
	return nil
}

// fitting returns an access token that can be kept, or nil.
func (s *Store) fitting(access []byte) []byte {
	if len(access) > MaxSecret {
		s.log.Warn("the access token is too big to keep; a restart will cost a refresh", "bytes", len(access))
		return nil
	}
	return access
}
