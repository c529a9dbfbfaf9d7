package main

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"curfew/ui/tray"
)

// TestToast: Windows gets one well-formed toast, whatever the words. A click that
// comes back means what it meant on the way out.
func TestToast(t *testing.T) {
	notice := tray.Notice{Account: "work", Title: "work: 5 refreshes left", Body: "A new sign-in gives you 20.", Action: "Sign in again", Later: "Tomorrow"}
	got, err := toastXML(notice)
	want := `<toast launch="default work">` +
		`<visual><binding template="ToastGeneric"><text>work: 5 refreshes left</text><text>A new sign-in gives you 20.</text></binding></visual>` +
		`<actions><action content="Sign in again" arguments="sign-in work"></action><action content="Tomorrow" arguments="tomorrow work"></action></actions></toast>`
	if got != want || err != nil {
		t.Errorf("%v\n%s, want\n%s", err, got, want)
	}
	notice.Over = true
	if got, _ := toastXML(notice); !strings.HasPrefix(got, `<toast launch="default work" scenario="reminder">`) {
		t.Errorf("over: %s", got)
	}
	for _, account := range []string{"work", "my work", " ", `"/><action content="x" arguments="sign-in y"/>`, "]]>&lt;$(calc)`'\n@\"", "Ünï😀", "a\x00b\xff"} {
		n := tray.Notice{Account: account, Title: account, Body: account, Action: account, Later: account}
		text, err := toastXML(n)
		if err != nil {
			t.Fatal(err)
		}
		var read toast
		if err := xml.Unmarshal([]byte(text), &read); err != nil || len(read.Binding.Text) != 2 || elements(t, text) != 8 {
			t.Errorf("%q: %v: %s", account, err, text)
			continue
		}
		legal := strings.Map(func(r rune) rune { // XML has no zero
			if r == 0 {
				return '\uFFFD'
			}
			return r
		}, strings.ToValidUTF8(account, "\uFFFD"))
		if click, ok := toastClick(read.Actions[0].Arguments); !ok || click != (tray.ID{Verb: tray.SignIn, Account: legal}) {
			t.Errorf("%q: the button means %+v, %v", account, click, ok)
		}
		if click, ok := toastClick(read.Actions[1].Arguments); !ok || click != (tray.ID{Verb: tray.Tomorrow, Account: legal}) {
			t.Errorf("%q: the second button means %+v, %v", account, click, ok)
		}
		if click, ok := toastClick(read.Launch); !ok || click != (tray.ID{Verb: tray.OpenAccount, Account: legal}) {
			t.Errorf("%q: the toast means %+v, %v", account, click, ok)
		}
	}
	if click, ok := toastClick(toastArguments(actOpen, "")); !ok || click != (tray.ID{Verb: tray.Open}) {
		t.Errorf("a notice of the tray itself means %+v, %v", click, ok)
	}
	for _, foreign := range []string{"", "sign-in", "sign-out work", "-Embedding", "default"} {
		if click, ok := toastClick(foreign); ok {
			t.Errorf("%q means %+v", foreign, click)
		}
	}
	if a, b := toastTag("work"), toastTag("Work"); a == b || len(a) != 16 {
		t.Errorf("tags %q, %q", a, b)
	}
}

func elements(t *testing.T, text string) (n int) {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := token.(xml.StartElement); ok {
			n++
		}
	}
}
