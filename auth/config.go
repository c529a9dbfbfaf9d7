package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"curfew/auth/oauth"
)

// This file reads and edits config.toml. The rules are:
//   - A key that Curfew does not know is an error that names file, line and
//     key: a typo must not silently mean the default.
//   - Limits can only be tightened.
//   - The file is the person's. Adding an account appends a table, removing
//     one cuts its lines, changing something changes the lines that say it;
//     comments and order stay. The edited text is read again and must mean
//     exactly what was wanted, else nothing is written.

// Settings is what config.toml says.
type Settings struct {
	General
	Accounts []Account // by name
}

// General is what config.toml says of no account in particular.
type General struct {
	Limits   Limits       // BuiltIn, tightened
	Warnings WarningLevel // never empty
}

// WarningLevel is which warnings of a session's coming end the desktop shows
// as notifications. That a session has ended is told at every level.
type WarningLevel string

// The levels.
const (
	WarnAll WarningLevel = "all" // the default
	WarnFew WarningLevel = "few" // only the last of each kind
	WarnOff WarningLevel = "off"
)

// maxConfig is the largest config.toml that is read, in bytes.
const maxConfig = 1 << 20

// ConfigPath returns where config.toml lies: $XDG_CONFIG_HOME/curfew on
// Linux, the system's equivalent elsewhere.
func ConfigPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("the configuration has no place: %w", err)
	}
	return filepath.Join(dir, "curfew", "config.toml"), nil
}

// StateDir returns where the agent keeps its state: $XDG_STATE_HOME/curfew on
// Linux, the system's equivalent elsewhere. It may not exist yet.
func StateDir() (string, error) {
	if runtime.GOOS != "windows" {
		if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
			if !filepath.IsAbs(dir) {
				return "", fmt.Errorf("XDG_STATE_HOME is %q, which is not an absolute path", dir)
			}
			return filepath.Join(dir, "curfew"), nil
		}
	}
	var dir string
	var err error
	switch runtime.GOOS {
	case "darwin":
		if dir, err = os.UserConfigDir(); err == nil {
			dir = filepath.Join(dir, "curfew", "state")
		}
	case "windows":
		if dir, err = os.UserCacheDir(); err == nil { // %LocalAppData%
			dir = filepath.Join(dir, "curfew")
		}
	default:
		if dir, err = os.UserHomeDir(); err == nil {
			dir = filepath.Join(dir, ".local", "state", "curfew")
		}
	}
	if err != nil {
		return "", fmt.Errorf("the state has no place: %w", err)
	}
	return dir, nil
}

// LoadSettings reads config.toml. A file that does not exist has no accounts
// and the built-in limits. What is wrong in it gives an [*Error] that names
// file and line.
func LoadSettings(path string) (Settings, error) {
	b, err := readConfig(path)
	if err != nil {
		return Settings{}, err
	}
	return parseSettings(path, b)
}

func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxConfig {
		return nil, &Error{Kind: KindBadRequest, Message: path + " is larger than 1 MB", Hint: "it should hold a few lines for each account"}
	}
	return b, nil
}

// settingsFile is the shape of config.toml.
type settingsFile struct {
	Limits struct {
		MaxAge       *string `toml:"max_age"`
		MaxRefreshes *int    `toml:"max_refreshes"`
		MaxIdle      *string `toml:"max_idle"`
	} `toml:"limits"`
	Desktop struct {
		Warnings *string `toml:"warnings"`
	} `toml:"desktop"`
	Account map[string]Account `toml:"account"`
}

