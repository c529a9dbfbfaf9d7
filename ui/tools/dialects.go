package tools

import (
	"fmt"
	"io"
	"strings"

	"curfew/auth"
)

// dialects are the protocols, by the names that `curfew helper` knows them by.
var dialects = map[string]dialect{
	"git": {read: readGit, answer: answerGit, refuse: func(question, *auth.Error) string { return "quit=1\n" }},
}

// badRequest is what a tool gets that does not speak its own protocol.
func badRequest(what string) error {
	return &auth.Error{Kind: auth.KindBadRequest, Message: "invalid request: " + what}
}

// userName is what servers want to be told in place of a person's name when the
// password is an access token. The others take any name.
func userName(g grant) string {
	switch g.account.Provider {
	case "bitbucket":
		return "x-token-auth"
	case "gitlab":
		return "oauth2"
	}
	if g.user != "" {
		return g.user
	}
	return "oauth2"
}

// readGit reads what git-credential(1) calls the credential description. A
// second host or scheme is how a line break in an address would look.
func readGit(in *input) (question, error) {
	text, err := io.ReadAll(in.stdin)
	if err != nil {
		return question{}, err
	}
	if in.arg(0) != "get" {
		return question{}, errNotForUs
	}
	fields := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(text), "\n"), "\n") {
		key, value, ok := strings.Cut(line, "=")
		switch _, again := fields[key]; {
		case line == "":
			continue
		case !ok || strings.ContainsAny(line, "\r\x00") || again && !strings.HasSuffix(key, "[]"):
			return question{}, badRequest("git's description of a credential has a line too many or a control character")
		}
		fields[key] = value
	}
	return question{address: fields["protocol"] + "://" + fields["host"], user: fields["username"]}, nil
}

func answerGit(g grant) string {
	text := fmt.Sprintf("username=%s\npassword=%s\n", userName(g), g.AccessToken.Reveal())
	if !g.ExpiresAt.IsZero() {
		text += fmt.Sprintf("password_expiry_utc=%d\n", g.ExpiresAt.Unix())
	}
	return text
}
