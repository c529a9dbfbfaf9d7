package assets

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
)

// TestSignInPages: each page stands alone. Its policy allows its own style and
// script by their hashes and nothing else, and it refers to nothing outside.
func TestSignInPages(t *testing.T) {
	seen := map[string]bool{}
	for title, page := range map[string]Page{
		"You are signed in": SignInDone, "Access was not granted": SignInDenied,
		"The sign-in did not work": SignInFailed, "This sign-in is over": SignInExpired,
	} {
		body := string(page.Body)
		if !strings.Contains(body, "<h1>"+title+"</h1>") || seen[body] {
			t.Errorf("%s is not on its page", title)
		}
		seen[body] = true
		var want strings.Builder
		want.WriteString("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		for _, element := range []string{"style", "script"} {
			_, rest, _ := strings.Cut(body, "<"+element+">")
			content, _, _ := strings.Cut(rest, "</"+element+">")
			hash := sha256.Sum256([]byte(content))
			want.WriteString("; " + element + "-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'")
			if strings.Count(body, "<"+element) != 1 || content == "" {
				t.Errorf("%s: not exactly one %s", title, element)
			}
		}
		if page.Policy != want.String() {
			t.Errorf("%s: policy %s", title, page.Policy)
		}
		if found := regexp.MustCompile(`(?i)https?:|//[a-z]|src=|href=|url\(|@import|style=|\son[a-z]+=|ZgotmplZ`).FindString(body); found != "" {
			t.Errorf("%s: has %q", title, found)
		}
	}
}
