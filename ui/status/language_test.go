package status

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"curfew/auth"
)

// speak sets a language until the end of the test.
func speak(t testing.TB, code string) {
	t.Helper()
	SetLanguage(code)
	t.Cleanup(func() { SetLanguage(English) })
}

// source is our own code, without tests, by directory from the module's root.
type source struct {
	set   *token.FileSet
	files map[string][]*ast.File
}

func parse(t *testing.T, dirs ...string) source {
	t.Helper()
	const root = "../.."
	s := source{token.NewFileSet(), map[string][]*ast.File{}}
	for _, dir := range dirs {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(s.set, path, nil, parser.SkipObjectResolution)
			if err == nil {
				in, _ := filepath.Rel(root, filepath.Dir(path))
				in = filepath.ToSlash(in)
				s.files[in] = append(s.files[in], f)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// literal returns the value of a string literal, or of several put together.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.ParenExpr:
		return literal(e.X)
	case *ast.BinaryExpr:
		a, ok := literal(e.X)
		b, also := literal(e.Y)
		return a + b, ok && also && e.Op == token.ADD
	}
	return "", false
}

// called returns the name of the function that is called.
func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// keys finds every format that our code says something with, and where; n is
// true for those with a form for one.
func keys(t *testing.T) (plain, counted map[string]token.Position) {
	t.Helper()
	plain, counted = map[string]token.Position{}, map[string]token.Position{}
	s := parse(t, "ui", "cmd")
	for dir, files := range s.files {
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				if fn, ok := n.(*ast.FuncDecl); ok && fn.Recv == nil && (fn.Name.Name == "Tr" || fn.Name.Name == "tr") {
					return false // the door itself, and the one into it
				}
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				at := 0
				switch called(call) {
				case "Tr", "tr":
				case "Trn":
					at = 2
				default:
					return true
				}
				if len(call.Args) <= at {
					return true
				}
				key, ok := literal(call.Args[at])
				where := s.set.Position(call.Pos())
				switch {
				case !ok:
					t.Errorf("%s: what is said must be a literal, or nobody finds it to translate it", where)
				case at == 0:
					plain[key] = where
				default:
					if _, ok := literal(call.Args[1]); !ok {
						t.Errorf("%s: what is said of one must be a literal too", where)
					}
					counted[key] = where
				}
				return true
			})
		}
		_ = dir
	}
	if len(plain) < 100 || len(counted) < 3 {
		t.Fatalf("only %d + %d formats found: the search is broken", len(plain), len(counted))
	}
	return plain, counted
}

// tables reads a file of translations as a person wrote it.
func tableFile(t *testing.T, name string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("lang", name))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	d := json.NewDecoder(strings.NewReader(string(b)))
	if err := d.Decode(&all); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if n := strings.Count(string(b), "\n\t\""); n != len(all) {
		t.Errorf("%s has %d keys on %d lines: one is there twice", name, len(all), n)
	}
	return all
}

// sameArguments complains when a translation does not have the arguments of
// its key, each as often and made into words the same way.
func sameArguments(t *testing.T, where, key, translation string) {
	t.Helper()
	arguments := func(format string) (all []string) {
		_, verbs := cut(format)
		for _, v := range verbs {
			_, kind, numbered := strings.Cut(v.text, "]")
			if !numbered {
				kind = v.text[1:]
			}
			all = append(all, strconv.Itoa(v.argument)+kind)
		}
		slices.Sort(all)
		return all
	}
	if a, b := arguments(key), arguments(translation); !slices.Equal(a, b) {
		t.Errorf("%s: %q has the arguments %v, its translation %q has %v", where, key, a, translation, b)
	}
	if trim := strings.TrimSpace; trim(key) == "" || trim(translation) == "" || key[:1] == " " != (translation[:1] == " ") {
		t.Errorf("%s: %q and %q differ in their ends, or are nothing", where, key, translation)
	}
}

