package pages

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
		"The sign-in did not work": SignInFailed, "This sign-in has ended": SignInExpired,
		"Die Anmeldung ist gelungen": SignInDone.For("de"), "Der Zugriff wurde nicht erlaubt": SignInDenied.For("de"),
		"Die Anmeldung ist gescheitert": SignInFailed.For("de"), "Diese Anmeldung ist vorbei": SignInExpired.For("de"),
		"Another browser started this sign-in": SignInElsewhere, "Diese Anmeldung begann in einem anderen Browser": SignInElsewhere.For("de"),
		"The server answered with an error: access_denied": SignInUnclaimed("access_denied"), "The server answered with an error": SignInUnclaimed("<b>"), "Die Antwort des Servers ist unvollständig": SignInUnclaimed("").For("de"),
		"Der Server hat mit einem Fehler geantwortet: access_denied": SignInUnclaimed("access_denied").For("de"),
	} {
		body := string(page.Body())
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
		if page.Policy() != want.String() {
			t.Errorf("%s: policy %s", title, page.Policy())
		}
		if found := regexp.MustCompile(`(?i)https?:|//[a-z]|src=|href=|url\(|@import|style=|\son[a-z]+=|ZgotmplZ`).FindString(body); found != "" {
			t.Errorf("%s: has %q", title, found)
		}
	}
}

// TestSignInPageLanguage: a browser gets the page in the language that it
// likes best of those there are.
func TestSignInPageLanguage(t *testing.T) {
	for accept, want := range map[string]string{
		"": "en", "en-GB,en;q=0.9": "en", "fr": "en", "*": "en", "de": "de", "DE-at": "de", "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7": "de",
		"en;q=0.5, de;q=0.6": "de", "fr, de;q=0.3": "de", "de;q=0, en;q=0.1": "en", "de;q=x": "en", "de;q=NaN": "en", "en,de": "en", "de,en": "de", ";;,": "en", "dex": "en",
	} {
		if body := string(SignInDone.For(accept).Body()); !strings.Contains(body, `<html lang="`+want+`"`) {
			t.Errorf("Accept-Language %q: not the page in %s", accept, want)
		}
	}
}
