// Package config reads, checks and changes config.toml.
//
// Its one hard idea: the file belongs to the person who wrote it. A key that
// Curfew does not know is an error that names file, line and key, so that a
// typo never silently means the default. A change made here leaves comments
// and everything else as it was. Limits can only be tightened.
package config

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"curfew/auth"
)

// Settings is what config.toml says.
type Settings struct {
	auth.General
	Accounts []auth.Account // by name
	File     fs.FileInfo    // of the file when it was read; nil: there was none
}

// maxConfig is the largest config.toml that is read, in bytes.
const maxConfig = 1 << 20

// Load reads config.toml. A file that does not exist has no accounts
// and the built-in limits. What is wrong in it gives an [*Error] that names
// file and line.
func Load(path string) (Settings, error) {
	b, read, err := readConfig(path)
	if err != nil {
		return Settings{}, err
	}
	s, err := parseSettings(path, b)
	s.File = read
	return s, err
}

func readConfig(path string) ([]byte, fs.FileInfo, error) {
	fi, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, nil
	case err == nil && fi.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0: // to open one would wait for a writer
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("it is not a file")}
	}
	var b []byte
	if err == nil {
		b, err = readUpTo(path, maxConfig+1)
	}
	if err != nil {
		return nil, nil, auth.Fail(auth.KindFailed, auth.Say("config_unread", err), auth.Say("hint_config_unread")).Because(err)
	}
	if len(b) > maxConfig {
		return nil, nil, auth.Fail(auth.KindBadRequest, auth.Say("config_too_big", path), auth.Say("hint_config_too_big"))
	}
	return b, fi, nil
}

// readUpTo reads at most n bytes of a file.
func readUpTo(path string, n int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, n))
}

// decode returns the text of the file called path as UTF-8. Windows' Notepad
// writes a byte order mark, or UTF-16.
func decode(path string, raw []byte) ([]byte, error) {
	text, mark := bytes.CutPrefix(raw, []byte("\xef\xbb\xbf"))
	var order binary.ByteOrder
	switch {
	case mark:
	case bytes.HasPrefix(raw, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(raw, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	}
	if order != nil && len(raw)%2 == 0 {
		units := make([]uint16, len(raw)/2-1)
		for i := range units {
			units[i] = order.Uint16(raw[2*i+2:])
		}
		text = []byte(string(utf16.Decode(units)))
	}
	if !bytes.Contains(text, []byte("\n")) { // lines as old Macs ended them
		text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	}
	if !utf8.Valid(text) || bytes.ContainsRune(text, 0) {
		return nil, auth.Fail(auth.KindBadRequest, auth.Say("config_not_utf8", path), auth.Say("hint_utf8"))
	}
	return text, nil
}

// formatVersion is the format of config.toml. It grows when a key that an older
// program knows gets another meaning; a key that it does not know it refuses.
const formatVersion = 1

// settingsFile is the shape of config.toml.
type settingsFile struct {
	Version *int `toml:"version"` // of the format; missing: 1
	Limits  struct {
		MaxAge       *string `toml:"max_age"`
		MaxRefreshes *int    `toml:"max_refreshes"`
		MaxIdle      *string `toml:"max_idle"`
	} `toml:"limits"`
	Desktop struct {
		Warnings *string `toml:"warnings"`
	} `toml:"desktop"`
	Account map[string]auth.Account `toml:"account"`
}

// parseSettings reads the text of the file called path.
func parseSettings(path string, raw []byte) (Settings, error) {
	text, err := decode(path, raw)
	if err != nil {
		return Settings{}, err
	}
	if n := formatOf(text); n > formatVersion {
		return Settings{}, auth.Fail(auth.KindBadRequest, auth.Say("at", path, auth.Say("config_newer", n)), auth.Say("hint_config_newer"))
	}
	var f settingsFile
	if err := readTOML(text, &f); err != nil {
		return Settings{}, syntaxError(path, text, err)
	}
	at := func(p problem, key ...string) error {
		where := path
		if line := outline(text).line(append(key, p.key)...); line > 0 {
			where += ":" + strconv.Itoa(line)
		}
		return auth.Fail(auth.KindBadRequest, auth.Say("at", where, p.message), p.hint)
	}

	s := Settings{General: auth.General{Limits: auth.BuiltIn, Warnings: auth.WarnAll}}
	if p := tighten(&s.Limits, f); p.is() {
		return Settings{}, at(p, "limits")
	}
	if n := f.Version; n != nil && *n < 1 {
		return Settings{}, at(problem{"version", auth.Say("config_version"), auth.Text{}})
	}
	if w := f.Desktop.Warnings; w != nil {
		s.Warnings = auth.WarningLevel(*w)
		if p := checkWarnings(s.Warnings); p.is() {
			return Settings{}, at(p, "desktop")
		}
	}
	for name, a := range f.Account {
		if err := auth.CheckName(name); err != nil {
			e, _ := errors.AsType[*auth.Error](err)
			return Settings{}, at(problem{message: e.Text(), hint: e.HintText()}, "account", name)
		}
		a.Name = name
		a = Tidy(a)
		if p := checkAccount(a); p.is() {
			return Settings{}, at(p, "account", name)
		}
		s.Accounts = append(s.Accounts, a)
	}
	slices.SortFunc(s.Accounts, func(a, b auth.Account) int { return strings.Compare(a.Name, b.Name) })
	return s, nil
}

// formatOf is the format that the text says it has, 0 when it says none. It is
// read before the rest, which a newer format may have changed.
func formatOf(text []byte) int {
	var f struct {
		Version int `toml:"version"`
	}
	if toml.Unmarshal(text, &f) != nil {
		return 0
	}
	return f.Version
}

// readTOML reads text into f. The decoder panics over an unknown key with an
// escape in it (go-toml 2.2.4).
func readTOML(text []byte, f *settingsFile) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("a key has an escape in it")
		}
	}()
	return toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(f)
}

