// Package pages has the web pages that a browser is shown at the end of a
// sign-in. A page is rendered only on request, so a program that shows none
// does no work for them.
package pages

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Page is a web page for the loopback listener, in one language or several.
// Its text is fixed: nothing of a request or of a server is ever in it.
type Page struct {
	kind string
	text words
	more []words // the same in other languages
}

// The pages on which a browser ends after a sign-in, in English; see [Page.For].
var (
	SignInDone = Page{"done", words{"en", "You are signed in",
		"You can close this tab. Curfew keeps the session from here on."},
		[]words{{"de", "Die Anmeldung ist gelungen",
			"Dieser Tab kann geschlossen werden. Ab hier verwahrt Curfew die Sitzung."}}}
	SignInDenied = Page{"denied", words{"en", "Access was not granted",
		"Nothing has been saved. To try again, start the sign-in from Curfew."},
		[]words{{"de", "Der Zugriff wurde nicht erlaubt",
			"Nichts wurde gespeichert. Für einen neuen Versuch die Anmeldung in Curfew noch einmal beginnen."}}}
	SignInFailed = Page{"failed", words{"en", "The sign-in did not work",
		"Curfew shows what went wrong. You can close this tab and start the sign-in again from there."},
		[]words{{"de", "Die Anmeldung ist gescheitert",
			"Curfew zeigt den Grund. Dieser Tab kann geschlossen und die Anmeldung dort neu begonnen werden."}}}
	SignInExpired = Page{"expired", words{"en", "This sign-in has ended",
		"It expired, was cancelled, or was replaced by a newer one. Go back to Curfew and start it again."},
		[]words{{"de", "Diese Anmeldung ist vorbei",
			"Sie ist abgelaufen, wurde abgebrochen oder durch eine neuere ersetzt. In Curfew lässt sie sich neu beginnen."}}}
)

// SignInElsewhere is for an answer that came by another browser than the one
// that was opened for it, or by one that keeps no cookies.
var SignInElsewhere = Page{"failed", words{"en", "Another browser started this sign-in",
	"Finish it in the browser that Curfew opened. If this is it, allow cookies for this address, and start again from Curfew. To use another one, start again from Curfew and open the address that it shows."},
	[]words{{"de", "Diese Anmeldung begann in einem anderen Browser",
		"Sie lässt sich nur in dem Browser beenden, den Curfew geöffnet hat. Ist es dieser, Cookies für diese Adresse erlauben und in Curfew neu beginnen. Für einen anderen in Curfew neu beginnen und die angezeigte Adresse öffnen."}}}

// codes are those that SignInUnclaimed names: of RFC 6749 section 4.1.2.1 and
// OIDC Core section 3.1.2.6.
var codes = []string{"access_denied", "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope",
	"server_error", "temporarily_unavailable", "interaction_required", "login_required", "account_selection_required", "consent_required"}

// SignInUnclaimed is for an answer that a server sent without saying for which
// sign-in. It names the code of an error if that is a known one, and nothing else
// of the answer, which anybody can have sent.
func SignInUnclaimed(code string) Page {
	en, de := "The server answered with an error", "Der Server hat mit einem Fehler geantwortet"
	if code == "" {
		en, de = "The server's answer is incomplete", "Die Antwort des Servers ist unvollständig"
	} else if slices.Contains(codes, code) {
		en, de = en+": "+code, de+": "+code
	}
	return Page{"denied", words{"en", en, "It did not say to which sign-in this belongs, so Curfew goes on waiting. To stop, cancel the sign-in in Curfew."},
		[]words{{"de", de, "Er hat nicht gesagt, zu welcher Anmeldung das gehört; Curfew wartet weiter. Abbrechen lässt sich die Anmeldung in Curfew."}}}
}

// For returns the page in the language that a browser asks for by its
// Accept-Language header (RFC 9110 section 12.5.4), in English when it asks
// for none that there is.
func (p Page) For(accept string) Page {
	best, most := p, 0.0
	for part := range strings.SplitSeq(accept, ",") {
		tag, rest, _ := strings.Cut(strings.TrimSpace(part), ";")
		quality := 1.0
		if q, ok := strings.CutPrefix(strings.ReplaceAll(rest, " ", ""), "q="); ok {
			quality, _ = strconv.ParseFloat(q, 64) // nonsense is 0: not wanted
		}
		code, _, _ := strings.Cut(tag, "-")
		for _, text := range append([]words{p.text}, p.more...) {
			if strings.EqualFold(code, text.Language) && quality > most {
				best, most = Page{p.kind, text, nil}, quality
			}
		}
	}
	return best
}

//go:embed sign-in.html
var signInHTML string

// inline finds the page's one style and one script, which the policy allows by
// their hashes.
var inline = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?s)<(style|script)>(.*?)</`)
})

// words are the text of a page in one language.
type words struct{ Language, Title, Text string }

// Body is the page, HTML in UTF-8. It is not made by html/template, whose calls by
// name would make the linker keep every method of every type of the agent.
func (p Page) Body() []byte {
	return []byte(strings.NewReplacer("{{.Kind}}", p.kind, "{{.Language}}", p.text.Language,
		"{{.Title}}", html.EscapeString(p.text.Title), "{{.Text}}", html.EscapeString(p.text.Text)).Replace(signInHTML))
}

// Policy is the page's Content-Security-Policy.
func (p Page) Policy() string {
	var policy strings.Builder
	policy.WriteString("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	for _, found := range inline().FindAllSubmatch(p.Body(), -1) {
		hash := sha256.Sum256(found[2])
		fmt.Fprintf(&policy, "; %s-src 'sha256-%s'", found[1], base64.StdEncoding.EncodeToString(hash[:]))
	}
	return policy.String()
}
