package tools

import (
	"os"
	"path/filepath"
	"testing"

	"curfew/auth"
	"curfew/ui/terminal"
)

// TestHere: the nearest folder that an account lists decides, then whether
// there is one account only. Nothing in the folder itself does.
func TestHere(t *testing.T) {
	dir := t.TempDir()
	at := func(path string) string { return filepath.Join(dir, filepath.FromSlash(path)) }
	for _, path := range []string{"work/app/src", "work/client/x", "workshop", "home", "both"} {
		if err := os.MkdirAll(at(path), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(at("workshop/.curfew"), []byte("work"), 0o600); err != nil {
		t.Fatal(err)
	}
	linked := os.Symlink(at("work"), at("link")) == nil // Windows may not let us
	all := []auth.Snapshot{
		{Name: "client", Directories: []string{at("work/client"), at("both")}},
		{Name: "home", Directories: []string{at("nowhere"), at("home"), at("both")}, Hosts: []string{"both.example", "home.example"}},
		{Name: "work", Directories: []string{at("work")}, Hosts: []string{"both.example"}},
	}
	for _, test := range []struct {
		host, dir string
		want, why string
		code      terminal.Code
	}{
		{dir: "work", want: "work", why: "this folder is in " + at("work")},
		{dir: "work/app/src", want: "work", why: "this folder is in " + at("work")},
		{dir: "work/client/x", want: "client", why: "this folder is in " + at("work/client")},
		{dir: "link/app", want: "work", why: "this folder is in " + at("work")},
		{dir: "home", want: "home", why: "this folder is in " + at("home")},
		{dir: "workshop", code: terminal.Usage},
		{dir: "both", code: terminal.Usage},
		{dir: "gone", code: terminal.Usage},
		{host: "home.example", dir: "work", want: "home", why: "home.example is one of its hosts"},
		{host: "both.example", dir: "work/app", want: "work", why: "both.example is one of its hosts"},
		{host: "both.example", dir: "workshop", code: terminal.Usage},
		{host: "evil.example", dir: "work", code: terminal.Usage},
	} {
		if test.dir == "link/app" && !linked {
			continue
		}
		got, why, err := Here(all, test.host, at(test.dir))
		if got.Name != test.want || code(err) != test.code || err == nil && why != test.why {
			t.Errorf("%q in %s: %q because %q, %v; want %q because %q", test.host, test.dir, got.Name, why, err, test.want, test.why)
		}
	}
	if got, why, err := Here(all[:1], "", at("home")); err != nil || got.Name != "client" || why != "it is the only account" {
		t.Errorf("the only account: %q, %q, %v", got.Name, why, err)
	}
	if _, _, err := Here(nil, "", at("home")); code(err) != terminal.Usage {
		t.Errorf("no account: %v", err)
	}
}