// parseSettings reads the text of the file called path.
func parseSettings(path string, text []byte) (Settings, error) {
	var f settingsFile
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return Settings{}, syntaxError(path, text, err)
	}
	places := outline(text)
	at := func(p problem, key ...string) error {
		where := path
		if line := places.line(append(key, p.key)...); line > 0 {
			where += ":" + strconv.Itoa(line)
		}
		return &Error{Kind: KindBadRequest, Message: where + ": " + p.message, Hint: p.hint}
	}

	s := Settings{General: General{Limits: BuiltIn, Warnings: WarnAll}}
	if p := tighten(&s.Limits, f); p.message != "" {
		return Settings{}, at(p, "limits")
	}
	if w := f.Desktop.Warnings; w != nil {
		s.Warnings = WarningLevel(*w)
		if p := checkWarnings(s.Warnings); p.message != "" {
			return Settings{}, at(p, "desktop")
		}
	}
	for name, a := range f.Account {
		if err := CheckName(name); err != nil {
			e, _ := errors.AsType[*Error](err)
			return Settings{}, at(problem{message: e.Message, hint: e.Hint}, "account", name)
		}
		a.Name = name
		if p := checkAccount(a); p.message != "" {
			return Settings{}, at(p, "account", name)
		}
		s.Accounts = append(s.Accounts, a)
	}
	slices.SortFunc(s.Accounts, func(a, b Account) int { return strings.Compare(a.Name, b.Name) })
	return s, nil
}

// syntaxError says where the decoder stumbled.
func syntaxError(path string, text []byte, err error) error {
	if missing, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		e := missing.Errors[0]
		line, _ := e.Position()
		key := e.Key()
		return &Error{
			Kind:    KindBadRequest,
			Message: fmt.Sprintf("%s:%d: there is no setting %q", path, line, strings.Join(key, ".")),
			Hint:    didYouMean(knownKeys(key)),
		}
	}
	if e, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, column := e.Position()
		if key := outline(text).keyAt(line); len(key) > 0 && strings.Contains(e.Error(), "cannot decode TOML") { // the decoder's words are about Go's types
			return &Error{
				Kind:    KindBadRequest,
				Message: fmt.Sprintf("%s:%d: %s has a value of the wrong kind", path, line, strings.Join(key, ".")),
				Hint:    `texts and time spans stand in quotes, like "14d"; numbers do not; lists stand in [ ]`,
			}
		}
		if key, lacks := lacksQuotes(text, line); lacks {
			return &Error{
				Kind:    KindBadRequest,
				Message: fmt.Sprintf("%s:%d: the value of %s lacks a quote", path, line, key),
				Hint:    `a text stands between two straight quotes, like "https://id.example.com"; of a list, each text does`,
			}
		}
		return &Error{
			Kind:    KindBadRequest,
			Message: fmt.Sprintf("%s:%d:%d: %s", path, line, column, decoderWords(e)),
			Hint:    "mend that line, then try again",
		}
	}
	return &Error{Kind: KindBadRequest, Message: path + ": " + decoderWords(err)}
}

// lacksQuotes reports whether what cannot be read in a line is a text without
// its quotes, or without one of them, and of which key. The decoder takes such
// a text for a number.
func lacksQuotes(text []byte, line int) (key string, lacks bool) {
	lines := bytes.Split(text, []byte("\n"))
	if line < 1 || line > len(lines) || readable(lines[line-1]) {
		return "", false
	}
	name, value, _ := strings.Cut(string(lines[line-1]), "=")
	key, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if value == "" || !isText(key) {
		return "", false
	}
	switch quote := value[:1]; quote {
	case "{":
		return "", false
	case "[":
		return key, !strings.ContainsAny(value, `"'`) && strings.ContainsFunc(value, unicode.IsLetter)
	case `"`, "'":
		return key, strings.Count(value, quote) == 1
	}
	return key, true
}

// isText reports whether some table has a setting called key that is a text or
// a list of texts.
func isText(key string) bool {
	var file settingsFile
	for _, table := range []any{file.Limits, file.Desktop, Account{}} {
		for field := range reflect.TypeOf(table).Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("toml"), ",")
			of := field.Type
			if of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
				of = of.Elem()
			}
			if name == key && of.Kind() == reflect.String {
				return true
			}
		}
	}
	return false
}

