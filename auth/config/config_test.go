package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf16"

	"curfew/auth"
)

func TestParseSettings(t *testing.T) {
	const text = `
# mine
[limits]
max_age = "14d"
max_refreshes = 10
max_idle = "1d12h"

[desktop]
warnings = "few"

[account.work]
issuer = "https://id.example.com"
client_id = "abc"
scopes = ["openid", "offline_access"]
redirect = "http://127.0.0.1/callback"
refresh = "on-demand"

[account."a.b"]
provider = "spotify"
client_id = "xyz"
client_secret_keychain = true
`
	s, err := parseSettings("config.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if want := (auth.Limits{MaxAge: 14 * 24 * time.Hour, MaxRefreshes: 10, MaxIdle: 36 * time.Hour}); s.Limits != want || s.Warnings != auth.WarnFew {
		t.Errorf("limits: %+v, want %+v; warnings %q", s.Limits, want, s.Warnings)
	}
	want := []auth.Account{
		{Name: "a.b", Provider: "spotify", ClientID: "xyz", ClientSecretKeychain: true},
		{Name: "work", Issuer: "https://id.example.com", ClientID: "abc", Scopes: []string{"openid", "offline_access"}, Redirect: "http://127.0.0.1/callback", Refresh: auth.OnDemand},
	}
	if len(s.Accounts) != 2 || !auth.SameAccount(s.Accounts[0], want[0]) || !auth.SameAccount(s.Accounts[1], want[1]) {
		t.Errorf("accounts: %+v", s.Accounts)
	}
	if s, err := parseSettings("config.toml", nil); err != nil || s.General != (auth.General{Limits: auth.BuiltIn, Warnings: auth.WarnAll}) || len(s.Accounts) != 0 {
		t.Errorf("empty file: %+v, %v", s, err)
	}
}

