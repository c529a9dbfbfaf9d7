package keystore

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// The format of a ledger. A line is JSON and its MAC in base64url, with a space
// between them. The MAC also covers that of the line before. The first line is a
// start line. Rules:
//
//   - A line counts when it is whole. An unterminated tail is a write that a
//     crash cut short, and is cut off. Anything else that does not verify is
//     tampering, never repaired.
//   - Lines are replayed by apply, which knows which may follow which.
//   - A ledger is rewritten as one start line with the state so far. That happens
//     when it has grown long or holds a sealed secret that the keychain has by now.
const (
	formatVersion = 1
	macChars      = 43        // a SHA-256 MAC in base64url
	maxMeta       = 64 << 10  // bytes of the caller's facts
	maxLine       = 256 << 10 // a got line with the largest secrets and facts has 131 KB
	maxLedger     = 4 << 20
	maxKeyFile    = 2 * maxMeta // the account's name is checked together with the facts
	longLedger    = 256 << 10   // rewritten above this
)

// A step is what the high-water item should say after one event of the ledger.
type step struct {
	Seq     int   `json:"seq"`     // number of the event, 0 for the start; commits and notes have none
	Gen     int   `json:"gen"`     // generation of the secret
	Used    int   `json:"used"`    // cycles counted
	Started int64 `json:"started"` // the sign-in, Unix milliseconds
	Ended   bool  `json:"ended,omitempty"`
}

// The types of lines.
const (
	lineStart   = "start"   // the first line: everything that is so
	lineAttempt = "attempt" // a cycle is counted
	lineRefund  = "refund"  // the cycle's count is taken back
	lineGot     = "got"     // the cycle brought something, sealed in this line
	lineCommit  = "commit"  // the keychain verifiably holds the newest generation
	lineNote    = "note"    // new facts of the caller
	lineEnd     = "end"     // the tombstone
)

// A line is one event. What a type does not need is left out.
type line struct {
	Version int    `json:"v,omitempty"` // start
	Type    string `json:"t"`
	At      int64  `json:"at"`             // wall clock, Unix milliseconds
	Held    int    `json:"held"`           // the step that the keychain holds at least
	ID      string `json:"id,omitempty"`   // start
	Account string `json:"acct,omitempty"` // start
	Steps   []step `json:"steps,omitempty"`
	Pending bool   `json:"pending,omitempty"` // start
	Secret  string `json:"secret,omitempty"`  // start, got: sealed, until the keychain holds it
	Access  string `json:"access,omitempty"`  // start, got: sealed
	Meta    []byte `json:"meta,omitempty"`    // start, got, note: in clear
	Why     string `json:"why,omitempty"`     // end; start of an ended session
}

// A ledger is what its lines say, in sum.
type ledger struct {
	id, account string
	steps       []step // those the keychain may hold, oldest first; the last is the newest event's
	pending     bool   // a cycle is counted and neither refunded nor brought anything
	secret      string // sealed secret of the newest generation, "" once the keychain holds it
	access      string // sealed access token of the newest generation, or ""
	meta        []byte
	ended       string
	latest      int64 // the latest At of all lines
}

// now is the newest step.
func (l *ledger) now() step { return l.steps[len(l.steps)-1] }

// behind reports whether the keychain has something to be brought up to.
func (l *ledger) behind() bool { return len(l.steps) > 1 || l.secret != "" }

// reserved reports whether a cycle is counted in both places.
func (l *ledger) reserved() bool { return l.pending && !l.counting() }

// counting reports whether the pending cycle is counted in the ledger only: a
// Reserve that has not succeeded.
func (l *ledger) counting() bool {
	return l.pending && l.steps[0].Used < l.now().Used
}

// used is the larger of ledger and high-water item, whichever of the steps the item holds.
func (l *ledger) used() int {
	used := 0
	for _, s := range l.steps {
		used = max(used, s.Used)
	}
	return used
}

// hold drops the steps before seq: the keychain holds seq, durably.
func (l *ledger) hold(seq int) {
	for len(l.steps) > 1 && l.steps[0].Seq < seq {
		l.steps = l.steps[1:]
	}
}