// decoderWords is the decoder's message on one line: it may quote the file.
func decoderWords(err error) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.TrimPrefix(err.Error(), "toml: "))
}

// knownKeys returns the part of the path that is not known, and what could
// stand there.
func knownKeys(key []string) (unknown string, known []string) {
	top := reflect.TypeFor[settingsFile]()
	switch {
	case key[0] == "account" && len(key) > 2:
		return key[2], tags(reflect.TypeFor[Account]())
	case key[0] == "limits" && len(key) > 1:
		f, _ := top.FieldByName("Limits")
		return key[1], tags(f.Type)
	case key[0] == "desktop" && len(key) > 1:
		f, _ := top.FieldByName("Desktop")
		return key[1], tags(f.Type)
	default:
		return key[0], tags(top)
	}
}

func tags(t reflect.Type) []string {
	var names []string
	for field := range t.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("toml"), ","); name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// didYouMean returns a hint: the known word nearest to word, or all of them.
func didYouMean(word string, known []string) string {
	best, least := "", 3 // more than two edits are another word
	for _, k := range known {
		if d := distance(word, k); d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "known are: " + strings.Join(known, ", ")
}

// distance counts the edits from a to b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// A problem is what is wrong with one key; no message means nothing is.
type problem struct{ key, message, hint string }

// tighten applies the [limits] table, which can only tighten.
func tighten(l *Limits, f settingsFile) problem {
	if text := f.Limits.MaxAge; text != nil {
		d, err := ParseSpan(*text)
		if err != nil {
			return problem{"max_age", "max_age: " + err.Error(), ""}
		}
		l.MaxAge = d
	}
	if text := f.Limits.MaxIdle; text != nil {
		d, err := ParseSpan(*text)
		if err != nil {
			return problem{"max_idle", "max_idle: " + err.Error(), ""}
		}
		l.MaxIdle = d // off by default: any value tightens
	}
	if n := f.Limits.MaxRefreshes; n != nil {
		l.MaxRefreshes = *n
	}
	return checkLimits(*l)
}

// checkLimits: what is looser than the built-in limits is no limit.
func checkLimits(l Limits) problem {
	switch {
	case l.MaxAge <= 0:
		return problem{"max_age", "max_age is not longer than nothing", ""}
	case l.MaxAge > BuiltIn.MaxAge:
		return problem{"max_age", fmt.Sprintf("max_age = %q is looser than the built-in %s", FormatSpan(l.MaxAge), formatDays(BuiltIn.MaxAge)), "limits can only be tightened: leave it out, or make it shorter"}
	case l.MaxRefreshes < 1:
		return problem{"max_refreshes", fmt.Sprintf("max_refreshes = %d is less than 1", l.MaxRefreshes), `for no background refresh, set refresh = "on-demand" in the account`}
	case l.MaxRefreshes > BuiltIn.MaxRefreshes:
		return problem{"max_refreshes", fmt.Sprintf("max_refreshes = %d is looser than the built-in %d", l.MaxRefreshes, BuiltIn.MaxRefreshes), "limits can only be tightened: leave it out, or make it smaller"}
	case l.MaxIdle < 0:
		return problem{"max_idle", "max_idle is less than nothing", "leave it out to have no such limit"}
	}
	return problem{}
}

func checkWarnings(w WarningLevel) problem {
	levels := []string{string(WarnAll), string(WarnFew), string(WarnOff)}
	if slices.Contains(levels, string(w)) {
		return problem{}
	}
	return problem{"warnings", fmt.Sprintf("warnings cannot be %q", w), didYouMean(string(w), levels)}
}

// CheckGeneral says what is wrong with g, with an [*Error]; a limit that is
// looser than the built-in one is.
func CheckGeneral(g General) error {
	p := checkLimits(g.Limits)
	if p.message == "" {
		p = checkWarnings(g.Warnings)
	}
	if p.message != "" {
		return &Error{Kind: KindBadRequest, Message: p.message, Hint: p.hint}
	}
	return nil
}

// ParseSpan reads a time span of more than nothing: "30d", "12h", "1d12h" (days,
// then what time.ParseDuration reads).
func ParseSpan(s string) (time.Duration, error) {
	bad := fmt.Errorf(`%q is not a time span such as "30d", "12h" or "90m"`, s)
	var d time.Duration
	rest := s
	if days, after, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil || n > 36500 {
			return 0, bad
		}
		d, rest = time.Duration(n)*24*time.Hour, after
	}
	if rest != "" {
		r, err := time.ParseDuration(rest)
		if err != nil || r < 0 {
			return 0, bad
		}
		d += r
	}
	if s == "" || d <= 0 {
		return 0, bad
	}
	return d, nil
}

