package status

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	cldr "golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"curfew/auth"
	"curfew/auth/oauth"
)

// speak sets a language until the end of the test.
func speak(t testing.TB, code string) {
	t.Helper()
	SetLanguage(code)
	t.Cleanup(func() { SetLanguage(English) })
}

// source is the module's code without tests, by directory from its root.
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

// keys finds every format in the code, and where it is. n is true for a format
// with a form for one.
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

// tableFile reads a file of translations as a person wrote it.
func tableFile(t *testing.T, name string) map[string]any {
	t.Helper()
	b, err := files.ReadFile("lang/" + name)
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

// verbs are those of the formats, such as "%d", "%02d" and "%[2]s".
var verbs = regexp.MustCompile(`%(?:\[(\d)\])?(\d*[a-z])`)

// sameArguments fails when a translation does not have the arguments of its key,
// each as often and with the same verb.
func sameArguments(t *testing.T, where, key, translation string) {
	t.Helper()
	arguments := func(format string) (all []string) {
		for _, v := range verbs.FindAllStringSubmatch(strings.ReplaceAll(format, "%%", ""), -1) {
			n := strconv.Itoa(len(all) + 1)
			if v[1] != "" {
				n = v[1]
			}
			all = append(all, n+v[2])
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

// TestEveryWordIsTranslated compares the formats of the code and the engine with
// the file of every language. Each file has exactly these keys. A translation has
// the arguments of its key, and the plural forms of its language.
func TestEveryWordIsTranslated(t *testing.T) {
	plain, counted := keys(t)
	said := map[string]string{ownName: "here"}
	for key, where := range plain {
		said[key] = where.String()
	}
	for key, where := range counted {
		said[key] = where.String()
	}
	for id, format := range auth.Formats {
		said[format] = "auth: " + id
	}
	for _, k := range auth.Keys() {
		said[k.Help] = "auth: setting " + k.Name
	}
	guides := map[string]bool{}
	for _, o := range oauth.Listing() {
		for _, line := range append(append([]string{o.Unavailable, o.IssuerAsk}, o.Steps...), o.Warnings...) {
			if line != "" {
				guides[line] = true // a new provider's may wait for those who speak the language
			}
		}
	}
	for _, code := range codes() {
		forms := map[string]bool{"other": true}
		for n := range 200 {
			forms[plural(code, n)] = true
		}
		name := code + ".json"
		all := tableFile(t, name)
		for key, where := range said {
			switch translation := all[key].(type) {
			case nil:
				t.Errorf("%s: %s has no translation of %q", where, name, key)
			case string:
				if _, many := counted[key]; many {
					t.Errorf("%s: %s must translate %q for each plural form", where, name, key)
				}
				sameArguments(t, name, key, translation)
			case map[string]any:
				if len(translation) != len(forms) {
					t.Errorf("%s: %q has %d plural forms, want %d", name, key, len(translation), len(forms))
				}
				for form, text := range translation {
					if !forms[form] {
						t.Errorf("%s: %q has a plural form %q, which there is not", name, key, form)
					}
					sameArguments(t, name, key, fmt.Sprint(text))
				}
			}
		}
		for _, key := range slices.Sorted(maps.Keys(all)) {
			if said[key] == "" && !guides[key] {
				t.Errorf("%s: nobody says %q", name, key)
			}
		}
	}
}

// TestPlurals compares the rules with those of CLDR.
func TestPlurals(t *testing.T) {
	names := map[cldr.Form]string{cldr.Other: "other", cldr.Zero: "zero", cldr.One: "one", cldr.Two: "two", cldr.Few: "few", cldr.Many: "many"}
	for _, code := range append(codes(), "en", "es", "it", "nl", "sv", "pt", "pl", "ru", "uk", "cs", "sk", "ja", "ko", "zh", "vi", "th", "id", "tr", "hu", "fi", "el") {
		for n := range 1000 {
			if got, want := plural(code, n), names[cldr.Cardinal.MatchPlural(language.MustParse(code), n, 0, 0, 0, 0)]; got != want {
				t.Errorf("%s: %d is %q, CLDR says %q", code, n, got, want)
				break
			}
		}
	}
}

func TestMatchLanguage(t *testing.T) {
	for _, tt := range []struct{ tags, want string }{
		{"", "en"}, {"C", "en"}, {"POSIX", "en"}, {"C.UTF-8", "en"}, {"en_GB.UTF-8", "en"}, {"de_DE.UTF-8", "de"}, {"de", "de"}, {"de-AT", "de"},
		{"DE", "de"}, {"de_CH@euro", "de"}, {"deu", "en"}, {"fr de", "fr"}, {"nl de", "de"}, {"nl en de", "en"}, {"fr_CA.UTF-8", "fr"}, {"sv_SE", "en"},
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

// TestGerman is a sample for people to read. It has numbers, countdowns and
// moments as they are written in German.
func TestGerman(t *testing.T) {
	speak(t, "de")
	for _, tt := range []struct{ got, want string }{
		{Line(live(), now), "Spotify: 14 von 20 Aktualisierungen, noch 23 d"},
		{Short(live(func(s *auth.Snapshot) { s.MaxRefreshes, s.RefreshesLeft = 1, 1 }), now), "1 von 1 Aktualisierung, noch 23 d"},
		{Short(live(in(auth.Waiting), nextAt(4*time.Minute)), now), "14 von 20 Aktualisierungen, noch 23 d; wartet auf den Server, nächster Versuch in 4 min"},
		{Short(live(ended(auth.ByRefreshes)), now), "neu anmelden: alle 20 Aktualisierungen sind verbraucht"},
		{Describe(live(ended(auth.ByIdle)), now).Detail, "Neu anmelden: zu lange nicht genutzt."},
		{said(ageCount(live(), now)), "23 von 30 Tagen übrig"},
		{told(live(forecast(auth.LimitRefreshes, 7))), "Gültig bis etwa Do 10.12. Dann bittet Curfew um eine neue Anmeldung. | Aktualisierungen enden etwa am 10.12. | 30 Tage enden Di 15.12., 14:30"},
		{Coarse(3*day + 4*time.Hour), "3 d"}, {Fine(3*day + 4*time.Hour), "3 d 4 h"}, {Coarse(5*time.Hour + 12*time.Minute), "5 h 12 min"},
		{Fine(41*time.Minute + 7*time.Second), "41:07"}, {Coarse(0), "unter 1 min"},
		{When(now.Add(time.Hour), now), "heute, 15:30"}, {When(now.Add(18*day), now), "Do 10.12., 14:30"}, {When(now.Add(50*day), now), "Mo 11.1.2027, 14:30"},
		{Stamp(now.Add(-2*day), now), "Fr 14:30"}, {Stamp(now.Add(-12*day), now), "10.11. 14:30"}, {Date(now), "22.11."},
		{Ago(now.Add(-3*day), now), "vor 3 d"}, {Ago(now.Add(-2*time.Minute), now), "vor 2 min"}, {Ago(time.Time{}, now), "nie"},
		{Translate(auth.Say("kept", auth.Say("server_not_reached", auth.Say("net_timeout", "id.example.com"))).Sentence()),
			"Der Server ist nicht erreichbar (id.example.com hat nicht rechtzeitig geantwortet); die Sitzung bleibt erhalten."},
		{Translate(auth.Say("both", auth.Say("consent_denied", auth.Words("The user said no. Really")).Sentence(), auth.Say("hint_login_again", "work").Sentence())),
			"Die Zustimmung wurde verweigert (The user said no. Really). Neu beginnen: `curfew login work`."},
		{Translate(auth.Say("warning_ends", auth.Say("in_days", 3))), "Diese Anmeldung endet in 3 Tagen. Eine neue Anmeldung beginnt von vorn."},
		{Translate(auth.Say("warning_server_sooner", auth.Say("in_hours", 1), 30)), "Der Anbieter beendet diese Anmeldung in 1 Stunde, nicht erst nach 30 Tagen."},
		{Translate(auth.Say("event_refreshed_for", "git-credential", 14)), "für git-credential aktualisiert, noch 14"},
		{Translate(auth.Say("event_replaced", auth.Say("event_sign_in_as", "alice"), "bob")), "angemeldet als alice, anstelle von bob"},
		{Translate(auth.Words("Something that only a server says.")), "Something that only a server says."},
		{Translate(auth.Text{Message: "A newer engine's.", ID: "newer"}), "A newer engine's."},
		{Translate(auth.Text{Message: "A newer engine's, of two.", ID: "event_token", Args: auth.Args{"a", "b"}}), "A newer engine's, of two."},
		{Explain(auth.Fail(auth.KindKeychain, auth.Say(auth.LockedID), auth.Text{})).Message, "Der Schlüsselbund ist gesperrt."},
		{Explain(auth.Fail(auth.KindNotRunning, auth.Say("agent_not_running"), auth.Say("hint_start_agent"))).Hint, "Starten mit: curfew agent"},
		{Explain(&auth.Error{Kind: auth.KindUnknown}).Message, "Ein Konto dieses Namens gibt es nicht."},
	} {
		if tt.got != tt.want {
			t.Errorf("got  %q\nwant %q", tt.got, tt.want)
		}
	}
}

// TestFrench is the same for French, which is one file and no code.
func TestFrench(t *testing.T) {
	speak(t, "fr")
	for _, tt := range []struct{ got, want string }{
		{Short(live(), now), "14 actualisations sur 20, reste 23 j"},
		{Trn(0, "%d refresh", "%d refreshes", 0), "0 actualisation"},
		{Trn(1, "%d refresh", "%d refreshes", 1), "1 actualisation"},
		{Trn(2, "%d refresh", "%d refreshes", 2), "2 actualisations"},
		{Fine(3*day + 4*time.Hour), "3 j 4 h"},
		{When(now.Add(18*day), now), "jeu. 10/12, 14:30"},
		{Translate(auth.Say("warning_ends", auth.Say("in_minute"))), "Cette connexion se termine dans une minute. Vous reconnecter en commence une nouvelle."},
	} {
		if tt.got != tt.want {
			t.Errorf("got  %q\nwant %q", tt.got, tt.want)
		}
	}
}

// TestNoEnglishIsLeft describes every state in each language, and finds sentences
// that are still English.
func TestNoEnglishIsLeft(t *testing.T) {
	var all []auth.Snapshot
	for _, s := range []auth.State{auth.SignedOut, auth.SigningIn, auth.Active, auth.Stale, auth.Refreshing, auth.Waiting, auth.Held, auth.Locked, auth.Suspect, "dreaming"} {
		for _, limit := range []auth.Limit{auth.LimitNone, auth.LimitAge, auth.LimitRefreshes, auth.LimitIdle, auth.LimitServer} {
			all = append(all,
				live(in(s), func(s *auth.Snapshot) {
					s.LimitedBy = limit
					s.Forecast = auth.ForecastView{EndsAt: s.EndsAt, By: limit}
				}),
				live(in(s), used(20), nextAt(time.Hour), func(s *auth.Snapshot) { s.TookTokens, s.Paused = nil, limit == auth.LimitAge }))
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
		return append([]string{Short(s, now), TokenLine(s, now), SignInLabel(s), v.Title, v.Detail, v.ActionLabel, v.Refreshes.What, v.Lead.What,
			v.Other.What, v.Outlook.Until, v.Outlook.Then, v.Outlook.Flag, v.Outlook.End, v.AccessToken, v.NextRefresh, v.LastUsed, Tooltip(nil, now, 0)}, v.Warnings...)
	}
	for _, s := range all {
		english := words(s)
		for _, code := range codes() {
			speak(t, code)
			for i, text := range words(s) {
				if text == english[i] && strings.ContainsFunc(text, unicode.IsLetter) {
					t.Errorf("%s, %s %s: %q is said as in English", code, s.State, s.Reason, text)
				}
			}
			SetLanguage(English)
		}
	}
}

// TestNothingIsSaidPastTheDoor finds sentences for people that do not pass through
// Tr. It looks for literals with a space in them, except in logs and in errors
// that only a terminal shows.
func TestNothingIsSaidPastTheDoor(t *testing.T) {
	doors := []string{"Tr", "Trn", "tr", "Errorf", "New", "LogError", "Log", "Debug", "Info", "Warn", "Error", "date", "MustCompile"}
	others := []string{
		"openid offline_access",                          // scopes
		"curfew exec ", " -- curl -H @{header_file} URL", // a command
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