// legal decides whether a high-water item may go with this ledger. It is the
// whole list of legal pairs; h's MAC has been verified. The ledger's newest event
// has number n. When its line was written, the keychain was seen to hold step k,
// k <= n, durably:
//
//	item = step n        at rest
//	item = step n-1...k  a crash, or a keychain that could not be written, between a
//	                     line and its item. Each of these is safe, because used()
//	                     counts the larger and the next call brings the item up to n.
//	item > n             the item counted an event that the ledger does not have. Lines
//	                     are durable before their items, so the ledger was cut or put back.
//	item < k             the item was durably further than this, so it was put back.
//	item = some step, but says something else than that step said. It is of another
//	                     history of the same session, in which both were put back.
func (l *ledger) legal(h step) error {
	if slices.Contains(l.steps, h) {
		return nil
	}
	switch n, k := l.now().Seq, l.steps[0].Seq; {
	case h.Seq > n:
		return fmt.Errorf("the ledger ends at step %d, but the keychain was at step %d: the state directory was put back or cut", n, h.Seq)
	case h.Seq < k:
		return fmt.Errorf("the keychain is at step %d, but the ledger saw it at step %d: the keychain was put back", h.Seq, k)
	default:
		return fmt.Errorf("ledger and keychain disagree about step %d", h.Seq)
	}
}

// apply adds a line, or says why it cannot follow. It changes nothing then.
func (l *ledger) apply(n line) error {
	if (n.Type == lineStart) != (l.id == "") {
		return errors.New("a ledger has one start line, its first")
	}
	if !sayable(n.At) {
		return errors.New("impossible time")
	}
	if n.Type == lineStart {
		return l.start(n)
	}
	next := l.now()
	if n.Held < l.steps[0].Seq || n.Held > next.Seq {
		return fmt.Errorf("%s line: step %d is not one that the keychain can hold", n.Type, n.Held)
	}
	next.Seq++
	held := l.steps[n.Held-l.steps[0].Seq]
	switch n.Type {
	case lineAttempt:
		if l.pending || l.ended != "" || l.secret != "" || held.Seq != l.now().Seq {
			return errors.New("attempt line: the last event is not finished")
		}
		next.Used++
		l.pending = true
	case lineRefund:
		if !l.pending || held.Used != next.Used {
			return errors.New("refund line: nothing is reserved")
		}
		next.Used--
		l.pending = false
	case lineGot:
		if !l.pending || held.Used != next.Used || n.Secret == "" {
			return errors.New("got line: nothing is reserved")
		}
		next.Gen++
		l.pending, l.secret, l.access, l.meta = false, n.Secret, n.Access, n.Meta
	case lineEnd:
		if l.ended != "" || n.Why == "" {
			return errors.New("end line: it ended before")
		}
		next.Ended = true
		l.ended = n.Why
	case lineCommit:
		if l.secret == "" || n.Held != l.now().Seq {
			return errors.New("commit line: nothing to commit")
		}
		l.secret = ""
	case lineNote:
		l.meta = n.Meta
	default:
		return fmt.Errorf("unknown line type %q", n.Type)
	}
	l.hold(n.Held)
	if n.Type != lineCommit && n.Type != lineNote {
		l.steps = append(l.steps, next)
	}
	l.latest = max(l.latest, n.At)
	return nil
}

func (l *ledger) start(n line) error {
	if n.Version != formatVersion || n.ID == "" || len(n.Steps) == 0 || !sayable(n.Steps[0].Started) {
		return errors.New("start line: incomplete")
	}
	for i, s := range n.Steps {
		if s.Seq != n.Held+i || s.Gen < 1 || s.Used < 0 || s.Started != n.Steps[0].Started {
			return errors.New("start line: impossible steps")
		}
	}
	*l = ledger{
		id: n.ID, account: n.Account, steps: n.Steps, pending: n.Pending,
		secret: n.Secret, access: n.Access, meta: n.Meta, ended: n.Why, latest: n.At,
	}
	if l.now().Ended != (l.ended != "") {
		return errors.New("start line: ended or not")
	}
	return nil
}

// startLine is the ledger as a single line.
func (l *ledger) startLine() line {
	return line{
		Version: formatVersion, Type: lineStart, At: l.latest, Held: l.steps[0].Seq,
		ID: l.id, Account: l.account, Steps: l.steps, Pending: l.pending,
		Secret: l.secret, Access: l.access, Meta: l.meta, Why: l.ended,
	}
}

// record is the ledger as the caller sees it.
func (l *ledger) record() Record {
	return Record{
		ID: l.id, Account: l.account, StartedAt: time.UnixMilli(l.now().Started),
		Generation: l.now().Gen, Used: l.used(), Pending: l.reserved(), Unpublished: l.behind(),
		HighWater: time.UnixMilli(l.latest), Meta: bytes.Clone(l.meta), Ended: l.ended,
	}
}