// Every mistake names the file, the line and what to do.
func TestMistakes(t *testing.T) {
	account := func(lines string) string {
		return "[account.work]\nclient_id = \"abc\"\nissuer = \"https://id.example.com\"\n" + lines
	}
	for _, test := range []struct{ name, text, want, hint string }{
		{"unknown key", account(`isuer = "x"`), `c.toml:4: there is no setting "account.work.isuer"`, "did you mean: issuer"},
		{"unknown table", "[acount.work]\nclient_id = \"abc\"", `c.toml:1: there is no setting "acount`, "did you mean: account"},
		{"newer format", "version = 2\n[limits]\nspan = 3", `c.toml: its format, version 2, is that of a newer Curfew`, "update Curfew"},
		{"no format", "version = 0", `c.toml:1: version must be 1`, ""},

		{"unknown limit", "[limits]\nmax_refresh = 3", `c.toml:2: there is no setting "limits.max_refresh"`, "did you mean: max_refreshes"},
		{"nothing near", "[limits]\ncolour = 3", `c.toml:2:`, "known are: max_age, max_refreshes, max_idle"},
		{"unknown level", "[desktop]\nwarnings = \"fe\"", `c.toml:2: warnings cannot be "fe"`, "known are: all, few, off"},
		{"unknown of the desktop", "[desktop]\nwarning = \"few\"", `c.toml:2: there is no setting "desktop.warning"`, "did you mean: warnings"},
		{"a table of secrets", "[client_secret]\nx = 1", `c.toml:1: there is no setting "client_secret`, "known are: "},
		{"secret in the file", account(`client_secret = "x"`), `c.toml:4: there is no setting "account.work.client_secret"`, "store it in the keychain: `curfew add work"},
		{"unlike any", account(`colour = "x"`), `c.toml:4: there is no setting "account.work.colour"`, "known are: provider, issuer, client_id"},
		{"a name beyond ASCII", "[account.work]\nissuer = \"https://b\u00fccher.example\"\nclient_id = \"x\"\n", "c.toml:2: issuer \"https://b\u00fccher.example\" is not a URL", "xn--"},
		{"an account twice", account("[account.b]\nclient_id = \"x\"\n[account.work]\nissuer = \"https://b.example\"\n[account.c]\n"), "c.toml:6:1: [account.work]: set twice", "keep one of the two"},
		{"a key twice", account("client_id = \"x\"\nfoo = 1\n"), "c.toml:4:1: client_id: set twice", "keep one of the two"},
		{"a table twice", "[limits]\n\n[limits]", "c.toml:3:1: [limits]: set twice", "keep one of the two"},
		{"a list of accounts", "version = 1\n[[account.work]]\nclient_id = \"x\"\n", "c.toml:2:1: [[account.work]]: wrong kind", ""},
		{"a path of Windows", account(`ca_file = "C:\Users\me\ca.pem"`), "c.toml:4:16: ca_file: backslash", "single quotes"},
		{"another path of Windows", account(`ca_file = "C:\ca.pem"`), "c.toml:4:15: ca_file: backslash", "single quotes"},
		{"a no-break space", "[account.work]\nissuer\u00a0= \"https://id.example.com\"\n", "c.toml:2:7: issuer: no-break space", ""},
		{"a huge number", "[limits]\nmax_refreshes = 99999999999999999999", "c.toml:2:17: max_refreshes: wrong kind", ""},
		{"no account", "[account]\nissuer = \"x\"", "c.toml:2:", ""},
		{"syntax", "[account.work\n", "c.toml:1:", "fix that line"},
		{"no quotes", "[account.work]\nissuer = https://id.example.com # ours\n", ": issuer: missing quote", "straight quotes"},
		{"no quotes, like a float", "[account.work]\nclient_id = inform\n", "c.toml:2:13: client_id: wrong kind of value", "in quotes"},
		{"one quote", "[account.work]\nissuer = \"https://id.example.com\r\n", ": issuer: missing quote", "straight quotes"},
		{"the other quote", "[account.work]\nissuer = https://id.example.com'\n", ": issuer: missing quote", "straight quotes"},
		{"curly quotes", "[account.work]\nissuer = “https://id.example.com”\n", ": issuer: missing quote", "straight quotes"},
		{"no quotes in a list", "[account.work]\nscopes = [openid, email]\n", "c.toml:2:11: scopes: missing quote", "in a list, quote each"},
		{"no value", "[account.work]\nissuer =\n", "c.toml:2:9: issuer: missing quote", "quotes"},
		{"no number", "[limits]\nmax_refreshes = ten\n", "c.toml:2:", "fix that line"},
		{"two values", "[account.work]\nissuer = \"a\" b\n", "c.toml:2:", "fix that line"},
		{"type", account("scopes = \"openid\""), "c.toml:4:10: scopes: wrong kind of value", "lists are in [ ]"},
		{"a number for a time span", "[limits]\nmax_age = 14\n", "c.toml:2:11: max_age: wrong kind of value", "in quotes"},
		{"twice", account("[account.work]\n"), "c.toml", ""},
		{"looser age", "[limits]\n\nmax_age = \"31d\"", `c.toml:3: max_age = "31d" is looser than the built-in 30d`, "tightened"},
		{"looser refreshes", "[limits]\nmax_refreshes = 21", `c.toml:2: max_refreshes = 21 is looser than the built-in 20`, "tightened"},
		{"no refreshes", "[limits]\nmax_refreshes = 0", "c.toml:2: max_refreshes = 0 is less than 1", "on-demand"},
		{"bad span", "[limits]\nmax_idle = \"two weeks\"", `c.toml:2: max_idle: "two weeks" is not a time span`, ""},
		{"negative span", "[limits]\nmax_age = \"-3h\"", `c.toml:2: max_age: "-3h" is not a time span`, ""},
		{"bad name", "[account.\"a b\"]\nclient_id = \"abc\"", `c.toml:1: "a b" cannot be the name`, "letters"},
		{"dots only", "[account.\"..\"]\nclient_id = \"abc\"", `c.toml:1: ".." cannot be the name`, "letters"},
		{"flag as name", "[account.-x]\nclient_id = \"abc\"", `c.toml:1: "-x" cannot be the name`, "letters"},
		{"no client", "[account.work]\nissuer = \"https://id.example.com\"", `c.toml:1: account "work" has no client_id`, "register"},
		{"nowhere", "\n[account.work]\nclient_id = \"abc\"", `c.toml:2: account "work" does not say where to sign in`, "issuer"},
		{"unknown provider", account(`provider = "spotifi"`), `c.toml:4: there is no provider "spotifi"`, "curfew providers"},
		{"unlike provider", account(`provider = "x"`), `c.toml:4: there is no provider "x"`, "curfew providers"},
		{"http issuer", "[account.w]\nclient_id = \"x\"\nissuer = \"http://id.example.com\"", `c.toml:3: issuer "http://id.example.com" is not encrypted`, "127.0.0.1"},
		{"http localhost", "[account.w]\nclient_id = \"x\"\nissuer = \"http://localhost:8080\"", "is not encrypted", "127.0.0.1"},
		{"http look-alike", "[account.w]\nclient_id = \"x\"\nissuer = \"http://127.0.0.1.evil.test\"", "is not encrypted", ""},
		{"javascript", account(`authorization_endpoint = "javascript:alert(1)"`), "c.toml:4: authorization_endpoint", "https"},
		{"file", account(`token_endpoint = "file:///etc/passwd"`), "c.toml:4: token_endpoint", ""},
		{"userinfo without a scheme", account(`proxy = "ann:pass@proxy.example.com:3128"`), `proxy "…@proxy.example.com:3128" holds a user name`, ""},
		{"userinfo of a host", account(`hosts = ["ann:pass@git.example.com"]`), `hosts "…@git.example.com" holds a user name`, ""},
		{"userinfo", account(`token_endpoint = "https://a:b@id.example.com"`), "holds a user name", ""},
		{"bare redirect", account(`redirect = "https://app.example.com/cb"`), "c.toml:4: redirect", "127.0.0.1"},
		{"redirect look-alike", account(`redirect = "http://localhost.evil.test/cb"`), "c.toml:4: redirect", ""},
		{"redirect query", account(`redirect = "http://127.0.0.1/cb?x=1"`), "more than a host", ""},
		{"redirect port", account(`redirect = "http://127.0.0.1:99999/cb"`), "no usable port", ""},
		{"mode", account(`refresh = "alway"`), `c.toml:4: refresh cannot be "alway"`, `known are: "in-use", "always", "on-demand"`},
		{"scopes in one", account(`scopes = ["openid profile"]`), `c.toml:4: "openid profile" is not a scope`, "one word"},
		{"client id with newline", "[account.w]\nclient_id = \"a\\nb\"\nissuer = \"https://x.example\"", "c.toml:2: client_id", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseSettings("c.toml", []byte(test.text))
			e, ok := errors.AsType[*auth.Error](err)
			if !ok {
				t.Fatalf("error %v is no *Error", err)
			}
			if e.Kind != auth.KindBadRequest || !strings.Contains(e.Message, test.want) || !strings.Contains(e.Hint, test.hint) {
				t.Errorf("got  %s: %q, hint %q\nwant %q, hint %q", e.Kind, e.Message, e.Hint, test.want, test.hint)
			}
			if strings.ContainsAny(e.Message+e.Hint, "\n\r") {
				t.Errorf("more than one line: %q", e.Message)
			}
		})
	}
}