// FormatSpan says d as [ParseSpan] reads it: "30d", "1d12h", "90m".
func FormatSpan(d time.Duration) string {
	text := ""
	if days := d / (24 * time.Hour); days > 0 {
		text, d = strconv.Itoa(int(days))+"d", d%(24*time.Hour)
	}
	if d == 0 && text != "" {
		return text
	}
	rest := d.String()
	if strings.HasSuffix(rest, "m0s") {
		rest = strings.TrimSuffix(rest, "0s")
	}
	if strings.HasSuffix(rest, "h0m") {
		rest = strings.TrimSuffix(rest, "0m")
	}
	return text + rest
}

// formatDays writes whole days as [ParseSpan] reads them.
func formatDays(d time.Duration) string { return strconv.Itoa(int(d.Hours()/24)) + "d" }

// CheckName says whether name can be an account's: 1 to 64 letters, digits,
// dashes, underscores and dots, the first neither a dash (it would look like
// a flag) nor a dot.
func CheckName(name string) error {
	ok := len(name) >= 1 && len(name) <= 64 && name[0] != '-' && name[0] != '.'
	for _, c := range []byte(name) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
	}
	if ok {
		return nil
	}
	return &Error{
		Kind:    KindBadRequest,
		Message: fmt.Sprintf("%q cannot be the name of an account", name),
		Hint:    "use 1 to 64 letters, digits, dashes, underscores and dots, a letter or digit first",
	}
}

// CheckAccount says what is wrong with an account's configuration, with an
// [*Error]. It makes no request.
func CheckAccount(a Account) error {
	if err := CheckName(a.Name); err != nil {
		return err
	}
	if p := checkAccount(a); p.message != "" {
		return &Error{Kind: KindBadRequest, Message: p.message, Hint: p.hint}
	}
	return nil
}

