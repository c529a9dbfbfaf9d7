package terminal

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func table(p Page, optional int) string {
	var b strings.Builder
	t := p.To(&b).Table()
	t.Optional = optional
	t.Toned(Header, "ACCOUNT", "WHAT IS LEFT", "LAST USED")
	t.Row("work", "13 of 20 refreshes left, 22 d left", "2 min ago by curl")
	t.Toned(Alarm, "仕事", "sign in again\x1b[2J", "yesterday")
	if err := t.Flush(); err != nil {
		panic(err)
	}
	return b.String()
}

func TestTable(t *testing.T) {
	for _, c := range []struct {
		what     string
		page     Page
		optional int
		want     string
	}{
		{"a pipe", Page{}, 1, `
ACCOUNT  WHAT IS LEFT                        LAST USED
work     13 of 20 refreshes left, 22 d left  2 min ago by curl
仕事     sign in again [2J                   yesterday
`},
		{"a narrow terminal leaves out what it may", Page{width: 50}, 1, `
ACCOUNT  WHAT IS LEFT
work     13 of 20 refreshes left, 22 d left
仕事     sign in again [2J
`},
		{"a narrower one wraps", Page{width: 30}, 1, `
ACCOUNT  WHAT IS LEFT
work     13 of 20 refreshes
         left, 22 d left
仕事     sign in again [2J
`},
		{"the narrowest has no columns", Page{width: 20}, 1, `
ACCOUNT
    WHAT IS LEFT
work
    13 of 20
    refreshes left,
    22 d left
仕事
    sign in again
    [2J
`},
		{"one that must not leave out wraps at once", Page{width: 58}, 0, `
ACCOUNT  WHAT IS LEFT                        LAST USED
work     13 of 20 refreshes left, 22 d left  2 min ago by
                                             curl
仕事     sign in again [2J                   yesterday
`},
		{"colours", Page{width: 80, color: true}, 1, "\n\x1b[1mACCOUNT  WHAT IS LEFT                        LAST USED\x1b[0m\n" +
			"work     13 of 20 refreshes left, 22 d left  2 min ago by curl\n" +
			"\x1b[1;31m仕事     sign in again [2J                   yesterday\x1b[0m\n"},
	} {
		if got := table(c.page, c.optional); got != c.want[1:] {
			t.Errorf("%s: got\n%s\nwant%s", c.what, got, c.want)
		}
	}
}

// TestNewPage asks a real terminal, which script(1) makes.
func TestNewPage(t *testing.T) {
	if os.Getenv("TERMINAL_TEST") != "" {
		p := NewPage(os.Stdout)
		os.Stdout.WriteString(map[bool]string{true: "coloured", false: "plain"}[p.color])
		if p.Terminal() != (p.width > 0) {
			os.Stdout.WriteString(" broken")
		}
		return
	}
	if p := NewPage(&strings.Builder{}); p.Terminal() || p.color {
		t.Errorf("a text has the page %+v", p)
	}
	t.Setenv("CLICOLOR_FORCE", "1")
	t.Setenv("NO_COLOR", "")
	if p := NewPage(&strings.Builder{}); p.Terminal() || !p.color {
		t.Errorf("with CLICOLOR_FORCE a text has the page %+v", p)
	}
	t.Setenv("CLICOLOR_FORCE", "")
	script, err := exec.LookPath("script")
	if err != nil {
		t.Skip("needs script(1)")
	}
	for set, want := range map[string]string{
		"TERM=xterm": "coloured", "NO_COLOR=1": "plain", "TERM=dumb": "plain", "TERM=": "plain", "CLICOLOR=0": "plain", "CLICOLOR=1": "coloured", "CLICOLOR_FORCE=1 TERM=dumb": "coloured", "CLICOLOR_FORCE=1 NO_COLOR=1": "plain",
	} {
		c := exec.Command(script, "-qec", os.Args[0]+" -test.run=TestNewPage$", "/dev/null")
		c.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=", "TERMINAL_TEST=1")
		c.Env = append(c.Env, strings.Fields(set)...)
		out, err := c.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("with %s the page is %q (%v), want it %s", set, out, err, want)
		}
	}
}