func TestGoodURLs(t *testing.T) {
	for _, a := range []auth.Account{
		{Name: "a", Issuer: "http://127.0.0.1:8080", ClientID: "x"},
		{Name: "a", Issuer: "http://[::1]:8080/realm", ClientID: "x"},
		{Name: "a", Issuer: "https://id.example.com/realms/a", ClientID: "x", Redirect: "http://localhost:8888/cb"},
		{Name: "a", Issuer: "https://id.example.com", ClientID: "x", Redirect: "http://[::1]/cb"},
		{Name: "a", AuthorizationEndpoint: "https://a.example/authorize?p=1", TokenEndpoint: "https://a.example/token", ClientID: "x"},
		{Name: strings.Repeat("n", 64), Provider: "spotify", ClientID: "x", Refresh: auth.Always},
	} {
		if err := CheckAccount(a); err != nil {
			t.Errorf("%+v: %v", a, err)
		}
	}
	if err := CheckAccount(auth.Account{Name: strings.Repeat("n", 65), Provider: "spotify", ClientID: "x"}); err == nil {
		t.Error("a name of 65 letters passes")
	}
}

const commented = `# Curfew of Ann

[limits]
max_refreshes = 12   # I am careful

# the day job
[account.work]   # since May
issuer = "https://id.example.com"
client_id = "abc" # public
scopes = [
  "openid", # who
  # "email",
  "offline_access",
]
# refresh = "always"

# music
[account.music]
provider = "spotify"
client_id = "xyz"
`