// syntaxError says where the decoder stumbled, and over what.
func syntaxError(path string, text []byte, err error) error {
	if missing, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		e := missing.Errors[0]
		line, _ := e.Position()
		return auth.Fail(auth.KindBadRequest, auth.Say("setting_unknown", path, line, strings.Join(e.Key(), ".")), meant(e.Key()))
	}
	var line, column int
	if e, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, column = e.Position()
	} else {
		line, column = lineOf(text, err), 1
	}
	where := fmt.Sprintf("%s:%d:%d", path, line, column)
	stumbled := strings.Split(string(text), "\n")[line-1]
	if name, _, ok := strings.Cut(stumbled, "="); ok || strings.HasPrefix(name, "[") {
		where += ": " + auth.Clip(name, 40)
	}
	raw := decoderWords(err)
	words := auth.Words(raw)
	hint := auth.Say("hint_fix_line")
	switch {
	case strings.Contains(raw, "already exists") || strings.Contains(raw, "already defined"):
		words = auth.Say("setting_twice")
		hint = auth.Say("hint_setting_twice")
	case strings.Contains(raw, "non-hex character") || strings.Contains(raw, "invalid escaped character"):
		words = auth.Say("setting_backslash")
		hint = auth.Say("hint_setting_backslash")
	case strings.Contains(stumbled, "\u00a0") && !strings.Contains(raw, "cannot"):
		words = auth.Say("no_break_space")
	case strings.Contains(raw, "cannot decode") || strings.Contains(raw, "cannot be assigned") || strings.Contains(raw, "strconv"): // about Go's types
		words = auth.Say("wrong_kind")
		hint = auth.Say("hint_wrong_kind")
	case strings.Contains(raw, "incomplete number") || strings.Contains(raw, "cannot have new lines"): // what a text without its quotes looks like
		words = auth.Say("quote_missing")
		hint = auth.Say("hint_missing_quote")
	}
	return auth.Fail(auth.KindBadRequest, auth.Say("at", where, words), hint)
}

// lineOf is the line that the decoder stumbled over with an error that does not
// say so: without it, and what follows, there is another error or none.
func lineOf(text []byte, err error) int {
	lines := bytes.SplitAfter(text, []byte("\n"))
	return min(len(lines), 1+sort.Search(len(lines), func(n int) bool {
		var f settingsFile
		before := readTOML(bytes.Join(lines[:n+1], nil), &f)
		return before != nil && before.Error() == err.Error()
	}))
}

