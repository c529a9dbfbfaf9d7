package shots

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Golden compares got with the file at path, which has the right text. With
// update it writes got to the file instead.
func Golden(t testing.TB, update bool, path, got string) {
	t.Helper()
	if update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (-args -update writes it)", err)
	}
	if got != string(want) {
		t.Errorf("%s has changed (-args -update takes it as right):\n%s", path, firstDifference(string(want), got))
	}
}

// firstDifference is the first lines in which two texts differ.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		if i >= len(w) || i >= len(g) || w[i] != g[i] {
			part := func(lines []string) string {
				return strings.Join(lines[min(i, len(lines)):min(i+4, len(lines))], "\n      ")
			}
			return fmt.Sprintf("line %d\nwas   %s\nis    %s", i+1, part(w), part(g))
		}
	}
	return "only in how it ends"
}