// Adding and removing leave what a person wrote.
func TestEdit(t *testing.T) {
	added := auth.Account{Name: "new.one", Issuer: "https://x.example", ClientID: "c", Scopes: []string{"a", "b"}}
	for _, test := range []struct {
		name, before string
		edit         func(path string) error
		after        string
	}{
		{"add to nothing", "", save(added), "[account.\"new.one\"]\nissuer = 'https://x.example'\nclient_id = 'c'\nscopes = ['a', 'b']\n"},
		{"add", commented, save(added), commented + "\n[account.\"new.one\"]\nissuer = 'https://x.example'\nclient_id = 'c'\nscopes = ['a', 'b']\n"},
		{"add after no newline", strings.TrimSuffix(commented, "\n"), save(added), commented + "\n[account.\"new.one\"]\nissuer = 'https://x.example'\nclient_id = 'c'\nscopes = ['a', 'b']\n"},
		{"remove the first", commented, drop("work"), `# Curfew of Ann

[limits]
max_refreshes = 12   # I am careful

# the day job

# music
[account.music]
provider = "spotify"
client_id = "xyz"
`},
		{"remove the last", commented, drop("music"), strings.TrimSuffix(commented, "[account.music]\nprovider = \"spotify\"\nclient_id = \"xyz\"\n")},
		{"remove what is not there", commented, drop("nobody"), commented},
		{"remove the only one", "[account.a]\nprovider = \"spotify\"\nclient_id = \"x\"\n", drop("a"), ""},
		{"the next table's comment stays", "[account.a]\nprovider = \"spotify\"\nclient_id = \"x\"\n# b\n[account.b]\nprovider = \"spotify\"\nclient_id = \"y\"\n", drop("a"), "# b\n[account.b]\nprovider = \"spotify\"\nclient_id = \"y\"\n"},
		{"no scopes", commented, save(auth.Account{Name: "work", Issuer: "https://id.example.com", ClientID: "abc"}), `# Curfew of Ann

[limits]
max_refreshes = 12   # I am careful

# the day job
[account.work]   # since May
issuer = "https://id.example.com"
client_id = "abc" # public
# refresh = "always"

# music
[account.music]
provider = "spotify"
client_id = "xyz"
`},
		{"a separate map", "[account.a]\nprovider = 'spotify'\nclient_id = 'x'\n\n[account.a.authorize]\nb = 'c'\n\n[account.d]\nprovider = 'spotify'\nclient_id = 'y'\n",
			save(auth.Account{Name: "a", Provider: "spotify", ClientID: "z", Authorize: map[string]string{"b": "c"}}),
			"[account.a]\nprovider = 'spotify'\nclient_id = 'z'\n\n[account.a.authorize]\nb = 'c'\n\n[account.d]\nprovider = 'spotify'\nclient_id = 'y'\n"},
		{"remove with a separate map", "[account.a]\nprovider = 'spotify'\nclient_id = 'x'\n\n[account.a.authorize]\nb = 'c'\n\n[account.d]\nprovider = 'spotify'\nclient_id = 'y'\n", drop("a"),
			"[account.d]\nprovider = 'spotify'\nclient_id = 'y'\n"},
		{"a map in dotted keys", "[account.a]\nprovider = 'spotify'\nauthorize.b = 'c' # so\nauthorize.d = 'e'\nclient_id = 'x'\n",
			save(auth.Account{Name: "a", Provider: "spotify", ClientID: "x", Authorize: map[string]string{"b": "f"}}),
			"[account.a]\nprovider = 'spotify'\nauthorize = {b = 'f'} # so\nclient_id = 'x'\n"},
		{"a name of another script", "", save(auth.Account{Name: "работа", Provider: "spotify", ClientID: "x"}), "[account.\"работа\"]\nprovider = 'spotify'\nclient_id = 'x'\n"},
		{"from Notepad", "\xef\xbb\xbf[account.a]\r\nprovider = 'spotify'\r\nclient_id = 'x'\r\n", save(auth.Account{Name: "a", Provider: "spotify", ClientID: "y"}), "[account.a]\r\nprovider = 'spotify'\r\nclient_id = 'y'\r\n"},
		{"from Notepad, unchanged", "\xef\xbb\xbf[account.a]\r\nprovider = 'spotify'\r\nclient_id = 'x'\r\n", save(auth.Account{Name: "a", Provider: "spotify", ClientID: "x"}), "\xef\xbb\xbf[account.a]\r\nprovider = 'spotify'\r\nclient_id = 'x'\r\n"},
		{"change the mode", commented, save(auth.Account{Name: "work", Issuer: "https://id.example.com", ClientID: "abc", Scopes: []string{"openid", "offline_access"}, Refresh: auth.OnDemand}),
			strings.Replace(commented, "# refresh = \"always\"\n", "# refresh = \"always\"\nrefresh = 'on-demand'\n", 1)},
		{"change one line", commented, save(auth.Account{Name: "work", Issuer: "https://id.example.com", ClientID: "new#1", Scopes: []string{"openid", "offline_access"}}),
			strings.Replace(commented, `"abc" # public`, `'new#1' # public`, 1)},
		{"change at the end", "[account.a]\nprovider='spotify'\nclient_id='x'\nrefresh= \"in-use\"", save(auth.Account{Name: "a", Provider: "spotify", ClientID: "x", Refresh: auth.Always}),
			"[account.a]\nprovider='spotify'\nclient_id='x'\nrefresh = 'always'\n"},
		{"change with strange line ends", "[account.a]\r\nprovider='spotify' # it\r\nclient_id='x'\r\n", save(auth.Account{Name: "a", Provider: "oidc", Issuer: "https://x.example", ClientID: "x"}),
			"[account.a]\r\nprovider = 'oidc' # it\r\nclient_id='x'\r\nissuer = 'https://x.example'\r\n"},
		{"add with strange line ends", "[limits]\r\n", save(auth.Account{Name: "a", Provider: "spotify", ClientID: "x"}), "[limits]\r\n\r\n[account.a]\r\nprovider = 'spotify'\r\nclient_id = 'x'\r\n"},
		{"change several lines", "[account.a]\n# about a\nprovider = \"spotify\"\nclient_id = \"x\"\nscopes = [ # needed\n  \"b\", # why\n  \"c#\",\n] # all of it\n# below\n", save(auth.Account{Name: "a", Provider: "spotify", ClientID: "x", Scopes: []string{"d"}}),
			"[account.a]\n# about a\nprovider = \"spotify\"\nclient_id = \"x\"\nscopes = ['d'] # all of it\n# below\n"},
		{"take several lines away", "[account.a]\nscopes = [\n  \"b\",\n] # all of it\nprovider = \"spotify\"\nclient_id = \"x\"\n", save(auth.Account{Name: "a", Provider: "spotify", ClientID: "x"}),
			"[account.a]\n# all of it\nprovider = \"spotify\"\nclient_id = \"x\"\n"},
		{"a text of several lines", "[limits]\nmax_age = \"\"\"\n14d\"\"\" # half\n", general(func(g *auth.General) { g.Limits.MaxAge = 24 * time.Hour }), "[limits]\nmax_age = \"1d\" # half\n"},
		{"a first limit", "", general(func(g *auth.General) { g.Limits.MaxAge = 36 * time.Hour }), "[limits]\nmax_age = \"1d12h\"\n"},
		{"limits", commented, general(func(g *auth.General) {
			g.Limits = auth.Limits{MaxAge: 14 * 24 * time.Hour, MaxRefreshes: 10, MaxIdle: 90 * time.Minute}
		}),
			strings.Replace(commented, "max_refreshes = 12   # I am careful\n", "max_refreshes = 10   # I am careful\nmax_age = \"14d\"\nmax_idle = \"1h30m\"\n", 1)},
		{"limits as built in", commented, general(func(g *auth.General) { g.Limits = auth.BuiltIn }), strings.Replace(commented, "max_refreshes = 12   # I am careful\n", "# I am careful\n", 1)},
		{"limits in other words", "limits.max_age = \"336h\" # two weeks\n", general(func(g *auth.General) {
			g.Limits = auth.Limits{MaxAge: 14 * 24 * time.Hour, MaxRefreshes: 20, MaxIdle: 0}
		}), "limits.max_age = \"336h\" # two weeks\n"},
		{"warnings", commented, general(func(g *auth.General) { g.Limits.MaxRefreshes, g.Warnings = 12, auth.WarnFew }), commented + "\n[desktop]\nwarnings = \"few\"\n"},
		{"warnings again", "[desktop]\n# enough\nwarnings = \"few\"\n", general(func(g *auth.General) { g.Warnings = auth.WarnOff }), "[desktop]\n# enough\nwarnings = \"off\"\n"},
		{"replace by the same", commented, save(auth.Account{Name: "music", Provider: "spotify", ClientID: "xyz"}), commented},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sub", "config.toml")
			if test.before != "" {
				os.Mkdir(filepath.Dir(path), 0o700)
				if err := os.WriteFile(path, []byte(test.before), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := test.edit(path); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.after {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.after)
			}
			if fi, err := os.Stat(path); err == nil && test.before != test.after && runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
				t.Errorf("mode %v", fi.Mode())
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".curfew-*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func save(a auth.Account) func(string) error {
	return func(path string) error { _, err := SaveAccount(path, a); return err }
}

func general(change func(*auth.General)) func(string) error {
	g := auth.General{Limits: auth.BuiltIn, Warnings: auth.WarnAll}
	change(&g)
	return func(path string) error { _, err := SaveGeneral(path, g); return err }
}

func drop(name string) func(string) error {
	return func(path string) error { return DeleteAccount(path, name) }
}

// A file that is right but too clever to edit stays as it is.
func TestEditRefused(t *testing.T) {
	for _, test := range []struct {
		name, text string
		edit       func(string) error
	}{
		{"remove an inline table", "account = { a = { provider = \"spotify\", client_id = \"x\" } }\n", drop("a")},
		{"add next to an inline table", "account = { a = { provider = \"spotify\", client_id = \"x\" } }\n", save(auth.Account{Name: "b", Provider: "spotify", ClientID: "y"})},
		{"remove dotted keys", "account.a.provider = \"spotify\"\naccount.a.client_id = \"x\"\n", drop("a")},
		{"change dotted keys", "[account]\na.provider = \"spotify\"\na.client_id = \"x\"\n", save(auth.Account{Name: "a", Provider: "spotify", ClientID: "y"})},
		{"add to dotted keys", "[account]\na.provider = \"spotify\"\na.client_id = \"x\"\n", save(auth.Account{Name: "a", Provider: "spotify", ClientID: "y", Refresh: auth.Always})},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.toml")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			err := test.edit(path)
			if e, ok := errors.AsType[*auth.Error](err); !ok || !strings.Contains(e.Message, path) || !strings.Contains(e.Hint, "[account.") {
				t.Errorf("got %v", err)
			}
			if got, _ := os.ReadFile(path); string(got) != test.text {
				t.Errorf("the file changed:\n%s", got)
			}
		})
	}
}

