package config

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"curfew/auth"
)

// This file edits config.toml, which is the person's. Adding an account appends
// a table, removing one cuts its lines, changing something changes the lines
// that say it; comments and order stay. The edited text is read again and must
// mean exactly what was wanted, else nothing is written.

// SaveAccount adds a to the file, or changes the table of its name, and
// returns how to take that back. What a means is checked first.
func SaveAccount(path string, a auth.Account) (undo func() error, err error) {
	if err := CheckAccount(a); err != nil {
		return nil, err
	}
	old, settings, err := loadForEdit(path)
	if err != nil {
		return nil, err
	}
	want := settings.without(a.Name)
	want.Accounts = append(want.Accounts, a)
	i := slices.IndexFunc(settings.Accounts, func(b auth.Account) bool { return b.Name == a.Name })
	if i < 0 {
		return saveEdit(path, old, appendTable(old, "account."+tomlKey(a.Name), accountKeys(a)), want, accountByHand(path, a.Name))
	}
	if auth.SameAccount(settings.Accounts[i], a) {
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
func SaveGeneral(path string, g auth.General) (undo func() error, err error) {
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
	byHand := &auth.Error{
		Kind:    auth.KindBadRequest,
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
	s.Accounts = slices.DeleteFunc(slices.Clone(s.Accounts), func(a auth.Account) bool { return a.Name == name })
	return s
}

// saveEdit writes text in the place of old if it means want, else returns
// byHand, and returns how to take that back.
func saveEdit(path string, old, text []byte, want Settings, byHand *auth.Error) (undo func() error, err error) {
	got, err := parseSettings(path, text)
	if err != nil {
		return nil, byHand
	}
	slices.SortFunc(want.Accounts, func(a, b auth.Account) int { return strings.Compare(a.Name, b.Name) })
	if got.General != want.General || !slices.EqualFunc(got.Accounts, want.Accounts, auth.SameAccount) {
		return nil, byHand
	}
	if err := auth.WriteConfig(path, text); err != nil {
		return nil, err
	}
	return func() error {
		if old == nil {
			return os.Remove(path)
		}
		return auth.WriteConfig(path, old)
	}, nil
}

func accountByHand(path, name string) *auth.Error {
	return &auth.Error{
		Kind:    auth.KindBadRequest,
		Message: fmt.Sprintf("%s is written in a way that cannot be edited safely", path),
		Hint:    fmt.Sprintf("edit account %q there yourself, as a table [account.%s]", name, tomlKey(name)),
	}
}

// A keyLine is one setting as it is written into the file.
type keyLine struct{ key, value string }

func accountKeys(a auth.Account) []keyLine {
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
func generalKeys(g auth.General) map[string][]keyLine {
	keys := map[string][]keyLine{}
	if g.Limits.MaxAge != auth.BuiltIn.MaxAge {
		keys["limits"] = append(keys["limits"], keyLine{"max_age", strconv.Quote(auth.FormatSpan(g.Limits.MaxAge))})
	}
	if g.Limits.MaxRefreshes != auth.BuiltIn.MaxRefreshes {
		keys["limits"] = append(keys["limits"], keyLine{"max_refreshes", strconv.Itoa(g.Limits.MaxRefreshes)})
	}
	if g.Limits.MaxIdle != 0 {
		keys["limits"] = append(keys["limits"], keyLine{"max_idle", strconv.Quote(auth.FormatSpan(g.Limits.MaxIdle))})
	}
	if g.Warnings != auth.WarnAll {
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
