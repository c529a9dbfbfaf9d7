package tools

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"curfew/auth"
)

// dialects are the protocols, by the names that `curfew helper` knows them by.
// Every command makes this table at its start, so it holds no work.
var dialects = map[string]dialect{
	"bazel":     {read: readBazel, answer: answerBazel, foreign: `{"headers":{}}` + "\n"},
	"cargo":     {hello: `{"v":[1]}` + "\n", read: readCargo, answer: answerCargo, refuse: refuseCargo, quiet: true, foreign: `{"Err":{"kind":"url-not-supported"}}` + "\n"},
	"docker":    {read: readDocker, answer: answerDocker, refuse: func(_ question, e *auth.Error) string { return words(e) + "\n" }, foreign: "credentials not found in native keychain\n", denies: true},
	"git":       {read: readGit, answer: answerGit, refuse: func(question, *auth.Error) string { return "quit=1\n" }},
	"go":        {read: readGo, answer: answerGo, hides: true},
	"google":    {read: readGoogle, answer: answerGoogle, refuse: refuseGoogle},
	"kubectl":   {read: readKubectl, answer: answerKubectl},
	"mail":      {read: readMail, answer: answerMail, hides: true},
	"netrc":     {read: readNetrc, answer: answerNetrc, tells: true},
	"npm":       {read: readNothing, answer: func(g grant) string { return "Bearer " + g.Value().Reveal() + "\n" }, hides: true},
	"pip":       {read: readKeyring, answer: answerKeyring, denies: true},
	"terraform": {read: readTerraform, answer: func(g grant) string { return line(map[string]string{"token": g.Value().Reveal()}) }, foreign: "{}\n", hides: true},
}

// noHost is the address in a request that leaves it out, though its protocol
// wants one. No account has it.
const noHost = "none://"

// badRequest is what a tool gets that does not speak its own protocol.
func badRequest(what string) error {
	return &auth.Error{Kind: auth.KindBadRequest, Message: "invalid request: " + what}
}

// done is what read returns for a request that needs no token.
func done(answer string) (question, error) {
	return question{more: map[string]string{"answer": answer}}, errNotForUs
}

// unasked is for what a tool may do with its own store of passwords.
func unasked(verb string) (question, error) {
	return question{}, &auth.Error{Kind: auth.KindBadRequest, Message: fmt.Sprintf("there is nothing to %s: Curfew keeps no passwords", cmp.Or(verb, "do")), Hint: "sign in with: curfew login NAME"}
}

// line is an answer in JSON.
func line(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return ""
	}
	return b.String()
}

// words are what e says, on one line.
func words(e *auth.Error) string {
	if e.Hint == "" {
		return "curfew: " + e.Message
	}
	return "curfew: " + e.Message + " (" + e.Hint + ")"
}

// until is when a tool that keeps the token should ask again: a little before
// the token ends, since what it is used for takes time. It is zero when nobody
// knows.
func (g grant) until() time.Time {
	if g.ExpiresAt.IsZero() {
		return time.Time{}
	}
	return g.ExpiresAt.Add(-min(10*time.Second, g.ExpiresIn/2)).UTC().Truncate(time.Second)
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
	text := fmt.Sprintf("username=%s\npassword=%s\n", userName(g), g.Value().Reveal())
	if !g.ExpiresAt.IsZero() {
		text += fmt.Sprintf("password_expiry_utc=%d\n", g.ExpiresAt.Unix())
	}
	return text
}

// readDocker: the protocol of docker-credential-helpers.
func readDocker(in *input) (question, error) {
	text, err := io.ReadAll(in.stdin)
	if err != nil {
		return question{}, err
	}
	switch in.arg(0) {
	case "get":
		server := strings.TrimSpace(string(text))
		return question{address: cmp.Or(server, noHost), more: map[string]string{"server": server}}, nil
	case "list":
		return done("{}\n")
	case "erase":
		return done("")
	}
	return unasked(in.arg(0))
}

func answerDocker(g grant) string {
	user := userName(g)
	if g.account.Provider == "google" {
		user = "oauth2accesstoken"
	}
	return line(struct{ ServerURL, Username, Secret string }{g.more["server"], user, g.Value().Reveal()})
}

