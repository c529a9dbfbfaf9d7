package assets

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"regexp"
	"strings"
)

// Page is a finished web page for the loopback listener. Its text is fixed:
// nothing of a request or of a server is ever in it.
type Page struct {
	Body   []byte // HTML in UTF-8
	Policy string // its Content-Security-Policy
}

// The pages on which a browser ends after a sign-in.
var (
	SignInDone = signInPage("done", "You are signed in",
		"You can close this tab. Curfew keeps the session from here on.")
	SignInDenied = signInPage("denied", "Access was not granted",
		"Nothing has been saved. To try again, start the sign-in from Curfew.")
	SignInFailed = signInPage("failed", "The sign-in did not work",
		"Curfew shows what went wrong. You can close this tab and start the sign-in again from there.")
	SignInExpired = signInPage("expired", "This sign-in is over",
		"It ran out, was cancelled, or a newer one has taken its place. Go back to Curfew and start it again.")
)

//go:embed pages/sign-in.html
var signInHTML string

var signInTemplate = template.Must(template.New("sign-in").Parse(signInHTML))

// inline finds the page's one style and one script, which the policy allows by
// their hashes.
var inline = regexp.MustCompile(`(?s)<(style|script)>(.*?)</`)

func signInPage(kind, title, text string) Page {
	var body bytes.Buffer
	err := signInTemplate.Execute(&body, struct{ Kind, Title, Text string }{kind, title, text})
	if err != nil {
		panic(err)
	}
	var policy strings.Builder
	policy.WriteString("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	for _, found := range inline.FindAllSubmatch(body.Bytes(), -1) {
		hash := sha256.Sum256(found[2])
		fmt.Fprintf(&policy, "; %s-src 'sha256-%s'", found[1], base64.StdEncoding.EncodeToString(hash[:]))
	}
	return Page{body.Bytes(), policy.String()}
}
