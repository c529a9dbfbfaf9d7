package keystore

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Errors that callers branch on. Every error of this package wraps one of
// them or is a plain I/O error of the state directory.
var (
	ErrNotFound     = errors.New("no such item in the keychain")
	ErrLocked       = errors.New("the keychain is locked")
	ErrUnavailable  = errors.New("no keychain is available")
	ErrNoCollection = errors.New("the keychain has no default collection")
	ErrDenied       = errors.New("the keychain refused")
	ErrTimeout      = errors.New("the keychain did not answer in time") // outcome unknown
	ErrTooBig       = errors.New("too big to keep")
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
	// Locked reports, without ever prompting, whether a call would prompt or fail.
	// It returns nil when calls may proceed, else ErrLocked, ErrUnavailable, ErrNoCollection.
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
// must not overlap. Keychain calls are made one at a time by a worker.
type Store struct{}

// A Record is the durable truth of one session, without its secrets.
type Record struct {
	ID         string    // opaque, random
	Account    string    // the caller's name for whose session it is
	StartedAt  time.Time // the sign-in; never changes
	Generation int       // of the stored secret: 1 after Create, +1 per Commit
	Used       int       // cycles reserved (not refunded): the larger of ledger and high-water item
	Pending    bool      // a cycle is reserved and neither committed nor refunded
	HighWater  time.Time // the latest wall-clock time any line was written at
	Meta       []byte    // the caller's opaque facts as of the last Create, Commit or Note
	Ended      string    // why, once End was called; "" while it lives
}

// Open locks the state directory and replays every ledger. It makes no
// keychain call. ErrInUse: another agent runs.
func Open(c Config) (*Store, error) { panic("not yet") }

// Close waits for the call in flight, at most until ctx ends, and unlocks.
func (s *Store) Close(ctx context.Context) error { panic("not yet") }

// Status says whether the keychain can be used now; it never prompts.
func (s *Store) Status(ctx context.Context) error { panic("not yet") }

// Unlock asks the person, through the OS's own prompt, to unlock the keychain.
func (s *Store) Unlock(ctx context.Context) error { panic("not yet") }

// Sessions lists the IDs of all sessions that have a ledger, also ended ones
// that are not erased yet, and damaged ones.
func (s *Store) Sessions() []string { panic("not yet") }

// Load verifies one session (ledger chain, high-water item, slots), finishes
// an interrupted publish, and returns its record. A session that breaks a rule gives
// ErrTampered, ErrCorrupt, ErrChanged or ErrVersion with as much of the
// record as is certain, and its secret is never returned again.
func (s *Store) Load(ctx context.Context, id string) (Record, error) { panic("not yet") }

// Create makes a new session durable: key halves, ledger, high-water item, slot.
// Nothing of the account's earlier sessions is touched. access is kept sealed
// beside it so that a restart costs no refresh.
func (s *Store) Create(ctx context.Context, account string, startedAt time.Time, secret, access, meta []byte) (Record, error) {
	panic("not yet")
}

// Secret returns the current secret (the refresh token).
func (s *Store) Secret(ctx context.Context, id string) ([]byte, error) { panic("not yet") }

// Access returns the sealed access token of the current generation; nil when there is none.
func (s *Store) Access(ctx context.Context, id string) ([]byte, error) { panic("not yet") }

// Reserve counts a new cycle durably, in ledger and keychain. It must succeed
// before the first request of the cycle. With a cycle pending it is an error.
func (s *Store) Reserve(ctx context.Context, id string) (Record, error) { panic("not yet") }

// Refund takes back the pending cycle's count; only when it is proven that no
// byte of any request of the cycle left the machine.
func (s *Store) Refund(ctx context.Context, id string) (Record, error) { panic("not yet") }

// Commit makes what a cycle brought durable and closes it: the new secret
// (nil: the old one stays) under the next generation, the access token, meta. On error the caller keeps
// what it has in memory and calls Commit again with the same arguments; it must not start a new cycle.
func (s *Store) Commit(ctx context.Context, id string, secret, access, meta []byte) (Record, error) {
	panic("not yet")
}

// Note appends meta (for instance last activity); it makes no keychain call.
func (s *Store) Note(ctx context.Context, id string, meta []byte) (Record, error) { panic("not yet") }

// End is the tombstone: after it the session never comes back. The secret
// stays readable for revocation until Erase.
func (s *Store) End(ctx context.Context, id, reason string) (Record, error) { panic("not yet") }

// Erase removes everything of a session, the file half of its key first, so
// that every copy that a keychain keeps becomes unreadable.
func (s *Store) Erase(ctx context.Context, id string) error { panic("not yet") }

// PutSecret, GetSecret and DeleteSecret keep one named secret that is no session (a client secret).
func (s *Store) PutSecret(ctx context.Context, name string, value []byte) error { panic("not yet") }

// GetSecret returns a named secret, or ErrNotFound.
func (s *Store) GetSecret(ctx context.Context, name string) ([]byte, error) { panic("not yet") }

// DeleteSecret removes a named secret; one that is not there is no error.
func (s *Store) DeleteSecret(ctx context.Context, name string) error { panic("not yet") }
