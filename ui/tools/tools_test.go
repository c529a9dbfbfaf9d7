package tools

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/auth"
	"curfew/ui/terminal"
)

// fakeAgent has three accounts with these hosts. None of "gone" is signed in.
type fakeAgent struct {
	hosts map[string][]string
	token string
	asked []string // for tokens of these accounts
}

func (f *fakeAgent) Accounts(context.Context) ([]auth.Snapshot, error) {
	var all []auth.Snapshot
	for _, name := range slices.Sorted(maps.Keys(f.hosts)) {
		all = append(all, auth.Snapshot{Name: name, Hosts: f.hosts[name]})
	}
	return all, nil
}

func (f *fakeAgent) RequestToken(_ context.Context, name string, _ auth.TokenRequest) (auth.Token, error) {
	f.asked = append(f.asked, name)
	if _, ok := f.hosts[name]; !ok {
		return auth.Token{}, auth.Fail(auth.KindUnknown, auth.Words("there is no account "+name), auth.Text{})
	}
	if name == "gone" {
		return auth.Token{}, auth.Fail(auth.KindSignInNeeded, auth.Words("gone is not signed in"), auth.Words("sign in with: curfew login gone"))
	}
	return auth.Token{AccessToken: auth.NewSecret(f.token), ExpiresAt: expiry, ExpiresIn: 15 * time.Minute}, nil
}

var expiry = time.Date(2026, 11, 2, 9, 15, 0, 0, time.UTC)

func usual() *fakeAgent {
	return &fakeAgent{token: "secret", hosts: map[string][]string{
		"gone": {"gone.example"},
		"home": {"both.example", "home.example:8443", "127.0.0.1:80"},
		"work": {"both.example", "Work.example", "[::1]:8080"},
	}}
}

// ask runs a helper.
func ask(agent Agent, tool, account, stdin string, env map[string]string, args ...string) (string, error) {
	var out strings.Builder
	err := Help(context.Background(), agent, tool, Call{
		Account: account, Args: args, Stdin: strings.NewReader(stdin), Stdout: &out,
		Env: func(name string) string { return env[name] },
	})
	return out.String(), err
}

func code(err error) terminal.Code { return terminal.Report(io.Discard, err) }

// TestHosts: who gets a token is decided by the host alone.
func TestHosts(t *testing.T) {
	for _, test := range []struct {
		address, named string
		want           string // the account; else the exit code says why not
		code           terminal.Code
	}{
		{address: "https://work.example/a.git", want: "work"},
		{address: "https://WORK.example:443", want: "work"},
		{address: "work.example", want: "work"},
		{address: "work.example:443", want: "work"},
		{address: "sparse://work.example"},
		{address: "https://work.example:8443"},
		{address: "https://work.example.evil.example"},
		{address: "https://evil.example/work.example"},
		{address: "https://work.example@evil.example/"},
		{address: "https://sub.work.example"},
		{address: "https://work.example."},
		{address: "https://home.example"},
		{address: "https://home.example:8443/x", want: "home"},
		{address: "http://[::1]:8080/", want: "work"},
		{address: "http://127.0.0.1/", want: "home"},
		{address: "http://work.example/", code: terminal.Refused},
		{address: "http://work.example:443/"},
		{address: "https://"},
		{address: "https://work.example\n.evil"},
		{address: "https://both.example", code: terminal.Usage},
		{address: "https://both.example", named: "home", want: "home"},
		{address: "https://work.example", named: "home", code: terminal.Refused},
		{address: "https://evil.example", named: "work", code: terminal.Refused},
		{code: terminal.Usage},
	} {
		all, _ := usual().Accounts(context.Background())
		got, err := choose(all, test.named, test.address, "")
		if errors.Is(err, errForeign) {
			err = nil
		}
		if got.Name != test.want || code(err) != test.code {
			t.Errorf("%q (%q): %q, %v; want %q, exit code %d", test.address, test.named, got.Name, err, test.want, test.code)
		}
	}
}

