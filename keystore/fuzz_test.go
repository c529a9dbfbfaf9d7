package keystore

import (
	"bytes"
	"strings"
	"testing"
)

// someKeys are keys that are the same every time.
func someKeys(t testing.TB) *keys {
	t.Helper()
	k, err := deriveKeys(strings.Repeat("A", 26), bytes.Repeat([]byte{1}, halfSize), bytes.Repeat([]byte{2}, halfSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// someLedger has a line of every type.
func someLedger(t testing.TB, k *keys) []byte {
	t.Helper()
	l := ledger{id: k.id, account: "a", steps: []step{{Gen: 1, Started: 5}}, secret: "sealed"}
	c := newChain(k.chain, k.id)
	data, err := c.add(l.startLine())
	must(t, err)
	for _, n := range []line{
		{Type: lineCommit}, {Type: lineAttempt}, {Type: lineNote, Held: 1, Meta: []byte("m")},
		{Type: lineRefund, Held: 1}, {Type: lineNote, Held: 2}, {Type: lineAttempt, Held: 2},
		{Type: lineGot, Held: 3, Secret: "x", Access: "y"}, {Type: lineCommit, Held: 4}, {Type: lineEnd, Held: 4, Why: "user"},
	} {
		must(t, l.apply(n))
		text, err := c.add(n)
		must(t, err)
		data = append(data, text...)
	}
	return data
}

func TestLedgerLines(t *testing.T) {
	k := someKeys(t)
	c := newChain(k.chain, k.id)
	data := someLedger(t, k)
	l, size, err := replay(data, k.id, &c)
	if err != nil || size != len(data) || l.now() != (step{Seq: 5, Gen: 2, Used: 1, Started: 5, Ended: true}) || l.access != "y" {
		t.Errorf("%+v, %d of %d, %v", l, size, len(data), err)
	}
	// What may not follow what.
	start := ledger{id: "x", steps: []step{{Gen: 1}}}
	pending := ledger{id: "x", steps: []step{{Seq: 1, Gen: 1, Used: 1}}, pending: true}
	counting := ledger{id: "x", steps: []step{{Gen: 1}, {Seq: 1, Gen: 1, Used: 1}}, pending: true}
	unpublished := ledger{id: "x", steps: []step{{Seq: 1, Gen: 1, Used: 1}, {Seq: 2, Gen: 2, Used: 1}}, secret: "s"}
	ended := ledger{id: "x", steps: []step{{Seq: 1, Gen: 1, Ended: true}}, ended: "user"}
	for _, c := range []struct {
		name string
		l    ledger
		n    line
	}{
		{"a second start", start, line{Type: lineStart, Version: 1, ID: "x", Steps: start.steps}},
		{"no start", ledger{}, line{Type: lineNote}},
		{"start of a newer version", ledger{}, line{Type: lineStart, Version: 2, ID: "x", Steps: start.steps}},
		{"start without steps", ledger{}, line{Type: lineStart, Version: 1, ID: "x"}},
		{"start with a hole", ledger{}, line{Type: lineStart, Version: 1, ID: "x", Steps: []step{{Gen: 1}, {Seq: 2, Gen: 1}}}},
		{"start that ended and did not", ledger{}, line{Type: lineStart, Version: 1, ID: "x", Steps: start.steps, Why: "user"}},
		{"start of no year", ledger{}, line{Type: lineStart, Version: 1, ID: "x", Steps: []step{{Gen: 1, Started: 1 << 60}}}},
		{"note of no year", start, line{Type: lineNote, At: -1 << 60}},
		{"unknown type", start, line{Type: "other"}},
		{"keychain ahead", start, line{Type: lineNote, Held: 1}},
		{"keychain before the beginning", pending, line{Type: lineNote}},
		{"attempt twice", pending, line{Type: lineAttempt, Held: 1}},
		{"attempt before the last is finished", unpublished, line{Type: lineAttempt, Held: 2}},
		{"attempt after the end", ended, line{Type: lineAttempt, Held: 1}},
		{"refund of nothing", start, line{Type: lineRefund}},
		{"refund of what the keychain has not counted", counting, line{Type: lineRefund}},
		{"got of nothing", start, line{Type: lineGot, Secret: "s"}},
		{"got of what the keychain has not counted", counting, line{Type: lineGot, Secret: "s"}},
		{"got without a secret", pending, line{Type: lineGot, Held: 1}},
		{"commit of nothing", start, line{Type: lineCommit}},
		{"commit before the keychain has it", unpublished, line{Type: lineCommit, Held: 1}},
		{"a second end", ended, line{Type: lineEnd, Held: 1, Why: "user"}},
		{"end without a reason", start, line{Type: lineEnd}},
	} {
		if err := c.l.apply(c.n); err == nil {
			t.Errorf("%s: accepted", c.name)
		}
	}
}

// FuzzLedger: nothing but what was signed is accepted, and nothing panics.
func FuzzLedger(f *testing.F) {
	k := someKeys(f)
	data := someLedger(f, k)
	f.Add(data)
	for i := 0; i < len(data); i += 97 {
		f.Add(data[:i])
		b := bytes.Clone(data)
		b[i] ^= 1
		f.Add(b)
	}
	f.Add([]byte(`{"v":1,"t":"start","id":"` + k.id + `","steps":[{"gen":1}]} ` + strings.Repeat("A", macChars) + "\n"))
	f.Add([]byte(`{"v":99}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		replay(b, k.id, nil)
		c := newChain(k.chain, k.id)
		_, size, err := replay(b, k.id, &c)
		if err == nil && !bytes.HasPrefix(append(bytes.Clone(data), '\n'), b[:min(size, len(b))]) {
			t.Errorf("accepted %q", b)
		}
	})
}

// FuzzHighWater: there is one text for each step, and none without the key.
func FuzzHighWater(f *testing.F) {
	k := someKeys(f)
	good := k.highWaterText(step{Seq: 3, Gen: 2, Used: 1, Started: 1795000000000})
	f.Add(good)
	f.Add(strings.Replace(good, ".2.", ".02.", 1))
	f.Add("1.0.0.0.0.0.")
	f.Add("2.x")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := k.parseHighWater(text); err == nil && (text != k.highWaterText(s) || text != good) {
			t.Errorf("accepted %q as %+v", text, s)
		}
	})
}

// FuzzChunk: a chunk that parses is one that split could have made.
func FuzzChunk(f *testing.F) {
	for _, c := range split(7, strings.Repeat("x", 5000)) {
		f.Add(c, 7, 0)
	}
	f.Add("7.0.01.x", 7, 0)
	f.Add("7.1.2.", 7, 1)
	f.Add("...", 0, 0)
	f.Fuzz(func(t *testing.T, text string, gen, i int) {
		part, n, err := parseChunk(text, gen, i)
		if err == nil && (i < 0 || i >= n || n > maxChunks || len(part) > chunkChars || !strings.HasSuffix(text, part)) {
			t.Errorf("%q: %q, %d", text, part, n)
		}
	})
}

// FuzzSealed: what was sealed comes back through split, chunks and open. It
// does so only in its own place.
func FuzzSealed(f *testing.F) {
	k := someKeys(f)
	f.Add([]byte("secret"), 3, "7.0.1.AAAA")
	f.Add(bytes.Repeat([]byte{0xff}, MaxSecret), 2, "")
	f.Fuzz(func(t *testing.T, plain []byte, gen int, forged string) {
		if len(plain) > MaxSecret || gen < 0 {
			return
		}
		var sealed strings.Builder
		chunks := split(gen, k.sealText(gen, purposeSecret, plain))
		for i, c := range chunks {
			part, n, err := parseChunk(c, gen, i)
			if err != nil || n != len(chunks) {
				t.Fatalf("chunk %d: %d, %v", i, n, err)
			}
			sealed.WriteString(part)
		}
		if got, err := k.openText(gen, purposeSecret, sealed.String()); err != nil || !bytes.Equal(got, plain) {
			t.Fatal(err)
		}
		if _, err := k.openText(gen+1, purposeSecret, sealed.String()); err == nil {
			t.Error("it opens as another generation")
		}
		if _, err := k.openText(gen, purposeAccess, sealed.String()); err == nil {
			t.Error("it opens as something else")
		}
		if _, err := k.openText(gen, purposeSecret, forged); err == nil {
			t.Errorf("%q opens", forged)
		}
	})
}
