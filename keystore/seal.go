package keystore

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The format of what is sealed and of the keychain's items. It is ASCII, because
// KeePassXC and KDE's keychain damage other bytes. It is small, because Windows
// holds 2,560 bytes an item and macOS some 2,985.
const (
	formatTag  = "curfew/1"
	halfSize   = 32
	chunkChars = 2400
	maxChunks  = (4*(MaxSecret+sealOverhead)/3)/chunkChars + 1
	// sealOverhead is nonce and tag of AES-GCM with a random nonce, in bytes.
	sealOverhead = 28
)

// b64 refuses spare bits, so that no two texts mean the same bytes.
var b64 = base64.RawURLEncoding.Strict()

func decode64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") { // which the decoder would skip
		return nil, errors.New("not base64url")
	}
	b, err := b64.DecodeString(text)
	if err != nil {
		return nil, errors.New("not base64url") // the decoder's own words would quote it
	}
	return b, nil
}

// decodeHalf reads a key half as it is kept in both places.
func decodeHalf(text string) ([]byte, error) {
	b, err := decode64(text)
	if err != nil || len(b) != halfSize {
		return nil, errors.New("not a key half")
	}
	return b, nil
}

// keyText is what SID.key holds: the file half, and whose session it opens.
// The half itself makes the MAC. That keeps nobody from writing another file. It
// shows that the name in a file that is whole and in its place can be believed,
// however little is left of the ledger.
func keyText(id string, half []byte, account string) []byte {
	text := fmt.Appendf(nil, "%s.%s", b64.EncodeToString(half), b64.EncodeToString([]byte(account)))
	return append(append(text, '.'), b64.EncodeToString(mac(half, []byte(id), text))...)
}

// parseKeyText reads it. The caller clears half.
func parseKeyText(id string, text []byte) (half []byte, account string, err error) {
	if f := bytes.Split(text, []byte(".")); len(f) == 3 {
		name, err := decode64(string(f[1]))
		half, herr := decodeHalf(string(f[0]))
		whole := err == nil && herr == nil && hmac.Equal(text, keyText(id, half, string(name)))
		if whole {
			return half, string(name), nil
		}
		clear(half)
	}
	return nil, "", errors.New("not the file half of a key")
}

func newHalf() []byte {
	b := make([]byte, halfSize)
	rand.Read(b) // never fails: it crashes the program instead
	return b
}

// keys are the keys of one session. They come from both halves together.
type keys struct {
	chain     []byte // MACs of the ledger
	highWater []byte // MAC of the high-water item
	seal      cipher.AEAD
	id        string
}

// deriveKeys wipes the halves it is given.
func deriveKeys(id string, keychainHalf, fileHalf []byte) (*keys, error) {
	both := append(append(make([]byte, 0, 2*halfSize), keychainHalf...), fileHalf...)
	defer clear(both)
	defer clear(keychainHalf)
	defer clear(fileHalf)
	derive := func(purpose string) ([]byte, error) {
		return hkdf.Key(sha256.New, both, nil, formatTag+" "+purpose+" "+id, 32)
	}
	ledgerKey, err1 := derive("ledger")
	highWaterKey, err2 := derive("high-water")
	sealKey, err3 := derive("seal")
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	defer clear(sealKey)
	block, err := aes.NewCipher(sealKey)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &keys{chain: ledgerKey, highWater: highWaterKey, seal: aead, id: id}, nil
}

// What a sealed text is for.
const (
	purposeSecret = "secret"
	purposeAccess = "access"
)

// place is the additional data: a sealed text opens only where it belongs.
func (k *keys) place(gen int, purpose string) []byte {
	return fmt.Appendf(nil, "%s\x00%s\x00%d\x00%s", formatTag, k.id, gen, purpose)
}

func (k *keys) sealText(gen int, purpose string, plain []byte) string {
	return b64.EncodeToString(k.seal.Seal(nil, nil, plain, k.place(gen, purpose)))
}

func (k *keys) openText(gen int, purpose, sealed string) ([]byte, error) {
	b, err := decode64(sealed)
	if err != nil {
		return nil, err
	}
	plain, err := k.seal.Open(nil, nil, b, k.place(gen, purpose))
	if err != nil {
		return nil, fmt.Errorf("the sealed %s of generation %d does not open", purpose, gen)
	}
	return plain, nil
}

// highWaterText is the high-water item of a step.
func (k *keys) highWaterText(s step) string {
	ended := 0
	if s.Ended {
		ended = 1
	}
	text := fmt.Sprintf("%d.%d.%d.%d.%d.%d", formatVersion, s.Seq, s.Gen, s.Used, s.Started, ended)
	return text + "." + b64.EncodeToString(mac(k.highWater, []byte(text)))
}

// parseHighWater verifies a high-water item. There is one text for each step,
// so it is enough to read the numbers and to write them again.
func (k *keys) parseHighWater(text string) (step, error) {
	f := strings.Split(text, ".")
	if v, err := strconv.Atoi(f[0]); err == nil && v > formatVersion {
		return step{}, fmt.Errorf("%w: the keychain's high-water item has format %d", ErrVersion, v)
	}
	if len(f) != 7 {
		return step{}, fmt.Errorf("%w: the keychain's high-water item is malformed", ErrTampered)
	}
	var n [7]int64
	for i := range 6 {
		n[i], _ = strconv.ParseInt(f[i], 10, 64)
	}
	s := step{Seq: int(n[1]), Gen: int(n[2]), Used: int(n[3]), Started: n[4], Ended: n[5] == 1}
	if !hmac.Equal([]byte(text), []byte(k.highWaterText(s))) {
		return step{}, fmt.Errorf("%w: the keychain's high-water item does not verify", ErrTampered)
	}
	return s, nil
}

// Names of keychain items.
func itemKey(id string) string       { return id + ".k" }
func itemHighWater(id string) string { return id + ".h" }

// slot is the name that a generation's chunks begin with; generations alternate between two.
func slot(id string, gen int) string {
	if gen%2 == 1 {
		return id + ".a"
	}
	return id + ".b"
}

func chunkName(slot string, i int) string { return slot + "." + strconv.Itoa(i) }

// split cuts a sealed text into chunks. Each has generation, number and how many
// there are before its text.
func split(gen int, sealed string) []string {
	n := max(1, (len(sealed)+chunkChars-1)/chunkChars)
	chunks := make([]string, n)
	for i := range chunks {
		part := sealed[i*chunkChars : min(len(sealed), (i+1)*chunkChars)]
		chunks[i] = fmt.Sprintf("%d.%d.%d.%s", gen, i, n, part)
	}
	return chunks
}

// parseChunk reads chunk i of a generation and returns how many there are. Its
// text is not trusted before the whole is opened.
func parseChunk(text string, gen, i int) (part string, n int, err error) {
	f := strings.SplitN(text, ".", 4)
	if len(f) != 4 {
		return "", 0, errors.New("a malformed chunk")
	}
	n, _ = strconv.Atoi(f[2])
	if n < 1 || n > maxChunks || i >= n || len(f[3]) > chunkChars {
		return "", 0, errors.New("a malformed chunk")
	}
	if head := fmt.Sprintf("%d.%d.%d.", gen, i, n); !strings.HasPrefix(text, head) {
		return "", 0, fmt.Errorf("a chunk of another generation or place, not %s", head)
	}
	return f[3], n, nil
}