func checkAccount(a Account) problem {
	var preset oauth.Provider
	if a.Provider != "" {
		var known []string
		for _, p := range oauth.Providers() {
			known = append(known, p.Name)
			if p.Name == a.Provider {
				preset = p
			}
		}
		if preset.Name == "" {
			return problem{"provider", fmt.Sprintf("there is no provider %q", a.Provider), didYouMean(a.Provider, known)}
		}
	}
	if a.Issuer == "" && preset.Issuer == "" && (a.AuthorizationEndpoint == "" || a.TokenEndpoint == "") &&
		(preset.AuthorizationEndpoint == "" || preset.TokenEndpoint == "") {
		return problem{"", fmt.Sprintf("account %q does not say where to sign in", a.Name), "give a provider, an issuer, or authorization_endpoint and token_endpoint"}
	}
	for _, u := range []struct{ key, value string }{
		{"issuer", a.Issuer},
		{"authorization_endpoint", a.AuthorizationEndpoint},
		{"token_endpoint", a.TokenEndpoint},
		{"revocation_endpoint", a.RevocationEndpoint},
	} {
		if p := checkServerURL(u.key, u.value); p.message != "" {
			return p
		}
	}
	if a.ClientID == "" {
		return problem{"client_id", fmt.Sprintf("account %q has no client_id", a.Name), "the provider gives you one when you register a native (desktop) app"}
	}
	if !printable(a.ClientID) || len(a.ClientID) > 512 {
		return problem{"client_id", "client_id has characters that no client id has", ""}
	}
	for _, s := range a.Scopes {
		// RFC 6749 section 3.3: scope-token.
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			return problem{"scopes", fmt.Sprintf("%q is not a scope", s), "one scope is one word; write several as several"}
		}
	}
	if p := checkRedirect(a.Redirect); p.message != "" {
		return p
	}
	switch modes := []string{string(InUse), string(Always), string(OnDemand)}; {
	case a.Refresh != "" && !slices.Contains(modes, string(a.Refresh)):
		return problem{"refresh", fmt.Sprintf("there is no refresh mode %q", a.Refresh), didYouMean(string(a.Refresh), modes)}
	}
	return problem{}
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// checkServerURL: https, or http to this very machine (RFC 8252 section 8.3
// gives the reason: no name that could resolve elsewhere).
func checkServerURL(key, value string) problem {
	if value == "" {
		return problem{}
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || !printable(value) || strings.Contains(value, " "):
		return problem{key, fmt.Sprintf("%s %q is not a URL", key, value), "it starts with https://"}
	case u.User != nil || u.Fragment != "":
		return problem{key, fmt.Sprintf("%s %q holds a user name or a fragment", key, u.Redacted()), ""}
	case u.Scheme == "https":
		return problem{}
	case u.Scheme == "http" && isLoopbackIP(u.Hostname()):
		return problem{}
	case u.Scheme == "http":
		return problem{key, fmt.Sprintf("%s %q is not encrypted", key, value), "use https; http is for 127.0.0.1 and [::1] only"}
	default:
		return problem{key, fmt.Sprintf("%s %q is not a web address", key, value), "it starts with https://"}
	}
}

// checkRedirect: where the browser comes back to is this machine.
func checkRedirect(value string) problem {
	if value == "" {
		return problem{}
	}
	hint := "the default is http://127.0.0.1/callback; a port is added when it has none"
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme != "http" || !(isLoopbackIP(u.Hostname()) || u.Hostname() == "localhost"):
		return problem{"redirect", fmt.Sprintf("redirect %q does not lead to this machine", value), hint}
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || !printable(value):
		return problem{"redirect", fmt.Sprintf("redirect %q has more than a host, a port and a path", u.Redacted()), hint}
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return problem{"redirect", fmt.Sprintf("redirect %q has no usable port", value), hint}
		}
	}
	return problem{}
}