// readKubectl reads the ExecCredential in kubectl's environment, which names
// the cluster only when the configuration says provideClusterInfo.
func readKubectl(in *input) (question, error) {
	var info struct {
		APIVersion string `json:"apiVersion"`
		Spec       struct {
			Cluster struct {
				Server string `json:"server"`
			} `json:"cluster"`
		} `json:"spec"`
	}
	if text := in.env("KUBERNETES_EXEC_INFO"); text != "" && json.Unmarshal([]byte(text), &info) != nil {
		return question{}, badRequest("KUBERNETES_EXEC_INFO is not JSON")
	}
	return question{address: info.Spec.Cluster.Server, more: map[string]string{"version": cmp.Or(info.APIVersion, "client.authentication.k8s.io/v1")}}, nil
}

func answerKubectl(g grant) string {
	type status struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expirationTimestamp,omitzero"`
	}
	return line(struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Status     status `json:"status"`
	}{g.more["version"], "ExecCredential", status{g.Value().Reveal(), g.until()}})
}

// readGo: see `go help goauth`. Before its first request Go names no URL.
func readGo(in *input) (question, error) {
	if in.arg(0) == "" {
		return done("")
	}
	return question{address: in.arg(0)}, nil
}

func answerGo(g grant) string {
	u, err := url.Parse(g.address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + "\n\nAuthorization: Bearer " + g.Value().Reveal() + "\n\n"
}

// readCargo: https://doc.rust-lang.org/cargo/reference/credential-provider-protocol.html.
func readCargo(in *input) (question, error) {
	text, _ := in.stdin.ReadString('\n')
	var request struct {
		Kind     string `json:"kind"`
		Registry struct {
			URL string `json:"index-url"`
		} `json:"registry"`
	}
	if json.Unmarshal([]byte(text), &request) != nil {
		return question{}, badRequest("cargo's request is not JSON")
	}
	if request.Kind != "get" {
		return done(cargoError("operation-not-supported"))
	}
	return question{address: cmp.Or(strings.TrimPrefix(request.Registry.URL, "sparse+"), noHost)}, nil
}

func answerCargo(g grant) string {
	type ok struct {
		Kind        string `json:"kind"`
		Token       string `json:"token"`
		Cache       string `json:"cache"`
		Expiration  int64  `json:"expiration,omitempty"`
		Independent bool   `json:"operation_independent"`
	}
	answer := ok{"get", "Bearer " + g.Value().Reveal(), "never", 0, true}
	if end := g.until(); !end.IsZero() {
		answer.Cache, answer.Expiration = "expires", end.Unix()
	}
	return line(map[string]ok{"Ok": answer})
}

func refuseCargo(_ question, e *auth.Error) string {
	return line(map[string]any{"Err": map[string]any{"kind": "other", "message": words(e), "caused-by": []string{}}})
}

func cargoError(kind string) string {
	return line(map[string]any{"Err": map[string]string{"kind": kind}})
}

// readKeyring: the arguments of Python's keyring. After a URL, pip asks again for the host alone, from which one cannot
// tell whether the connection is encrypted.
func readKeyring(in *input) (question, error) {
	args := in.args
	q := question{more: map[string]string{}}
	for len(args) > 1 && strings.HasPrefix(args[0], "-") {
		if args[0] == "--mode" {
			q.more["mode"], args = args[1], args[1:]
		}
		args = args[1:]
	}
	if len(args) < 2 || args[0] != "get" {
		return unasked(append(args, "")[0])
	}
	if !strings.Contains(args[1], "://") {
		return q, errForeign
	}
	q.address = args[1]
	if len(args) > 2 {
		q.user = args[2]
	}
	return q, nil
}

func answerKeyring(g grant) string {
	if g.more["mode"] == "creds" {
		return userName(g) + "\n" + g.Value().Reveal() + "\n"
	}
	return g.Value().Reveal() + "\n"
}

// readTerraform: the protocol of Terraform's and OpenTofu's credentials helpers.
func readTerraform(in *input) (question, error) {
	if in.arg(0) != "get" || in.arg(1) == "" {
		return unasked(in.arg(0))
	}
	return question{address: in.arg(1)}, nil
}

// readGoogle: Google's executable-sourced credentials,
// https://google.aip.dev/auth/4117.
func readGoogle(in *input) (question, error) {
	kind := in.env("GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE")
	return question{id: kind == "urn:ietf:params:oauth:token-type:id_token", more: map[string]string{"type": cmp.Or(kind, "urn:ietf:params:oauth:token-type:jwt")}}, nil
}

func answerGoogle(g grant) string {
	return line(struct {
		Version int    `json:"version"`
		Success bool   `json:"success"`
		Type    string `json:"token_type"`
		Token   string `json:"id_token"`
		Expires int64  `json:"expiration_time"`
	}{1, true, g.more["type"], g.Value().Reveal(), max(0, g.until().Unix())})
}

func refuseGoogle(_ question, e *auth.Error) string {
	return line(map[string]any{"version": 1, "success": false, "code": strings.ToUpper(string(e.Kind)), "message": words(e)})
}

// bazelAnswer is what Bazel's and uv's credential helpers print,
// https://github.com/EngFlow/credential-helper-spec.
type bazelAnswer struct {
	Headers map[string][]string `json:"headers"`
	Expires time.Time           `json:"expires,omitzero"`
}

func readBazel(in *input) (question, error) {
	var request struct {
		URI string `json:"uri"`
	}
	if in.arg(0) != "get" {
		return unasked(in.arg(0))
	}
	if json.NewDecoder(in.stdin).Decode(&request) != nil {
		return question{}, badRequest("Bazel's request is not JSON")
	}
	return question{address: cmp.Or(request.URI, noHost)}, nil
}

func answerBazel(g grant) string {
	return line(bazelAnswer{map[string][]string{"Authorization": {"Bearer " + g.Value().Reveal()}}, g.until()})
}

// readMail: most mail programs want the token alone. The others name a SASL
// mechanism and want its whole first response.
func readMail(in *input) (question, error) {
	mechanism, user := strings.ToLower(in.arg(0)), in.arg(1)
	switch {
	case mechanism == "" && len(in.args) == 0:
	case mechanism != "xoauth2" && mechanism != "oauthbearer", !fitsLine(strings.ReplaceAll(user, " ", "")), strings.ContainsAny(user, ",="):
		return question{}, &auth.Error{Kind: auth.KindBadRequest, Message: "a mechanism, xoauth2 or oauthbearer, and a user name are needed", Hint: "for example: curfew helper mail --account NAME xoauth2 ann@example.com"}
	}
	return question{user: user, more: map[string]string{"mechanism": mechanism}}, nil
}

// answerMail: RFC 7628 section 3.1, and Google's older XOAUTH2.
func answerMail(g grant) string {
	token := g.Value().Reveal()
	response := "auth=Bearer " + token + "\x01\x01"
	switch g.more["mechanism"] {
	case "xoauth2":
		response = "user=" + g.user + "\x01" + response
	case "oauthbearer":
		response = "n,a=" + g.user + ",\x01" + response
	default:
		return token + "\n"
	}
	return base64.StdEncoding.EncodeToString([]byte(response)) + "\n"
}

// readNetrc: a line of .netrc for one host, for curl's --netrc-file.
func readNetrc(in *input) (question, error) {
	host := in.arg(0)
	if !fitsLine(host) || strings.Contains(host, "/") {
		return question{}, &auth.Error{Kind: auth.KindBadRequest, Message: "missing host", Hint: "for example: curl --netrc-file <(curfew helper netrc api.example.com) https://api.example.com/me"}
	}
	return question{address: host, more: map[string]string{"host": host}}, nil
}

func answerNetrc(g grant) string {
	host, _, _ := strings.Cut(g.more["host"], ":") // .netrc knows no ports
	return fmt.Sprintf("machine %s login %s password %s\n", host, userName(g), g.Value().Reveal())
}

func readNothing(*input) (question, error) { return question{}, nil }