// decoderWords is the decoder's message on one line: it may quote the file.
func decoderWords(err error) string {
	return auth.Clip(strings.TrimPrefix(err.Error(), "toml: "), 500)
}

// knownKeys returns the part of a key that is unknown, and what could stand in its
// place.
func knownKeys(key []string) (typed string, known []string) {
	switch {
	case key[0] == "account" && len(key) > 2:
		for _, k := range auth.Keys() {
			known = append(known, k.Name)
		}
		return key[2], known
	case key[0] == "limits" && len(key) > 1:
		return key[1], []string{"max_age", "max_refreshes", "max_idle"}
	case key[0] == "desktop" && len(key) > 1:
		return key[1], []string{"warnings"}
	}
	return key[0], []string{"version", "limits", "desktop", "account"}
}

// meant says which setting was meant by an unknown one, or else which there are.
func meant(key []string) auth.Text {
	typed, known := knownKeys(key)
	if typed == "client_secret" && len(key) > 2 {
		return auth.Say("hint_secret_in_file", key[1])
	}
	if near := auth.Nearest(typed, known); near != "" && near != typed {
		return auth.Say("did_you_mean", near)
	}
	return auth.Say("known_are", strings.Join(known, ", "))
}

// A problem is what is wrong with one key; no message means nothing is.
type problem struct {
	key           string
	message, hint auth.Text
}

func (p problem) is() bool { return p.message.Message != "" }

// tighten applies the [limits] table, which can only tighten.
func tighten(l *auth.Limits, f settingsFile) problem {
	if text := f.Limits.MaxAge; text != nil {
		d, err := auth.ParseSpan(*text)
		if err != nil {
			return problem{"max_age", auth.Say("at", "max_age", err), auth.Text{}}
		}
		l.MaxAge = d
	}
	if text := f.Limits.MaxIdle; text != nil {
		d, err := auth.ParseSpan(*text)
		if err != nil {
			return problem{"max_idle", auth.Say("at", "max_idle", err), auth.Text{}}
		}
		l.MaxIdle = d // off by default: any value tightens
	}
	if n := f.Limits.MaxRefreshes; n != nil {
		l.MaxRefreshes = *n
	}
	return checkLimits(*l)
}

// checkLimits: what is looser than the built-in limits is no limit.
func checkLimits(l auth.Limits) problem {
	switch {
	case l.MaxAge <= 0:
		return problem{"max_age", auth.Say("limit_age_positive"), auth.Text{}}
	case l.MaxAge > auth.BuiltIn.MaxAge:
		return problem{"max_age", auth.Say("limit_age_loose", auth.FormatSpan(l.MaxAge), auth.FormatSpan(auth.BuiltIn.MaxAge)), auth.Say("hint_tighten_shorter")}
	case l.MaxRefreshes < 1:
		return problem{"max_refreshes", auth.Say("limit_refreshes_few", l.MaxRefreshes), auth.Say("hint_on_demand")}
	case l.MaxRefreshes > auth.BuiltIn.MaxRefreshes:
		return problem{"max_refreshes", auth.Say("limit_refreshes_loose", l.MaxRefreshes, auth.BuiltIn.MaxRefreshes), auth.Say("hint_tighten_smaller")}
	case l.MaxIdle < 0:
		return problem{"max_idle", auth.Say("limit_idle_negative"), auth.Say("hint_no_idle")}
	}
	return problem{}
}

func checkWarnings(w auth.WarningLevel) problem {
	levels := []string{string(auth.WarnAll), string(auth.WarnFew), string(auth.WarnOff)}
	if slices.Contains(levels, string(w)) {
		return problem{}
	}
	return problem{"warnings", auth.Say("warnings_unknown", w), auth.Say("known_are", strings.Join(levels, ", "))}
}

// CheckGeneral says what is wrong with g, with an [*Error]; a limit that is
// looser than the built-in one is.
func CheckGeneral(g auth.General) error {
	p := checkLimits(g.Limits)
	if !p.is() {
		p = checkWarnings(g.Warnings)
	}
	if p.is() {
		return auth.Fail(auth.KindBadRequest, p.message, p.hint)
	}
	return nil
}