func TestEditUndo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	a := auth.Account{Name: "a", Provider: "spotify", ClientID: "x"}
	undo, err := SaveAccount(path, a)
	if err != nil {
		t.Fatal(err)
	}
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a new file stays: %v", err)
	}
	os.WriteFile(path, []byte(commented), 0o600)
	if undo, err = SaveAccount(path, a); err != nil {
		t.Fatal(err)
	}
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != commented {
		t.Errorf("not what it was:\n%s", got)
	}
}

// What is no setting changes nothing.
func TestBadGeneral(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(commented), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		edit func(*auth.General)
		want string
	}{
		{"a longer age", func(g *auth.General) { g.Limits.MaxAge += time.Nanosecond }, "looser than the built-in 30d"},
		{"no age", func(g *auth.General) { g.Limits.MaxAge = 0 }, "max_age must be positive"},
		{"more refreshes", func(g *auth.General) { g.Limits.MaxRefreshes = 21 }, "looser than the built-in 20"},
		{"no refresh", func(g *auth.General) { g.Limits.MaxRefreshes = 0 }, "less than 1"},
		{"idle backwards", func(g *auth.General) { g.Limits.MaxIdle = -1 }, "max_idle must not be negative"},
		{"a level", func(g *auth.General) { g.Warnings = "sometimes" }, `warnings cannot be "sometimes"`},
		{"no level", func(g *auth.General) { g.Warnings = "" }, "warnings cannot be"},
	} {
		err := general(test.edit)(path)
		if e, ok := errors.AsType[*auth.Error](err); !ok || e.Kind != auth.KindBadRequest || !strings.Contains(e.Message, test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		if got, _ := os.ReadFile(path); string(got) != commented {
			t.Fatalf("%s: the file changed:\n%s", test.name, got)
		}
	}
	for _, text := range []string{"limits = { max_refreshes = 12 }\n", "limits.max_refreshes = 12\n"} {
		os.WriteFile(path, []byte(text), 0o600)
		if e, ok := errors.AsType[*auth.Error](general(func(g *auth.General) { g.Limits.MaxAge = 24 * time.Hour })(path)); !ok || !strings.Contains(e.Hint, "[limits]") {
			t.Errorf("%q is edited, or refused without a hint: %v", text, e)
		}
		if got, _ := os.ReadFile(path); string(got) != text {
			t.Errorf("a refused edit changed the file:\n%s", got)
		}
	}
}

