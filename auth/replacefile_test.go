package auth_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"curfew/auth"
)

// A link in a directory that is a link itself, as those of people who keep their
// dot files elsewhere, leads where the system says.
func TestReplaceFileOfLinks(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	if err := errors.Join(
		os.MkdirAll(at("dots/curfew"), 0o700),
		os.Mkdir(at("config"), 0o700),
		os.Symlink(at("dots/curfew"), at("config/curfew")),
		os.Symlink(filepath.FromSlash("../shared.toml"), at("dots/curfew/config.toml")),
	); err != nil {
		t.Skip(err) // Windows lets few people make links
	}
	for _, text := range []string{"the file is missing", "the file is there"} {
		if err := auth.ReplaceFile(at("config/curfew/config.toml"), []byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(at("dots/shared.toml")); string(b) != text {
			t.Errorf("%q, %v", b, err)
		}
	}
}