func TestGit(t *testing.T) {
	const question = "protocol=https\nhost=%\npath=a/b.git\nwwwauth[]=Basic\nwwwauth[]=Bearer\n\n"
	for _, test := range []struct {
		name, verb, account, stdin string
		want                       string
		code                       terminal.Code
		asked                      int
	}{
		{name: "token", verb: "get", stdin: strings.ReplaceAll(question, "%", "work.example"), want: "username=oauth2\npassword=secret\npassword_expiry_utc=1793610900\n", asked: 1},
		{name: "user", verb: "get", stdin: "protocol=https\nhost=work.example\nusername=ann", want: "username=ann\npassword=secret\npassword_expiry_utc=1793610900\n", asked: 1},
		{name: "foreign", verb: "get", stdin: strings.ReplaceAll(question, "%", "evil.example")},
		{name: "signed out", verb: "get", stdin: strings.ReplaceAll(question, "%", "gone.example"), want: "quit=1\n", code: terminal.SignInNeeded, asked: 1},
		{name: "store", verb: "store", stdin: strings.ReplaceAll(question, "%", "work.example")},
		{name: "erase", verb: "erase", stdin: strings.ReplaceAll(question, "%", "work.example")},
		{name: "two hosts", verb: "get", stdin: "protocol=https\nhost=evil.example\nhost=work.example\n", want: "quit=1\n", code: terminal.Usage},
		{name: "carriage return", verb: "get", stdin: "protocol=https\r\nhost=work.example\r\n", want: "quit=1\n", code: terminal.Usage},
		{name: "zero", verb: "get", stdin: "protocol=https\nhost=work.example\nusername=a\x00b\n", want: "quit=1\n", code: terminal.Usage},
		{name: "no pairs", verb: "get", stdin: "work.example\n", want: "quit=1\n", code: terminal.Usage},
		{name: "nothing", verb: "get"},
	} {
		t.Run(test.name, func(t *testing.T) {
			agent := usual()
			got, err := ask(agent, "git", test.account, test.stdin, nil, test.verb)
			if got != test.want || code(err) != test.code || len(agent.asked) != test.asked {
				t.Errorf("%q, %v, %d questions; want %q, exit code %d, %d", got, err, len(agent.asked), test.want, test.code, test.asked)
			}
		})
	}
}

// TestDialects: what each tool reads for a token, for a host that is nobody's,
// and when a sign-in is needed.
func TestDialects(t *testing.T) {
	cargo := `{"v":1,"registry":{"index-url":"sparse+https://HOST/index/","headers":[]},"kind":"get","operation":"read","args":[]}` + "\n"
	for _, test := range []struct {
		tool, stdin string
		args        string
		env         map[string]string
		want        string
		foreign     string
		foreignCode terminal.Code
		refused     string
	}{
		{
			tool: "bazel", stdin: `{"uri":"https://HOST/x"}`, args: "get",
			want:    `{"headers":{"Authorization":["Bearer secret"]},"expires":"2026-11-02T09:14:50Z"}`,
			foreign: `{"headers":{}}`,
		},
		{
			tool: "cargo", stdin: cargo, args: "--cargo-plugin",
			want:    `{"v":[1]}` + "\n" + `{"Ok":{"kind":"get","token":"Bearer secret","cache":"expires","expiration":1793610890,"operation_independent":true}}`,
			foreign: `{"v":[1]}` + "\n" + `{"Err":{"kind":"url-not-supported"}}`,
			refused: `{"v":[1]}` + "\n" + `{"Err":{"caused-by":[],"kind":"other","message":"curfew: gone is not signed in (sign in with: curfew login gone)"}}`,
		},
		{
			tool: "docker", stdin: "HOST\n", args: "get",
			want:    `{"ServerURL":"HOST","Username":"oauth2","Secret":"secret"}`,
			foreign: "credentials not found in native keychain", foreignCode: terminal.Failed,
			refused: "curfew: gone is not signed in (sign in with: curfew login gone)",
		},
		{tool: "go", args: "https://HOST/example.com/m", want: "https://HOST\n\nAuthorization: Bearer secret\n"},
		{
			tool: "kubectl", env: map[string]string{"KUBERNETES_EXEC_INFO": `{"apiVersion":"client.authentication.k8s.io/v1beta1","spec":{"cluster":{"server":"https://HOST"}}}`},
			want: `{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","status":{"token":"secret","expirationTimestamp":"2026-11-02T09:14:50Z"}}`,
		},
		{tool: "netrc", args: "HOST", want: "machine HOST login oauth2 password secret", foreignCode: terminal.Usage},
		{tool: "pip", args: "get https://HOST/simple/ ann", want: "secret", foreignCode: terminal.Failed},
		{tool: "pip", args: "--mode creds get https://HOST/simple/", want: "oauth2\nsecret", foreignCode: terminal.Failed},
		{tool: "terraform", args: "get HOST", want: `{"token":"secret"}`, foreign: "{}"},
	} {
		t.Run(test.tool, func(t *testing.T) {
			refused := terminal.SignInNeeded
			if test.tool == "cargo" { // which reads no answer of a program that fails
				refused = terminal.OK
			}
			for _, c := range []struct {
				host, want string
				code       terminal.Code
			}{{"work.example", test.want, terminal.OK}, {"evil.example", test.foreign, test.foreignCode}, {"gone.example", test.refused, refused}} {
				fill := strings.NewReplacer("HOST", c.host)
				env := maps.Clone(test.env)
				for name, value := range env {
					env[name] = fill.Replace(value)
				}
				got, err := ask(usual(), test.tool, "", fill.Replace(test.stdin), env, strings.Fields(fill.Replace(test.args))...)
				if strings.TrimSuffix(got, "\n") != fill.Replace(c.want) || code(err) != c.code {
					t.Errorf("%s: %q, %v; want %q, exit code %d", c.host, got, err, fill.Replace(c.want), c.code)
				}
			}
		})
	}
}