// TestEveryWordIsTranslated compares what our code says with the tables: no
// key is missing in one, and none is there that nobody says.
func TestEveryWordIsTranslated(t *testing.T) {
	plain, counted := keys(t)
	for _, l := range languages[1:] {
		name := l.Code + ".json"
		all := tableFile(t, name)
		for key, where := range plain {
			switch translation, ok := all[key].(string); {
			case !ok:
				t.Errorf("%s: %s has no translation of %q", where, name, key)
			default:
				sameArguments(t, name, key, translation)
			}
		}
		for key, where := range counted {
			one, _ := all[key].(map[string]any)
			if len(one) != 2 {
				t.Errorf("%s: %s must translate %q for one and for other numbers", where, name, key)
			}
			for form, translation := range one {
				text, ok := translation.(string)
				if !ok || form != "one" && form != "other" {
					t.Errorf("%s: %q has a form %q that is none", name, key, form)
				}
				sameArguments(t, name, key, text)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(all)) {
			_, said := plain[key]
			_, also := counted[key]
			if !said && !also {
				t.Errorf("%s: nobody says %q", name, key)
			}
		}
	}
}

func TestMatchLanguage(t *testing.T) {
	for _, tt := range []struct{ tags, want string }{
		{"", "en"}, {"C", "en"}, {"POSIX", "en"}, {"C.UTF-8", "en"}, {"en_GB.UTF-8", "en"}, {"de_DE.UTF-8", "de"}, {"de", "de"}, {"de-AT", "de"},
		{"DE", "de"}, {"de_CH@euro", "de"}, {"deu", "en"}, {"fr de", "de"}, {"fr en de", "en"}, {"sv_SE", "en"},
	} {
		if got := MatchLanguage(strings.Fields(tt.tags)...); got != tt.want {
			t.Errorf("MatchLanguage(%q) = %q, want %q", tt.tags, got, tt.want)
		}
	}
}

func TestSetLanguage(t *testing.T) {
	for _, l := range append(Languages(), Language{"tlh", ""}, Language{"", ""}) {
		speak(t, l.Code)
		want := l.Code
		if l.Name == "" {
			want = English
		}
		if got := SpokenLanguage(); got != want {
			t.Errorf("after SetLanguage(%q): %q", l.Code, got)
		}
	}
}

// TestGerman is a sample for people to read: numbers, countdowns and moments
// as they are written in German.
func TestGerman(t *testing.T) {
	speak(t, "de")
	for _, tt := range []struct{ got, want string }{
		{Line(live(), now), "Spotify: 14 von 20 Aktualisierungen, noch 23 T"},
		{Short(live(func(s *auth.Snapshot) { s.MaxRefreshes, s.RefreshesLeft = 1, 1 }), now), "1 von 1 Aktualisierung, noch 23 T"},
		{Short(live(in(auth.Waiting), nextAt(4*time.Minute)), now), "14 von 20 Aktualisierungen, noch 23 T; wartet auf den Server, nächster Versuch in 4 Min"},
		{Short(live(ended(auth.ByRefreshes)), now), "neu anmelden: die 20 Aktualisierungen sind verbraucht"},
		{Describe(live(ended(auth.ByIdle)), now).Detail, "Neu anmelden: zu lange nicht genutzt."},
		{Describe(live(), now).Age.Value, "23 Tage"},
		{Describe(live(endsIn(day)), now).Age.Value, "1 T"},
		{Coarse(3*day + 4*time.Hour), "3 T"}, {Fine(3*day + 4*time.Hour), "3 T 4 Std"}, {Coarse(5*time.Hour + 12*time.Minute), "5 Std 12 Min"},
		{Fine(41*time.Minute + 7*time.Second), "41:07"}, {Coarse(0), "unter 1 Min"},
		{When(now.Add(time.Hour), now), "heute, 15:30"}, {When(now.Add(18*day), now), "Do 10.12., 14:30"}, {When(now.Add(50*day), now), "Mo 11.1.2027, 14:30"},
		{Stamp(now.Add(-2*day), now), "Fr 14:30"}, {Stamp(now.Add(-12*day), now), "10.11. 14:30"}, {Date(now), "22.11."},
		{Ago(now.Add(-3*day), now), "vor 3 T"}, {Ago(now.Add(-2*time.Minute), now), "vor 2 Min"}, {Ago(time.Time{}, now), "nie"},
		{Said("The server cannot be reached (id.example.com did not answer in time); the session is kept."),
			"Der Server ist nicht erreichbar (id.example.com hat nicht rechtzeitig geantwortet); die Sitzung bleibt erhalten."},
		{Said("The server cannot be reached (127.0.0.1:36401: connect: connection refused (the issuer is http://127.0.0.1:36401))."), "Der Server ist nicht erreichbar (127.0.0.1:36401: connect: connection refused (der Aussteller ist http://127.0.0.1:36401))."},
		{Said("Consent was denied (The user said no. Really). Start it again: `curfew login work`."), "Die Zustimmung wurde verweigert (The user said no. Really). Neu beginnen: `curfew login work`."},
		{Said("This sign-in ends in 3 days. Signing in again starts a new one."), "Diese Anmeldung endet in 3 Tagen. Eine neue Anmeldung beginnt von vorn."},
		{Said("The provider ends this sign-in in 5 hours, before its 30 days are over."), "Der Anbieter beendet diese Anmeldung in 5 Stunden, also vor Ablauf von 30 Tagen."},
		{Said("refreshed, 6 of 20, for git-credential"), "aktualisiert, 6 von 20, für git-credential"},
		{Said("signed in as alice, in place of bob"), "angemeldet als alice, anstelle von bob"},
		{Said("Something that only a newer engine says."), "Something that only a newer engine says."},
		{Explain(&auth.Error{Kind: auth.KindKeychain, Message: "the keychain is locked"}).Message, "Der Schlüsselbund ist gesperrt."},
		{Explain(&auth.Error{Kind: auth.KindNotRunning, Message: "the agent is not running", Hint: "start it with: curfew agent"}).Hint, "Starten mit: curfew agent"},
		{Explain(&auth.Error{Kind: auth.KindUnknown}).Message, "Ein Konto dieses Namens gibt es nicht."},
	} {
		if tt.got != tt.want {
			t.Errorf("got  %q\nwant %q", tt.got, tt.want)
		}
	}
}

// TestNoEnglishIsLeft describes every state in each language, and finds what
// is said as in English.
func TestNoEnglishIsLeft(t *testing.T) {
	var all []auth.Snapshot
	for _, s := range []auth.State{auth.SignedOut, auth.SigningIn, auth.Active, auth.Stale, auth.Refreshing, auth.Waiting, auth.Held, auth.Locked, auth.Suspect, "dreaming"} {
		for _, limit := range []auth.Limit{auth.LimitNone, auth.LimitAge, auth.LimitRefreshes, auth.LimitIdle, auth.LimitServer} {
			all = append(all,
				live(in(s), func(s *auth.Snapshot) {
					s.LimitedBy = limit
					s.Forecast = auth.ForecastView{EndsAt: s.EndsAt, By: limit}
				}),
				live(in(s), used(20), nextAt(time.Hour), func(s *auth.Snapshot) { s.NextReason, s.LastUsedBy, s.Paused = "", "", limit == auth.LimitAge }))
		}
	}
	for _, r := range []auth.Reason{auth.ByAge, auth.ByRefreshes, auth.ByIdle, auth.ByRevocation, auth.ByRotationLost, auth.ByTampering, auth.BySubjectChanged, auth.ByUser, "eclipse"} {
		all = append(all, live(ended(r)))
	}
	for _, p := range []auth.Phase{auth.PhaseBrowser, auth.PhaseExchange, auth.PhaseDone, auth.PhaseFailed} {
		all = append(all, live(signIn(p, "the sign-in was cancelled")), auth.Snapshot{SignIn: &auth.SignInView{Phase: p}})
	}
	words := func(s auth.Snapshot) []string {
		v := Describe(s, now)
		return append([]string{Short(s, now), TokenLine(s, now), SignInLabel(s), v.Title, v.Detail, v.ActionLabel, v.Refreshes.Value, v.Refreshes.Caption,
			v.Age.Value, v.Age.Caption, v.AccessToken, v.NextRefresh, v.LastUsed, v.EndsBy, v.Forecast, Tooltip(nil, now, 0)}, v.Warnings...)
	}
	for _, s := range all {
		english := words(s)
		for _, l := range languages[1:] {
			speak(t, l.Code)
			for i, text := range words(s) {
				if text == english[i] && strings.ContainsFunc(text, unicode.IsLetter) {
					t.Errorf("%s, %s %s: %q is said as in English", l.Code, s.State, s.Reason, text)
				}
			}
			SetLanguage(English)
		}
	}
}

// TestNothingIsSaidPastTheDoor finds sentences in what people see that do not
// pass Tr: literals with a space in them, but for those of logs and errors
// that only a terminal shows.
func TestNothingIsSaidPastTheDoor(t *testing.T) {
	doors := []string{"Tr", "Trn", "tr", "Errorf", "New", "LogError", "Log", "Debug", "Info", "Warn", "Error", "date", "MustCompile"}
	others := []string{
		"openid offline_access",  // scopes
		"the menu has no row %d", // tells a panel over the bus
	}
	s := parse(t, "ui/status", "ui/desktop", "ui/tray", "ui/window")
	for dir, files := range s.files {
		if dir == "ui/tray/traytest" {
			continue // a panel for tests
		}
		for _, f := range files {
			if filepath.Base(s.set.Position(f.Pos()).Filename) == "autostart_file.go" {
				continue // files that the desktop reads, and errors of the command line
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.ImportSpec, *ast.StructType:
					return false
				case *ast.KeyValueExpr: // a key is none that people read
					if _, ok := literal(n.Key); ok {
						n.Key = ast.NewIdent("key")
					}
				case *ast.CallExpr:
					return !slices.Contains(doors, called(n))
				case *ast.BasicLit:
					text, ok := literal(n)
					words := strings.Fields(text)
					if ok && len(words) > 1 && !slices.Contains(others, text) && strings.ContainsFunc(text, unicode.IsLetter) {
						t.Errorf("%s: %q is not translated", s.set.Position(n.Pos()), text)
					}
				}
				return true
			})
		}
	}
}