// A chain makes and checks the MACs of one session's ledger.
type chain struct {
	key  []byte
	last []byte // MAC of the last line
}

func newChain(key []byte, id string) chain {
	return chain{key, mac(key, []byte("first line of "+id))}
}

// add encodes a line and advances the chain.
func (c *chain) add(n line) ([]byte, error) {
	text, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	c.last = mac(c.key, c.last, text)
	text = append(text, ' ')
	text = append(text, b64.EncodeToString(c.last)...)
	return append(text, '\n'), nil
}

// check verifies one line (without its newline) and advances the chain.
func (c *chain) check(text []byte) bool {
	i := bytes.LastIndexByte(text, ' ')
	if i < 0 {
		return false
	}
	want := mac(c.key, c.last, text[:i])
	got, err := decode64(string(text[i+1:]))
	if err != nil || !hmac.Equal(got, want) {
		return false
	}
	c.last = want
	return true
}

// replay reads a ledger. With a chain every line is verified; without (c ==
// nil) the result is what the file claims, and must be marked so. It returns
// how many bytes count: fewer than len(data) when a torn tail must be cut, and
// len(data)+1 when the last line lacks nothing but its newline.
func replay(data []byte, id string, c *chain) (l ledger, size int, err error) {
	if err := checkVersion(data); err != nil {
		return l, 0, err
	}
	for number := 1; len(data) > 0; number++ {
		text, rest, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			switch tail(text) {
			case tailTorn:
				return l, size, l.found(id)
			case tailForeign:
				return l, size, fmt.Errorf("%w: ledger line %d has something behind it", ErrTampered, number)
			}
		}
		if len(text) > maxLine {
			return l, size, fmt.Errorf("%w: ledger line %d is too long", ErrCorrupt, number)
		}
		if c != nil && !c.check(text) {
			return l, size, fmt.Errorf("%w: ledger line %d does not verify", ErrTampered, number)
		}
		n, err := parseLine(text)
		if err == nil {
			err = l.apply(n)
		}
		if err != nil {
			return l, size, fmt.Errorf("%w: ledger line %d: %w", ErrCorrupt, number, err)
		}
		size += len(text) + 1
		data = rest
	}
	return l, size, l.found(id)
}

// found checks that a replayed ledger is one, and of this session.
func (l *ledger) found(id string) error {
	switch l.id {
	case id:
		return nil
	case "":
		return fmt.Errorf("%w: the ledger is empty", ErrCorrupt)
	}
	return fmt.Errorf("%w: the ledger is that of another session", ErrTampered)
}

// checkVersion looks at the first line's version before anything else: a newer
// format may differ in everything but its beginning.
func checkVersion(data []byte) error {
	var v struct {
		Version int `json:"v"`
	}
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&v); err != nil || v.Version < 1 {
		return fmt.Errorf("%w: this is no ledger", ErrCorrupt)
	}
	if v.Version > formatVersion {
		return fmt.Errorf("%w: the ledger has format %d, this program knows %d", ErrVersion, v.Version, formatVersion)
	}
	return nil
}

// parseLine decodes the JSON of one line, strictly.
func parseLine(text []byte) (n line, err error) {
	i := bytes.LastIndexByte(text, ' ')
	if i < 0 || len(text)-i-1 != macChars {
		return n, errors.New("no MAC")
	}
	d := json.NewDecoder(bytes.NewReader(text[:i]))
	d.DisallowUnknownFields()
	if err := d.Decode(&n); err != nil {
		return n, errors.New("no event") // the decoder's own words would quote the file
	}
	if _, err := d.Token(); err != io.EOF {
		return n, errors.New("more than one event")
	}
	return n, nil
}

// What an unterminated tail can be.
const (
	tailWhole   = iota // a whole line, only the newline is missing
	tailTorn           // the beginning of a line
	tailForeign        // a whole event with something behind it that no torn write leaves
)

func tail(text []byte) int {
	d := json.NewDecoder(bytes.NewReader(text))
	var event json.RawMessage
	if d.Decode(&event) != nil {
		return tailTorn
	}
	rest, ok := strings.CutPrefix(string(text[d.InputOffset():]), " ")
	switch {
	case ok && len(rest) == macChars:
		return tailWhole
	case ok && len(rest) < macChars, !ok && rest == "":
		return tailTorn
	}
	return tailForeign
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