func isLoopbackIP(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// SaveAccount adds a to the file, or changes the table of its name, and
// returns how to take that back. What a means is checked first.
func SaveAccount(path string, a Account) (undo func() error, err error) {
	if err := CheckAccount(a); err != nil {
		return nil, err
	}
	old, settings, err := loadForEdit(path)
	if err != nil {
		return nil, err
	}
	want := settings.without(a.Name)
	want.Accounts = append(want.Accounts, a)
	i := slices.IndexFunc(settings.Accounts, func(b Account) bool { return b.Name == a.Name })
	if i < 0 {
		return saveEdit(path, old, appendTable(old, "account."+tomlKey(a.Name), accountKeys(a)), want, accountByHand(path, a.Name))
	}
	if SameAccount(settings.Accounts[i], a) {
		return func() error { return nil }, nil
	}
	text, ok := changeKeys(old, []string{"account", a.Name}, accountKeys(settings.Accounts[i]), accountKeys(a))
	if !ok {
		return nil, accountByHand(path, a.Name)
	}
	return saveEdit(path, old, text, want, accountByHand(path, a.Name))
}

// SaveGeneral changes what the file says of no account in particular, and
// returns how to take that back. What g means is checked first.
func SaveGeneral(path string, g General) (undo func() error, err error) {
	if err := CheckGeneral(g); err != nil {
		return nil, err
	}
	old, settings, err := loadForEdit(path)
	if err != nil {
		return nil, err
	}
	if settings.General == g {
		return func() error { return nil }, nil
	}
	byHand := &Error{
		Kind:    KindBadRequest,
		Message: path + " is written in a way that cannot be edited safely",
		Hint:    "edit the tables [limits] and [desktop] there yourself",
	}
	text, ok := old, true
	for _, table := range []string{"limits", "desktop"} {
		before, after := generalKeys(settings.General)[table], generalKeys(g)[table]
		if slices.Equal(before, after) {
			continue
		}
		if !slices.ContainsFunc(outline(text), func(p place) bool { return p.path[0] == table }) {
			text = appendTable(text, table, after)
			continue
		}
		if text, ok = changeKeys(text, []string{table}, before, after); !ok {
			return nil, byHand
		}
	}
	want := settings
	want.General = g
	return saveEdit(path, old, text, want, byHand)
}

// DeleteAccount cuts the account's table out of the file. An account that is
// not there is no error.
func DeleteAccount(path, name string) error {
	old, settings, err := loadForEdit(path)
	if err != nil {
		return err
	}
	want := settings.without(name)
	if len(want.Accounts) == len(settings.Accounts) {
		return nil
	}
	start, end, ok := outline(old).table(old, "account", name)
	if !ok {
		return accountByHand(path, name)
	}
	before, after := old[:start], old[end:]
	if (len(before) == 0 || bytes.HasSuffix(before, []byte("\n\n"))) && bytes.HasPrefix(after, []byte("\n")) {
		after = after[1:] // one empty line is enough
	}
	if len(after) == 0 {
		before = append(bytes.TrimRight(before, "\n"), '\n')
	}
	text := slices.Concat(before, after)
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte{}
	}
	_, err = saveEdit(path, old, text, want, accountByHand(path, name))
	return err
}

func loadForEdit(path string) ([]byte, Settings, error) {
	old, err := readConfig(path)
	if err != nil {
		return nil, Settings{}, err
	}
	s, err := parseSettings(path, old)
	return old, s, err
}

func (s Settings) without(name string) Settings {
	s.Accounts = slices.DeleteFunc(slices.Clone(s.Accounts), func(a Account) bool { return a.Name == name })
	return s
}

// saveEdit writes text in the place of old if it means want, else returns
// byHand, and returns how to take that back.
func saveEdit(path string, old, text []byte, want Settings, byHand *Error) (undo func() error, err error) {
	got, err := parseSettings(path, text)
	if err != nil {
		return nil, byHand
	}
	slices.SortFunc(want.Accounts, func(a, b Account) int { return strings.Compare(a.Name, b.Name) })
	if got.General != want.General || !slices.EqualFunc(got.Accounts, want.Accounts, SameAccount) {
		return nil, byHand
	}
	if err := WriteConfig(path, text); err != nil {
		return nil, err
	}
	return func() error {
		if old == nil {
			return os.Remove(path)
		}
		return WriteConfig(path, old)
	}, nil
}

// SameAccount reports whether a and b mean the same.
func SameAccount(a, b Account) bool {
	scopes := slices.Equal(a.Scopes, b.Scopes)
	a.Scopes, b.Scopes = nil, nil
	return scopes && reflect.DeepEqual(a, b)
}

func accountByHand(path, name string) *Error {
	return &Error{
		Kind:    KindBadRequest,
		Message: fmt.Sprintf("%s is written in a way that cannot be edited safely", path),
		Hint:    fmt.Sprintf("edit account %q there yourself, as a table [account.%s]", name, tomlKey(name)),
	}
}

// A keyLine is one setting as it is written into the file.
type keyLine struct{ key, value string }

func accountKeys(a Account) []keyLine {
	b, err := toml.Marshal(a)
	if err != nil {
		panic("auth: an account does not encode: " + err.Error()) // no field can fail
	}
	var keys []keyLine
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " = "); ok {
			keys = append(keys, keyLine{key, value})
		}
	}
	return keys
}