// TestNamed: protocols that name no host want an account.
func TestNamed(t *testing.T) {
	google := map[string]string{"GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE": "urn:ietf:params:oauth:token-type:id_token"}
	for _, test := range []struct{ tool, account, args, want string }{
		{"npm", "work", "", "Bearer secret"},
		{"npm", "", "", ""},
		{"mail", "work", "", "secret"},
		{"mail", "work", "xoauth2 ann@example.com", "dXNlcj1hbm5AZXhhbXBsZS5jb20BYXV0aD1CZWFyZXIgc2VjcmV0AQE="},
		{"mail", "work", "oauthbearer ann@example.com", "bixhPWFubkBleGFtcGxlLmNvbSwBYXV0aD1CZWFyZXIgc2VjcmV0AQE="},
		{"mail", "work", "oauthbearer ann,x=1", ""},
		{"mail", "work", "plain ann", ""},
		{"kubectl", "work", "", `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"secret","expirationTimestamp":"2026-11-02T09:14:50Z"}}`},
		{"google", "work", "", `{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:id_token","id_token":"secret","expiration_time":1793610890}`},
		{"google", "gone", "", `{"code":"SIGN_IN_NEEDED","message":"curfew: gone is not signed in (sign in with: curfew login gone)","success":false,"version":1}`},
	} {
		got, err := ask(usual(), test.tool, test.account, "", google, strings.Fields(test.args)...)
		if strings.TrimSuffix(got, "\n") != test.want || (err != nil) != (test.want == "" || test.account == "gone") {
			t.Errorf("%s %s: %q, %v; want %q", test.tool, test.args, got, err, test.want)
		}
	}
}

// TestStores: tools that would keep or delete a password learn that there is none.
func TestStores(t *testing.T) {
	for line, want := range map[string]terminal.Code{
		"docker store": terminal.Usage, "docker erase": terminal.OK, "docker list": terminal.OK, "pip set a b": terminal.Usage, "pip": terminal.Usage,
		"terraform store a": terminal.Usage, "bazel put": terminal.Usage, "go": terminal.OK, "git store": terminal.OK, "pip get work.example ann": terminal.Failed,
		"netrc": terminal.Usage, "nothing": terminal.Usage,
	} {
		agent, words := usual(), strings.Fields(line)
		if _, err := ask(agent, words[0], "", "{}", nil, words[1:]...); code(err) != want || len(agent.asked) > 0 {
			t.Errorf("%s: %v, %v; want exit code %d", line, err, agent.asked, want)
		}
	}
}

// TestLeftOut: a request that leaves its host out gets no token, even if there is
// one account only.
func TestLeftOut(t *testing.T) {
	for _, test := range []struct{ tool, stdin, args string }{
		{"bazel", "{}", "get"}, {"cargo", `{"kind":"get"}` + "\n", ""}, {"docker", "\n", "get"}, {"git", "\n", "get"},
	} {
		agent := &fakeAgent{hosts: map[string][]string{"work": {"work.example"}}, token: "secret"}
		got, _ := ask(agent, test.tool, "", test.stdin, nil, strings.Fields(test.args)...)
		if len(agent.asked) > 0 || strings.Contains(got, "secret") {
			t.Errorf("%s: %q, %v", test.tool, got, agent.asked)
		}
	}
}

// TestStrangeToken: no tool gets a token that would end a line or begin another
// field.
func TestStrangeToken(t *testing.T) {
	for _, token := range []string{"a\nhost=evil", "a\rb", "a\x00b", "a b", "ä"} {
		agent := usual()
		agent.token = token
		if got, err := ask(agent, "git", "", "protocol=https\nhost=work.example\n", nil, "get"); got != "quit=1\n" || err == nil {
			t.Errorf("%q: %q, %v", token, got, err)
		}
	}
}

func TestArguments(t *testing.T) {
	for line, want := range map[string]string{
		"curfew token work":                        "token work",
		"/usr/bin/curfew helper git get":           "helper git get",
		"/usr/bin/git-credential-curfew get":       "helper git get",
		"git-credential-curfew-work get":           "helper git --account work get",
		`C:\bin\git-credential-curfew.exe get`:     "helper git get",
		"curfew-git get":                           "helper git get",
		"/home/ann/bin/curfew-git-work-2 get":      "helper git --account work-2 get",
		"cargo-credential-curfew --cargo-plugin":   "helper cargo -- --cargo-plugin",
		"git-credential-curfew --account work get": "helper git --account work get",
		"curfew-gitx get":                          "get",
		"git-credential-curfew- get":               "get",
	} {
		got := strings.Join(Arguments(strings.Fields(strings.ReplaceAll(line, `\`, "/"))), " ")
		if got != want {
			t.Errorf("%s: %s; want %s", line, got, want)
		}
	}
}
