package config

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkLoad reads a config.toml with 1000 accounts, as the agent does at its
// start.
func BenchmarkLoad(b *testing.B) {
	path := filepath.Join(b.TempDir(), "config.toml")
	var text []byte
	for i := range 1000 {
		text = fmt.Appendf(text, "[account.a%d]\nissuer = \"https://id.example.com\"\nclient_id = \"1234\"\nscopes = [\"openid\", \"offline_access\"]\n", i)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if s, err := Load(path); err != nil || len(s.Accounts) != 1000 {
			b.Fatal(err)
		}
	}
}