// generalKeys returns the settings of each table; what is as built in is left out.
func generalKeys(g General) map[string][]keyLine {
	keys := map[string][]keyLine{}
	if g.Limits.MaxAge != BuiltIn.MaxAge {
		keys["limits"] = append(keys["limits"], keyLine{"max_age", strconv.Quote(FormatSpan(g.Limits.MaxAge))})
	}
	if g.Limits.MaxRefreshes != BuiltIn.MaxRefreshes {
		keys["limits"] = append(keys["limits"], keyLine{"max_refreshes", strconv.Itoa(g.Limits.MaxRefreshes)})
	}
	if g.Limits.MaxIdle != 0 {
		keys["limits"] = append(keys["limits"], keyLine{"max_idle", strconv.Quote(FormatSpan(g.Limits.MaxIdle))})
	}
	if g.Warnings != WarnAll {
		keys["desktop"] = append(keys["desktop"], keyLine{"warnings", strconv.Quote(string(g.Warnings))})
	}
	return keys
}

// appendTable adds a table at the end of text, after an empty line.
func appendTable(text []byte, name string, keys []keyLine) []byte {
	text = slices.Clone(text)
	end := lineEnd(text)
	if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
		text = append(text, end...)
	}
	if len(text) > 0 {
		text = append(text, end...)
	}
	text = fmt.Appendf(text, "[%s]%s", name, end)
	for _, k := range keys {
		text = fmt.Appendf(text, "%s = %s%s", k.key, k.value, end)
	}
	return text
}

// changeKeys edits the lines of a table that say before so that they say
// after; other lines stay as they are, and so does a comment behind a value. It
// reports false when it finds no place for a setting.
func changeKeys(text []byte, table []string, before, after []keyLine) (edited []byte, ok bool) {
	text = slices.Clone(text)
	find := func(key string) (start, end int, found bool) {
		for _, p := range outline(text) {
			if !p.header && slices.Equal(p.path, slices.Concat(table, []string{key})) {
				start = lineStart(text, p.offset)
				return start, settingEnd(text, start), true
			}
		}
		return 0, 0, false
	}
	for _, k := range before {
		if slices.ContainsFunc(after, func(o keyLine) bool { return o.key == k.key }) {
			continue
		}
		start, end, found := find(k.key)
		if !found {
			return text, false
		}
		left := bytes.TrimLeft(comment(text[start:end]), " \t")
		if !bytes.HasPrefix(left, []byte("#")) {
			left = nil
		}
		text = slices.Concat(text[:start], left, text[end:])
	}
	for _, k := range after {
		if slices.Contains(before, k) {
			continue
		}
		if start, end, found := find(k.key); found {
			name, _, _ := bytes.Cut(text[start:end], []byte("="))
			line := slices.Concat(bytes.TrimRight(name, " \t"), []byte(" = "+k.value), comment(text[start:end]))
			text = slices.Concat(text[:start], line, text[end:])
			continue
		}
		_, end, found := outline(text).table(text, table...)
		if !found {
			return text, false
		}
		line := []byte(k.key + " = " + k.value + lineEnd(text))
		if end > 0 && text[end-1] != '\n' {
			line = slices.Concat([]byte(lineEnd(text)), line)
		}
		text = slices.Insert(text, end, line...)
	}
	return text, true
}

// settingEnd returns where the lines of the setting end that begins at start:
// with the first line after which it can be read.
func settingEnd(text []byte, start int) int {
	for end := start; end < len(text); {
		n := bytes.IndexByte(text[end:], '\n') + 1
		if n == 0 {
			break
		}
		if end += n; readable(text[start:end]) {
			return end
		}
	}
	return len(text)
}

// comment returns what follows the value of a setting: a comment with the
// blanks before it, and the line's end.
func comment(setting []byte) []byte {
	for i, c := range setting {
		if c == '#' && readable(setting[:i]) {
			return setting[len(bytes.TrimRight(setting[:i], " \t")):]
		}
	}
	return setting[len(bytes.TrimRight(setting, "\r\n")):]
}

