package tools

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"curfew/ui/terminal"
)

// profile gives the test its own home directory, without tools.
func profile(t *testing.T) string {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_STATE_HOME", filepath.Join(home, "state"))
	for _, name := range []string{"XDG_CONFIG_HOME", "DOCKER_CONFIG", "CARGO_HOME", "NPM_CONFIG_USERCONFIG", "PATH"} {
		t.Setenv(name, "")
	}
	return home
}

func plan(t *testing.T, tool string, hosts ...string) Plan {
	t.Helper()
	p, err := NewPlan(tool, "work", hosts, false)
	if err != nil {
		t.Fatal(err)
	}
	p.Curfew = "curfew"
	return p
}

// TestWriteUndo: what was written is taken back byte for byte, and never over
// something that a person has written since.
func TestWriteUndo(t *testing.T) {
	for _, test := range []struct {
		tool, file    string
		before, after string
	}{
		{"docker", ".docker/config.json", "", "{\n\t\"credHelpers\": {\n\t\t\"a.example\": \"curfew\",\n\t\t\"b.example\": \"curfew\"\n\t}\n}\n"},
		{"docker", ".docker/config.json", `{"auths":{"c.example":{}},  "credHelpers":{"c.example":"pass"}}`,
			"{\n\t\"auths\": {\n\t\t\"c.example\": {}\n\t},\n\t\"credHelpers\": {\n\t\t\"a.example\": \"curfew\",\n\t\t\"b.example\": \"curfew\",\n\t\t\"c.example\": \"pass\"\n\t}\n}\n"},
		{"cargo", ".cargo/config.toml", "[net]\noffline = true", "[net]\noffline = true\n[registry]\nglobal-credential-providers = [\"cargo:token\", \"cargo-credential-curfew\"]\n"},
		{"npm", ".npmrc", "a=b\r\n", "a=b\r\n//a.example/:tokenHelper=HOME/.local/bin/curfew-npm-work\n//b.example/:tokenHelper=HOME/.local/bin/curfew-npm-work\n"},
	} {
		t.Run(test.tool, func(t *testing.T) {
			home := profile(t)
			file := filepath.Join(home, test.file)
			if test.before != "" {
				os.MkdirAll(filepath.Dir(file), 0o755)
				os.WriteFile(file, []byte(test.before), 0o644)
			}
			p := plan(t, test.tool, "a.example", "b.example")
			if changed, err := p.Write(); err != nil || !slices.Contains(changed, file) {
				t.Fatal(changed, err)
			}
			if got, _ := os.ReadFile(file); string(got) != strings.ReplaceAll(test.after, "HOME", home) {
				t.Errorf("written: %q", got)
			}
			if target, err := os.Readlink(p.link()); err != nil || !filepath.IsAbs(target) {
				t.Errorf("link: %q, %v", target, err)
			}
			if _, err := p.Write(); code(err) != terminal.Usage {
				t.Errorf("written twice: %v", err)
			}

			// A person's own line stays.
			written, _ := os.ReadFile(file)
			os.WriteFile(file, append(written, "x"...), 0o644)
			if _, err := p.Undo(); code(err) != terminal.Failed {
				t.Errorf("undone over a change: %v", err)
			}
			os.WriteFile(file, written, 0o644)

			if _, err := p.Undo(); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(file)
			if string(got) != test.before || os.IsNotExist(err) != (test.before == "") {
				t.Errorf("undone: %q, %v", got, err)
			}
			if fi, err := os.Stat(file); err == nil && fi.Mode().Perm() != 0o644 {
				t.Errorf("undone: mode %v", fi.Mode())
			}
			if _, err := os.Lstat(p.link()); !os.IsNotExist(err) {
				t.Errorf("the link is still there: %v", err)
			}
			if _, err := p.Undo(); code(err) != terminal.Usage {
				t.Errorf("undone twice: %v", err)
			}
		})
	}
}

// TestWriteRefused: nothing is half done.
func TestWriteRefused(t *testing.T) {
	for _, test := range []struct {
		name, tool, file, text string
		code                   terminal.Code
	}{
		{"conflict", "cargo", ".cargo/config.toml", "[registry]\ndefault = \"x\"\n", terminal.Usage},
		{"not JSON", "docker", ".docker/config.json", "{", terminal.Failed},
		{"no file", "mail", ".msmtprc", "", terminal.Usage},
		{"another keyring", "pip", ".local/bin/keyring", "#!/bin/sh\n", terminal.Usage},
	} {
		t.Run(test.name, func(t *testing.T) {
			home := profile(t)
			file := filepath.Join(home, test.file)
			os.MkdirAll(filepath.Dir(file), 0o755)
			os.WriteFile(file, []byte(test.text), 0o755)
			t.Setenv("PATH", filepath.Join(home, ".local/bin"))
			p := plan(t, test.tool, "a.example")
			if _, err := p.Write(); code(err) != test.code {
				t.Errorf("%v; want exit code %d", err, test.code)
			}
			if got, _ := os.ReadFile(file); string(got) != test.text {
				t.Errorf("%s: %q", file, got)
			}
			if records, err := Records(); len(records) > 0 || err != nil {
				t.Error(records, err)
			}
			if link := p.link(); link != "" && link != file {
				if _, err := os.Lstat(link); !os.IsNotExist(err) {
					t.Errorf("a link was left behind: %v", err)
				}
			}
		})
	}
}

// TestPages: each tool has a page, which says how to set it up.
func TestPages(t *testing.T) {
	for _, tool := range Tools() {
		page, err := os.ReadFile(filepath.Join("..", "..", "docs", "tools", tool.Name+".md"))
		if err != nil || len(tool.Files) > 0 && !strings.Contains(string(page), "curfew setup "+tool.Name+" ") {
			t.Errorf("%s: %v", tool.Name, err)
		}
	}
}

// TestTable: every text can be filled in, and says what it needs.
func TestTable(t *testing.T) {
	profile(t)
	for _, tool := range Tools() {
		text, err := plan(t, tool.Name, "a.example").Text()
		for _, blank := range []string{"{account}", "{host}", "{url}", "{curfew}", "{link}"} {
			if err != nil || strings.Contains(text, blank) {
				t.Errorf("%s: %v\n%s", tool.Name, err, text)
			}
		}
		if len(tool.Programs) == 0 || tool.Text == "" && tool.Commands == nil {
			t.Errorf("%s: nothing to find or to write", tool.Name)
		}
	}
	for command, want := range map[string]string{
		`a --b c`: "a|--b|c", `a b ""`: "a|b|", `a "b c"`: "a|b c", `a "--x=b c" d`: "a|--x=b c|d",
	} {
		if got := strings.Join(splitWords(command), "|"); got != want {
			t.Errorf("%s: %s; want %s", command, got, want)
		}
	}
}

// TestSetupID: with --id, and only then, a tool asks for the ID token.
func TestSetupID(t *testing.T) {
	for _, id := range []bool{true, false} {
		for _, tool := range []string{"kubectl", "google", "aws"} {
			p, err := NewPlan(tool, "work", nil, id)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Join(p.each(append(p.Tool.Commands, p.Tool.Text)...), "\n")
			if strings.Contains(text, "--id") != id || strings.Contains(text, "{id") {
				t.Errorf("%s, %t: %s", tool, id, text)
			}
		}
	}
}
