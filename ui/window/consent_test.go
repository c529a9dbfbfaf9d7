package window

import (
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"curfew/auth"
	"curfew/ui/window/control"
	"curfew/ui/window/look"
)

// wanting is an account with a program that waits for a token.
func wanting() auth.Snapshot {
	s := spotify()
	s.Consent = auth.ConsentAsk
	s.Asks = []auth.Ask{{ID: "q1", Program: "git", At: noon, Caller: auth.Caller{Executable: "/tmp/git", Parents: []string{"/usr/bin/zsh"}, Terminal: "pts/3", Claimed: "curl"}}}
	return s
}

// TestConsent: the page of an account asks about a program that waits. It shows
// what the person has answered, and can take that back.
func TestConsent(t *testing.T) {
	for _, test := range []struct {
		name string
		tap  func(s *stage) *control.Button
		call string
	}{
		{"allow", func(s *stage) *control.Button { return s.account.consent.allow }, "answer Spotify q1 12h"},
		{"always", func(s *stage) *control.Button { return s.account.consent.always }, "answer Spotify q1 always"},
		{"deny", func(s *stage) *control.Button { return s.account.consent.deny }, "answer Spotify q1 deny"},
	} {
		t.Run(test.name, func(t *testing.T) {
			live(t, newFakeAgent(wanting()), func(s *stage) {
				s.reads("git wants a token of Spotify", "/tmp/git, started by zsh, terminal pts/3. It calls itself curl.", "[Always]")
				s.tap(test.tap(s))
				s.calls(test.call, 0) // it has come under the pointer
				time.Sleep(readable)
				s.tap(test.tap(s))
				s.calls(test.call, 1)
				s.readsNot("git wants a token")
				s.reads("Programs that you answered")
				s.tap(s.forgets(0))
				s.calls("revoke Spotify q1", 1)
				s.readsNot("Programs that you answered")
			})
		})
	}
}

// forgets is the button that takes the n-th answer back.
func (s *stage) forgets(n int) (forget *control.Button) {
	walk(s.account.consent.rows.Objects[n], func(o fyne.CanvasObject) {
		if b, ok := o.(*control.Button); ok {
			forget = b
		}
	})
	return forget
}

// TestConsentWords: how long an answer holds, and where.
func TestConsentWords(t *testing.T) {
	s := spotify()
	s.Permits = []auth.Permit{
		{ID: "1", Program: "/usr/bin/git"},
		{ID: "2", Program: "/usr/bin/curl", Terminal: "pts/3", Until: noon.Add(3 * time.Hour)},
		{ID: "3", Program: "/tmp/evil", Until: noon.Add(10 * time.Minute), Denied: true},
	}
	live(t, newFakeAgent(s), func(s *stage) {
		s.reads("git", "always allowed", "curl", "allowed in terminal pts/3 until 12:41", "evil", "denied until 09:51")
	})
}

// TestConsentLayout: a question with long names fits, in every language and size.
func TestConsentLayout(t *testing.T) {
	s := wanting()
	s.Asks[0].Program = "a-program-with-a-name-that-is-long"
	s.Asks[0].Caller.Executable = "/home/alice/src/a/path/that/is/long/enough/to/need/more/than/one/line/a-program-with-a-name-that-is-long"
	s.State, s.AccessExpiresAt = auth.Stale, ago(time.Minute)
	for i, program := range []string{"/usr/bin/git", "/home/alice/bin/another-program-with-a-name-that-is-long"} {
		s.Permits = append(s.Permits, auth.Permit{ID: program, Program: program, Terminal: "pts/12", Until: noon.Add(time.Duration(12+i) * time.Hour)})
	}
	for _, l := range []viewing{{look.Dark, usual, 1, ""}, {look.Light, small, 1, "de"}, {look.Dark, usual, 1, "fr"}, {look.Dark, large, 1.5, "de"}, {look.Dark, largest, 2, ""}} {
		dress(t, l)
		screen := still(t, l, s)
		for _, fault := range survey(screen.window.Canvas()).faults() {
			t.Errorf("%+v: %s", l, fault)
		}
	}
}
