package assets

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDocuments: the tests, files and targets that the documents for newcomers,
// finders of holes and packagers name are there.
func TestDocuments(t *testing.T) {
	tests := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			tests[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	makefile := document(t, "Makefile")
	for _, name := range []string{"SECURITY.md", "CONTRIBUTING.md", "docs/install.md", "README.md"} {
		text := document(t, name)
		for _, m := range regexp.MustCompile("`(Test\\w+)(?:/(\\w+))?`").FindAllStringSubmatch(text, -1) {
			if !tests[m[1]] {
				t.Errorf("%s names %s, which there is not", name, m[1])
			}
			if script := m[2]; script != "" {
				document(t, "cmd/curfew/testdata/"+script+".txtar")
			}
		}
		for _, m := range regexp.MustCompile("`((?:auth|cmd|ui|keystore|assets|\\.ci)/[\\w./]*)`").FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, m := range regexp.MustCompile(`(?m)(?:^|\x60)make (\S+?)[\x60 ]`).FindAllStringSubmatch(text, -1) {
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s names make %s, which there is not", name, m[1])
			}
		}
	}
}

// TestNewcomer follows CONTRIBUTING.md: it adds the provider, the tool and a
// language as printed there. It then runs the tests that must prove it.
func TestNewcomer(t *testing.T) {
	if os.Getenv("CURFEW_TEST_ALL") == "" {
		t.Skip("compiles packages a second time: CURFEW_TEST_ALL=1")
	}
	text := document(t, "CONTRIBUTING.md")
	block := func(heading, language string, n int) string {
		_, part, _ := strings.Cut(text, "\n## "+heading+"\n")
		parts := strings.Split(part, "\n```"+language+"\n")
		if len(parts) <= n {
			t.Fatalf("%s has no %s block %d", heading, language, n)
		}
		code, _, _ := strings.Cut(parts[n], "\n```")
		if strings.Count(code, "\n") > 9 {
			t.Errorf("%s takes more than ten lines:\n%s", heading, code)
		}
		return code + "\n"
	}
	dir, files := t.TempDir(), map[string]string{}
	change := func(path, old, replacement string) {
		original := document(t, path)
		if strings.Count(original, old) != 1 {
			t.Fatalf("%s has %q %d times", path, old, strings.Count(original, old))
		}
		files[path] = strings.Replace(original, old, replacement, 1)
	}
	files["auth/oauth/providers.toml"] = document(t, "auth/oauth/providers.toml") + "\n" + block("Add a provider", "toml", 1)
	const head = "var StandIns = []StandIn{\n"
	change("auth/oauth/standin/standin.go", head, head+block("Add a provider", "go", 1))
	change("auth/oauth/provider_test.go", " orcid`)", " orcid example`)")
	const dialects = "var dialects = map[string]dialect{\n"
	change("ui/tools/dialects.go", dialects, dialects+block("Add a tool", "go", 1))
	files["ui/tools/tools_test.go"] = document(t, "ui/tools/tools_test.go") + "\n" + block("Add a tool", "go", 2)
	files["ui/status/lang/it.json"] = strings.Replace(document(t, "ui/status/lang/de.json"), `"Deutsch"`, `"Italiano"`, 1)

	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for path, content := range files {
		path, err := filepath.Abs(filepath.Join("..", path))
		if err != nil {
			t.Fatal(err)
		}
		overlay.Replace[path] = filepath.Join(dir, strings.ReplaceAll(filepath.Base(path), "_test.go", ".test"))
		if err := os.WriteFile(overlay.Replace[path], []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := json.Marshal(overlay)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overlay.json"), list, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("go", "test", "-v", "-overlay", filepath.Join(dir, "overlay.json"), "-run",
		"^(TestPresets|TestStandIns|TestHeader|TestEveryWordIsTranslated|TestPlurals|TestSetLanguage)$", "./auth/oauth/...", "./ui/tools", "./ui/status")
	c.Dir = ".."
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, want := range []string{"--- PASS: TestStandIns/example ", "--- PASS: TestPresets/example ", "--- PASS: TestHeader ", "--- PASS: TestEveryWordIsTranslated "} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q was not printed", want)
		}
	}
}