func readable(text []byte) bool { return toml.Unmarshal(text, new(map[string]any)) == nil }

// lineEnd is how the lines of text end, by the first of them.
func lineEnd(text []byte) string {
	if line, _, _ := bytes.Cut(text, []byte("\n")); bytes.HasSuffix(line, []byte("\r")) {
		return "\r\n"
	}
	return "\n"
}

// tomlKey quotes a name that has dots.
func tomlKey(name string) string {
	if strings.Contains(name, ".") {
		return `"` + name + `"`
	}
	return name
}

// places knows where in the text each key and table stands.
type places []place

type place struct {
	path   []string
	header bool // a [table], not a key = value
	offset int  // of the key's first byte
	line   int  // from 1
}

// outline lists the keys of text, up to an error in it.
func outline(text []byte) places {
	var list places
	var table []string
	var p unstable.Parser
	p.Reset(text)
	for p.NextExpression() {
		e := p.Expression()
		var path []string
		offset := -1
		for it := e.Key(); it.Next(); {
			n := it.Node()
			if offset < 0 {
				offset = int(n.Raw.Offset)
			}
			path = append(path, string(n.Data))
		}
		header := e.Kind == unstable.Table || e.Kind == unstable.ArrayTable
		if header {
			table = path
		} else {
			path = slices.Concat(table, path)
		}
		if offset >= 0 {
			list = append(list, place{path, header, offset, 1 + bytes.Count(text[:offset], []byte("\n"))})
		}
	}
	return list
}

// line returns where key is set, else where the innermost table of its path
// begins, else 0.
func (l places) line(key ...string) int {
	for n := len(key); n > 0; n-- {
		for _, p := range l {
			if slices.Equal(p.path, key[:n]) {
				return p.line
			}
		}
	}
	return 0
}

// keyAt returns the key whose value stands at a line; nil: there is none.
func (l places) keyAt(line int) []string {
	var key []string
	for _, p := range l {
		if !p.header && p.line <= line {
			key = p.path
		}
	}
	return key
}

// table returns the bytes of the one table called path: from its header to
// its last line, with comments that hang on it, without those that stand
// before the next table.
func (l places) table(text []byte, path ...string) (start, end int, ok bool) {
	i := slices.IndexFunc(l, func(p place) bool { return p.header && slices.Equal(p.path, path) })
	if i < 0 {
		return 0, 0, false
	}
	start = lineStart(text, l[i].offset)
	limit := len(text)
	if j := slices.IndexFunc(l[i+1:], func(p place) bool { return p.header }); j >= 0 {
		limit = lineStart(text, l[i+1+j].offset)
	}
	// Walk back over what stands between the last setting and the next table.
	lines := slices.Collect(bytes.Lines(text[start:limit]))
	n := len(lines)
	for n > 1 && isBlankOrComment(lines[n-1]) {
		n--
	}
	// Comments right below the last setting are the table's, unless they run
	// up to the next header without an empty line.
	m := n
	for m < len(lines) && len(bytes.TrimSpace(lines[m])) > 0 {
		m++
	}
	if m < len(lines) || limit == len(text) {
		n = m
	}
	end = start
	for _, line := range lines[:n] {
		end += len(line)
	}
	return start, end, true
}

func isBlankOrComment(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) == 0 || line[0] == '#'
}

func lineStart(text []byte, offset int) int { return bytes.LastIndexByte(text[:offset], '\n') + 1 }

// WriteConfig replaces a file of the configuration at once: whoever reads it
// sees the old text or the new one. A link (as people have who keep their dot files elsewhere)
// stays a link.
func WriteConfig(path string, text []byte) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".config-*.toml") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	if d, err := os.Open(dir); err == nil { // make the rename last
		d.Sync()
		d.Close()
	}
	return nil
}