func TestSpans(t *testing.T) {
	for want, d := range map[string]time.Duration{"30d": 720 * time.Hour, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute, "1m30s": 90 * time.Second, "2d500ms": 48*time.Hour + time.Second/2, "1h": time.Hour} {
		if got := auth.FormatSpan(d); got != want {
			t.Errorf("FormatSpan(%v) = %q, want %q", d, got, want)
		}
		if back, err := auth.ParseSpan(want); err != nil || back != d {
			t.Errorf("ParseSpan(%q) = %v, %v", want, back, err)
		}
	}
}

// A file that Windows' Notepad wrote is read; one in another encoding says so.
func TestEncodings(t *testing.T) {
	const text = "[account.work]\r\nissuer = \"https://id.example.com\"\r\nclient_id = \"app\"\r\nlogin_hint = \"ännchen\"\r\n"
	units := utf16.Encode([]rune("\ufeff" + text))
	var little, big []byte
	for _, u := range units {
		little, big = append(little, byte(u), byte(u>>8)), append(big, byte(u>>8), byte(u))
	}
	for name, raw := range map[string][]byte{"UTF-8": []byte(text), "BOM": []byte("\ufeff" + text), "CR": []byte(strings.ReplaceAll(text, "\r\n", "\r")), "UTF-16": little, "UTF-16, big": big} {
		if s, err := parseSettings("c.toml", raw); err != nil || len(s.Accounts) != 1 || s.Accounts[0].LoginHint != "ännchen" {
			t.Errorf("%s: %+v, %v", name, s.Accounts, err)
		}
	}
	for name, raw := range map[string][]byte{"UTF-16 without a mark": little[2:], "cut off": little[:len(little)-1], "Latin 1": []byte("# \xe4\n")} {
		_, err := parseSettings("c.toml", raw)
		if e, ok := errors.AsType[*auth.Error](err); !ok || !strings.Contains(e.Message, "UTF-8") || !strings.Contains(e.Hint, "UTF-8") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is copied along with a value is taken off.
func TestTidy(t *testing.T) {
	got := Tidy(auth.Account{Issuer: " https://id.example.com/a/.well-known/openid-configuration\n", ClientID: "\tapp\r\n", Scopes: []string{" openid "}, ScopeSeparator: " "})
	if want := (auth.Account{Issuer: "https://id.example.com/a", ClientID: "app", Scopes: []string{"openid"}, ScopeSeparator: " "}); !auth.SameAccount(got, want) {
		t.Errorf("got %+v", got)
	}
}

// Every setting of an account has its line in the list of settings, and each
// value is checked.
func TestKeys(t *testing.T) {
	var a auth.Account
	for _, k := range auth.Keys() {
		if auth.Setting(&a, k.Name) == nil {
			t.Errorf("%s is not a setting", k.Name)
		}
		if k.Kind == auth.KeyChoice && len(k.Options) == 0 || k.Help == "" {
			t.Errorf("%s is described badly", k.Name)
		}
	}
	if n, fields := len(auth.Keys()), reflect.TypeFor[auth.Account]().NumField()-1; n != fields {
		t.Errorf("%d keys describe %d settings", n, fields)
	}
	for _, k := range auth.Keys() {
		a := auth.Account{Name: "a", Provider: "spotify", ClientID: "x"}
		if !slices.Contains([]string{"URL", "URI", "HOST"}, k.Arg) {
			continue
		}
		for _, text := range []string{"https://bob:s3cret@id.example.com", "ftp://bob:s3cret@h%zz", "http://127.0.0.1:bad:s3cret@x", "https://s3cret@h:1/#a@b"} {
			if err := auth.SetSetting(&a, k.Name, text); err != nil {
				t.Fatal(err)
			}
			if err := CheckAccount(a); err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "user name") {
				t.Errorf("%s: %v", k.Name, err)
			}
		}
	}
	for setting, bad := range map[string][]string{
		"authorize":         {"state=x", "redirect_uri=https://evil.example", "a"},
		"prompt":            {"lögin"},
		"resource":          {"api", "https://api.example.com#a"},
		"scope_separator":   {";"},
		"client_auth":       {"body"},
		"access_lifetime":   {"1", "0s", "-1h"},
		"dead_codes":        {`a"b`},
		"revocation_reach":  {"all"},
		"ca_file":           {"corp.pem"},
		"proxy":             {"proxy.example.com", "ftp://proxy", "http://user:password@proxy"},
		"hosts":             {"https://git.example.com", "a/b", "@"},
		"device_endpoint":   {"http://id.example.com/device"},
		"userinfo_endpoint": {"me"},
		"login_hint":        {"a\u202eb"},
		"browser":           {"fire\x1b[2Jfox"},
	} {
		for _, text := range bad {
			a := auth.Account{Name: "a", Provider: "spotify", ClientID: "x"}
			if err := auth.SetSetting(&a, setting, text); err != nil {
				continue
			}
			err := CheckAccount(a)
			if e, ok := errors.AsType[*auth.Error](err); !ok || strings.ContainsAny(e.Message, "\x1b\n") {
				t.Errorf("%s = %q: %v", setting, text, err)
			}
		}
	}
	const good = `
[account.work]
issuer = "https://id.example.com"
client_id = "x"
authorize = { access_type = "offline", audience = "https://api.example.com" }
prompt = "none"
login_hint = "änne@example.com"
resource = ["https://api.example.com", "urn:example:api@2"]
scope_separator = ","
client_auth = "post"
dpop = "always"
consent = "ask"
device_endpoint = "https://id.example.com/device"
userinfo_endpoint = "https://id.example.com/me"
access_lifetime = "1h"
dead_codes = ["bad_refresh_token"]
revocation_reach = "grant"
ca_file = "/etc/ssl/corp.pem"
proxy = "http://proxy.example.com:3128"
browser = ["firefox", "-P", "work", "a b"]
hosts = ["git.example.com", "localhost:8443", "[::1]:80"]
directories = ["/home/ann/work"]
on_ended = ["notify-send", "Curfew", "{account}: {message}"]
on_refreshed = ["true"]
token_file = "/run/user/1000/curfew/work.token"
id_token_file = "/run/user/1000/curfew/work.id"
`
	if filepath.Separator != '/' {
		return
	}
	s, err := parseSettings("c.toml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range auth.Keys() {
		if k.More && auth.SettingText(s.Accounts[0], k.Name) == "" && !strings.Contains(k.Name, "ation_endpoint") && k.Name != "token_endpoint" {
			t.Errorf("%s was not read", k.Name)
		}
	}
	path := filepath.Join(t.TempDir(), "c.toml")
	if _, err := SaveAccount(path, s.Accounts[0]); err != nil {
		t.Fatal(err)
	}
	if back, err := Load(path); err != nil || !auth.SameAccount(back.Accounts[0], s.Accounts[0]) {
		t.Errorf("not what was saved: %+v, %v", back, err)
	}
}

// A message never carries what a terminal would obey.
func TestNoEscapes(t *testing.T) {
	for _, text := range []string{
		"\"\\u001b[2J\" = 1\n",
		"[account.\"\\u001b[2J\"]\nclient_id = \"x\"\n",
		"[account.a]\n\"\\u001b[2J\" = \"x\"\n",
		"[account.a]\n\x1b[2J = 1\n",
		"[account.a]\nclient_id = \x1b[2J\n",
		"[account.a]\nissuer = \"\\u001b[2J\"\n",
		"[account.a]\nredirect = \"\\u001b[2J\"\n",
		"[account.a]\nprovider = \"\\u009b2J\"\n",
		"[account.a]\nscopes = [\"\\u001b[2J\"]\n",
		"[account.a]\nauthorize = { \"\\u001b[2J\" = \"\" }\n",
		"[account.a]\nclient_id = \"x\"\nclient_id = \"\\u001b\"\n",
		"[limits]\nmax_age = \"\\u001b[2J\"\n",
	} {
		_, err := parseSettings("c.toml", []byte(text))
		e, ok := errors.AsType[*auth.Error](err)
		if !ok || strings.ContainsFunc(e.Message+e.Hint, unicode.IsControl) {
			t.Errorf("%q: %q", text, err)
		}
	}
}

// People who keep their dot files elsewhere have a link there.
func TestEditThroughLink(t *testing.T) {
	dir := t.TempDir()
	target, path := filepath.Join(dir, "dotfiles.toml"), filepath.Join(dir, "config.toml")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Skip(err)
	}
	if _, err := SaveAccount(path, auth.Account{Name: "a", Provider: "spotify", ClientID: "x"}); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Lstat(path); err != nil || fi.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link is gone: %v, %v", fi.Mode(), err)
	}
	if s, err := Load(target); err != nil || len(s.Accounts) != 1 {
		t.Errorf("the target: %+v, %v", s, err)
	}
}

