package preferences

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"curfew/ui/status"
)

// home gives the test private directories, which do not exist yet. It returns
// the path of the preferences in them.
func home(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME", "AppData", "LocalAppData"} {
		t.Setenv(name, dir)
	}
	path, err := Path()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoad(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		want          Preferences
		fails         string
	}{
		{"empty", "", Preferences{}, ""},
		{"both", "language = \"de\"\nappearance = \"dark\"\n", Preferences{Language: "de", Appearance: "dark"}, ""},
		{"of a newer version", "language = \"de\"\nsize = 3\n", Preferences{Language: "de"}, ""},
		{"broken", "language = ", Preferences{}, "ui.toml"},
		{"of another kind", "language = 3", Preferences{}, "ui.toml"},
		{"huge", strings.Repeat("# nothing\n", mostSize/8), Preferences{}, "larger than 64 KB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := home(t)
			if got, err := Load(); got != (Preferences{}) || err != nil {
				t.Errorf("without a file: %+v, %v", got, err)
			}
			write(t, path, tt.content)
			got, err := Load()
			if got != tt.want || (err != nil) != (tt.fails != "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("got %+v, %v; want %+v, %q", got, err, tt.want, tt.fails)
			}
		})
	}
}

func TestChange(t *testing.T) {
	path := home(t)
	for _, edit := range []func(*Preferences){
		func(p *Preferences) { p.Language = "de" },
		func(p *Preferences) { p.Appearance = "light" },
	} {
		if err := Change(edit); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Load(); got != (Preferences{Language: "de", Appearance: "light"}) || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := Change(func(p *Preferences) { p.Language = "" }); err != nil {
		t.Fatal(err)
	}
	if got, _ := Load(); got != (Preferences{Appearance: "light"}) {
		t.Errorf("back to the desktop's: %+v", got)
	}

	write(t, path, "broken")
	if err := Change(func(p *Preferences) { p.Language = "de" }); err != nil {
		t.Fatal(err)
	}
	if got, err := Load(); got != (Preferences{Language: "de"}) || err != nil {
		t.Errorf("in place of a broken file: %+v, %v", got, err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestLink: some people keep their dot files elsewhere and have a link here. It
// stays a link, and changes of its target are followed.
func TestLink(t *testing.T) {
	path, target := home(t), filepath.Join(t.TempDir(), "curfew-ui.toml")
	write(t, target, "language = \"en\"\n")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Skip(err)
	}
	w := watch(t)
	w.wait(Preferences{Language: "en"})
	for _, code := range []string{"de", "en"} { // each in place of the file before
		if err := Change(func(p *Preferences) { p.Language = code }); err != nil {
			t.Fatal(err)
		}
		w.wait(Preferences{Language: code})
	}
	write(t, target, "language = \"de\"\n")
	w.wait(Preferences{Language: "de"})
	if fi, err := os.Lstat(path); err != nil || fi.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link is gone: %v, %v", fi, err)
	}
	if p, err := read[Preferences](target); err != nil || p.Language != "de" {
		t.Errorf("where it leads: %+v, %v", p, err)
	}
	w.stop()
}

func TestChangeThatCannotBeSaved(t *testing.T) {
	path := home(t)
	write(t, filepath.Dir(path), "no directory")
	err := Change(func(p *Preferences) { p.Language = "de" })
	if err == nil || !strings.Contains(err.Error(), "cannot save") {
		t.Errorf("err %v", err)
	}
}

// A watcher is a Watch that runs.
type watcher struct {
	t      *testing.T
	ctx    context.Context
	cancel func()
	got    chan Preferences
	ended  chan error
}

func watch(t *testing.T) *watcher {
	w := &watcher{t: t, got: make(chan Preferences), ended: make(chan error, 1)}
	w.ctx, w.cancel = context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(w.cancel)
	go func() {
		w.ended <- Watch(w.ctx, func(p Preferences) {
			select {
			case w.got <- p:
			case <-w.ctx.Done():
			}
		})
	}()
	return w
}

// wait waits until the preferences are as wanted.
func (w *watcher) wait(want Preferences) {
	w.t.Helper()
	for {
		select {
		case p := <-w.got:
			if p == want {
				return
			}
		case err := <-w.ended:
			w.t.Fatalf("ended: %v", err)
		case <-w.ctx.Done():
			w.t.Fatalf("%+v was not noticed", want)
		}
	}
}

func (w *watcher) stop() {
	w.t.Helper()
	w.cancel()
	if err := <-w.ended; err != nil {
		w.t.Error(err)
	}
}

// TestWatch follows changes by the window and by hand, and is not led astray
// by other files or by one that cannot be read.
func TestWatch(t *testing.T) {
	path := home(t)
	w := watch(t)
	speak := func(code string) {
		if err := Change(func(p *Preferences) { p.Language = code }); err != nil {
			t.Error(err)
		}
	}
	w.wait(Preferences{})
	speak("de")
	w.wait(Preferences{Language: "de"})
	write(t, filepath.Join(filepath.Dir(path), "config.toml"), "[limits]\n")
	write(t, path, "broken =")
	speak("en")
	w.wait(Preferences{Language: "en"})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.wait(Preferences{})
	w.stop()
}

// TestWatchOutlivesItsDirectory: a directory that is removed or replaced is
// followed, and Watch does not make it again.
func TestWatchOutlivesItsDirectory(t *testing.T) {
	path := home(t)
	dir := filepath.Dir(path)
	above := filepath.Dir(dir)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	speak := func(code string) { must(Change(func(p *Preferences) { p.Language = code })) }
	w := watch(t)
	w.wait(Preferences{})
	speak("de")
	w.wait(Preferences{Language: "de"})

	must(os.RemoveAll(dir))
	w.wait(Preferences{})
	if _, err := os.Stat(dir); err == nil {
		t.Error("what was removed is there again")
	}
	speak("en") // which makes the directory
	w.wait(Preferences{Language: "en"})
	speak("de") // and is followed in it
	w.wait(Preferences{Language: "de"})

	must(os.Rename(dir, dir+".old"))
	must(os.MkdirAll(dir+".new", 0o700))
	write(t, filepath.Join(dir+".new", fileName), "language = \"en\"\n")
	must(os.Rename(dir+".new", dir))
	w.wait(Preferences{Language: "en"})

	must(os.RemoveAll(above)) // with what is above it
	w.wait(Preferences{})
	speak("de")
	w.wait(Preferences{Language: "de"})
	speak("en")
	w.wait(Preferences{Language: "en"})
	w.stop()
}

func TestSpeak(t *testing.T) {
	t.Cleanup(func() { status.SetLanguage(status.English) })
	if runtime.GOOS != "windows" && runtime.GOOS != "darwin" { // there the system has another place for it
		for _, tt := range []struct{ chosen, lcAll, messages, lang, list, want string }{
			{"", "", "", "", "", "en"},
			{"", "", "", "de_DE.UTF-8", "", "de"},
			{"", "", "de_AT.UTF-8", "en_US.UTF-8", "", "de"},
			{"", "en_US.UTF-8", "de_DE.UTF-8", "de_DE.UTF-8", "", "en"},
			{"", "C", "de_DE.UTF-8", "de_DE.UTF-8", "", "en"},
			{"", "", "", "it_IT.UTF-8", "it:de:en", "de"},
			{"", "", "", "it_IT.UTF-8", "", "en"},
			{"en", "de_DE.UTF-8", "", "", "", "en"},
			{"de", "", "", "en_US.UTF-8", "", "de"},
			{"tlh", "", "", "de_DE.UTF-8", "", "de"},
		} {
			t.Setenv("LC_ALL", tt.lcAll)
			t.Setenv("LC_MESSAGES", tt.messages)
			t.Setenv("LANG", tt.lang)
			t.Setenv("LANGUAGE", tt.list)
			Preferences{Language: tt.chosen}.Speak()
			if got := status.SpokenLanguage(); got != tt.want {
				t.Errorf("%+v: %q is spoken", tt, got)
			}
		}
	}
	for _, l := range status.Languages() {
		Preferences{Language: l.Code}.Speak()
		if got := status.SpokenLanguage(); got != l.Code {
			t.Errorf("%q was chosen, %q is spoken", l.Code, got)
		}
	}
}
