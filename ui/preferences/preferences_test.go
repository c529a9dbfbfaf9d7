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

// home gives the test a configuration directory of its own, not yet there,
// and returns the path of the preferences in it.
func home(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"XDG_CONFIG_HOME", "HOME", "AppData"} {
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

func TestChangeThatCannotBeSaved(t *testing.T) {
	path := home(t)
	write(t, filepath.Dir(path), "no directory")
	err := Change(func(p *Preferences) { p.Language = "de" })
	if err == nil || !strings.Contains(err.Error(), "not saved") {
		t.Errorf("err %v", err)
	}
}

// TestWatch follows changes by the window and by hand, and is not led astray
// by other files or by one that cannot be read.
func TestWatch(t *testing.T) {
	path := home(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got, ended := make(chan Preferences), make(chan error, 1)
	go func() {
		ended <- Watch(ctx, func(p Preferences) {
			select {
			case got <- p:
			case <-ctx.Done():
			}
		})
	}()
	wait := func(want Preferences) {
		t.Helper()
		for {
			select {
			case p := <-got:
				if p == want {
					return
				}
			case err := <-ended:
				t.Fatalf("ended: %v", err)
			case <-ctx.Done():
				t.Fatalf("%+v was not noticed", want)
			}
		}
	}
	speak := func(code string) {
		if err := Change(func(p *Preferences) { p.Language = code }); err != nil {
			t.Error(err)
		}
	}
	wait(Preferences{})
	speak("de")
	wait(Preferences{Language: "de"})
	write(t, filepath.Join(filepath.Dir(path), "config.toml"), "[limits]\n")
	write(t, path, "broken =")
	speak("en")
	wait(Preferences{Language: "en"})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	wait(Preferences{})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
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
			{"", "", "", "fr_FR.UTF-8", "fr:de:en", "de"},
			{"", "", "", "fr_FR.UTF-8", "", "en"},
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