// The file that a link leads to may be still to be made.
func TestEditThroughDanglingLink(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.toml")
	if err := os.Symlink(filepath.Join("dots", "curfew.toml"), path); err != nil {
		t.Skip(err)
	}
	if _, err := SaveAccount(path, auth.Account{Name: "a", Provider: "spotify", ClientID: "x"}); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Lstat(path); err != nil || fi.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link is gone: %v, %v", fi.Mode(), err)
	}
	if s, err := Load(filepath.Join(dir, "dots", "curfew.toml")); err != nil || len(s.Accounts) != 1 {
		t.Errorf("the target: %+v, %v", s, err)
	}
}

func TestEditUnsaved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.Symlink(filepath.Join(os.DevNull, "in", "no.toml"), path); err != nil {
		t.Skip(err)
	}
	_, err := SaveAccount(path, auth.Account{Name: "a", Provider: "spotify", ClientID: "x"})
	if e, ok := errors.AsType[*auth.Error](err); !ok || e.Hint == "" {
		t.Errorf("error %#v", err)
	}
	if got := (file{path: path}).unsavedHint(); got.ID != "hint_config_linked" {
		t.Errorf("for a link the hint is %+v", got)
	}
	if got := (file{path: path + ".other"}).unsavedHint(); got.ID != "hint_config_unsaved" {
		t.Errorf("for a file the hint is %+v", got)
	}
}

