package auth

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	for _, test := range []struct{ typed, known, want string }{
		{"gogle", "github google gitlab", "google"},
		{"gitlb", "gitea github gitlab", "gitlab"}, // the first is two letters away
		{"stauts", "start status", "status"},
		{"Google", "google", "google"},
		{"huggi", "zoom huggingface", "huggingface"},
		{"nobody", "google zoom", ""},
		{"x", "go npm", ""},
		{"gti", "git go pip", "git"},
		{"", "git go", ""},
		{strings.Repeat("x", 1000), "git", ""},
		{"käse", "kase", "kase"},
	} {
		if got := Nearest(test.typed, strings.Fields(test.known)); got != test.want {
			t.Errorf("%q of %s: %q, want %q", test.typed, test.known, got, test.want)
		}
	}
}