func TestPaths(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the state is in %LocalAppData%, whatever the XDG variables say")
	}
	t.Setenv("XDG_STATE_HOME", "/state")
	if dir, err := auth.StateDir(); err != nil || dir != filepath.Join("/state", "curfew") {
		t.Errorf("StateDir: %q, %v", dir, err)
	}
	t.Setenv("XDG_STATE_HOME", "relative")
	if dir, err := auth.StateDir(); err == nil {
		t.Errorf("a relative XDG_STATE_HOME gives %q", dir)
	}
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("HOME", "/home/ann")
	if dir, err := auth.StateDir(); err != nil || !strings.HasPrefix(dir, "/home/ann/") {
		t.Errorf("StateDir: %q, %v", dir, err)
	}
	t.Setenv("XDG_CONFIG_HOME", "")
	for _, home := range []string{"", "ann"} {
		t.Setenv("HOME", home)
		for what, place := range map[string]func() (string, error){"configuration": auth.ConfigPath, "state": auth.StateDir} {
			dir, err := place()
			if e, ok := errors.AsType[*auth.Error](err); !ok || !strings.HasPrefix(e.Hint, "set HOME") {
				t.Errorf("with the home directory %q, the %s: %q, %v", home, what, dir, err)
			}
		}
	}
}

// Whatever a file holds, nothing panics. A mistake is one line that names the
// file. A file that can be read can be edited without changing what else it
// means, or it stays as it is.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(commented))
	f.Add([]byte("account = { a = { provider = \"spotify\", client_id = \"x\" } }\n"))
	f.Add([]byte("[account.a]\r\nprovider = \"spotify\"\r\nclient_id = '''\r\nx'''\r\n"))
	f.Add([]byte("[account.a]\nclient_id = \"\"\"\n[account.b]\n# x\"\"\"\nprovider=\"spotify\""))
	f.Add([]byte("[[account]]\n"))
	f.Add([]byte("[limits]\nmax_age = \"1d\"\n\xff"))
	f.Add([]byte("[account.a]\nx=\"\" \n\""))
	f.Fuzz(func(t *testing.T, text []byte) {
		before, err := parseSettings("c.toml", text)
		if err != nil {
			e, ok := errors.AsType[*auth.Error](err)
			if !ok || !strings.HasPrefix(e.Message, "c.toml") || strings.ContainsAny(e.Message, "\n") {
				t.Fatalf("mistake: %v", err)
			}
			return
		}
		if before.Limits != auth.BuiltIn.Tighten(before.Limits) || before.Limits.MaxAge <= 0 || before.Limits.MaxRefreshes <= 0 {
			t.Fatalf("limits were loosened: %+v", before.Limits)
		}
		path := filepath.Join(t.TempDir(), "c.toml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		changed := before.General
		changed.Limits.MaxRefreshes, changed.Limits.MaxIdle, changed.Warnings = 1, time.Hour, auth.WarnOff
		if undo, err := SaveGeneral(path, changed); err == nil {
			if got, err := Load(path); err != nil || got.General != changed || !slices.EqualFunc(got.Accounts, before.Accounts, auth.SameAccount) {
				t.Fatalf("changed: %+v, %v", got, err)
			}
			if err := undo(); err != nil {
				t.Fatal(err)
			}
		}
		if got, _ := os.ReadFile(path); string(got) != string(text) {
			t.Fatal("an edit that was taken back, or refused, changed the file")
		}
		a := auth.Account{Name: "added.by.fuzz", Provider: "spotify", ClientID: "x"}
		if _, err := SaveAccount(path, a); err != nil {
			if got, _ := os.ReadFile(path); string(got) != string(text) {
				t.Fatalf("a refused edit changed the file: %v", err)
			}
			return
		}
		if err := DeleteAccount(path, a.Name); err != nil {
			t.Fatal(err)
		}
		after, err := Load(path)
		if err != nil || len(after.Accounts) != len(before.Accounts) || after.Limits != before.Limits {
			t.Fatalf("there and back: %+v, %v", after, err)
		}
	})
}
