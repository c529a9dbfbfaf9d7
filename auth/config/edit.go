package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"curfew/auth"
)

// This file edits config.toml, which belongs to a person. Adding an account
// appends a table, and removing one cuts its lines. Changing one writes its
// table again. Settings that mean the same keep their lines, and comments on
// separate lines stay. The edited text is read again and must mean exactly what
// was wanted, else nothing is written.

// SaveAccount adds a to the file, or changes the table of its name, and
// returns how to take that back. What a means is checked first.
func SaveAccount(path string, a auth.Account) (undo func() error, err error) {
	if err := CheckAccount(a); err != nil {
		return nil, err
	}
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	want := f.settings.without(a.Name)
	want.Accounts = append(want.Accounts, a)
	var before []keyLine
	if i := slices.IndexFunc(f.settings.Accounts, func(b auth.Account) bool { return b.Name == a.Name }); i >= 0 {
		before = accountKeys(f.settings.Accounts[i])
	}
	return f.save(f.withTable([]string{"account", a.Name}, before, accountKeys(a)), want, byHand(path, "account."+tomlKey(a.Name)))
}

// SaveGeneral changes what the file says of no account in particular, and
// returns how to take that back. What g means is checked first.
func SaveGeneral(path string, g auth.General) (undo func() error, err error) {
	if err := CheckGeneral(g); err != nil {
		return nil, err
	}
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	text, want := f.text, f.settings
	want.General = g
	for _, table := range []string{"limits", "desktop"} {
		text = file{text: text}.withTable([]string{table}, generalKeys(f.settings.General)[table], generalKeys(g)[table])
	}
	return f.save(text, want, byHand(path, "limits] and [desktop"))
}

// DeleteAccount cuts the account's tables out of the file. An account that is
// not there is no error.
func DeleteAccount(path, name string) error {
	f, err := openFile(path)
	if err != nil {
		return err
	}
	want := f.settings.without(name)
	if len(want.Accounts) == len(f.settings.Accounts) {
		return nil
	}
	text := f.text
	for start, end, ok := outline(text).table(text, true, "account", name); ok; start, end, ok = outline(text).table(text, true, "account", name) {
		before, after := text[:start], text[end:]
		if len(before) == 0 || bytes.HasSuffix(before, []byte("\n\n")) {
			after = bytes.TrimPrefix(after, []byte("\n")) // one empty line is enough
		}
		if len(after) == 0 {
			before = append(bytes.TrimRight(before, "\n"), '\n')
		}
		text = slices.Concat(before, after)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte{}
	}
	_, err = f.save(text, want, byHand(path, "account."+tomlKey(name)))
	return err
}

// A file is config.toml as it was read for a change.
type file struct {
	path     string
	raw      []byte // as it is on disk; nil: there is none
	text     []byte // in UTF-8
	settings Settings
}

func openFile(path string) (file, error) {
	raw, _, err := readConfig(path)
	if err != nil {
		return file{}, err
	}
	s, err := parseSettings(path, raw)
	if err != nil {
		return file{}, err
	}
	text, err := decode(path, raw)
	return file{path, raw, text, s}, err
}

func (s Settings) without(name string) Settings {
	s.Accounts = slices.DeleteFunc(slices.Clone(s.Accounts), func(a auth.Account) bool { return a.Name == name })
	return s
}

// save writes text if it means want, else returns refused, and returns how to
// take that back.
func (f file) save(text []byte, want Settings, refused *auth.Error) (undo func() error, err error) {
	if bytes.Equal(text, f.text) && f.raw != nil {
		text = f.raw // as it was, whatever its encoding
	}
	got, err := parseSettings(f.path, text)
	if err != nil {
		return nil, refused
	}
	slices.SortFunc(want.Accounts, func(a, b auth.Account) int { return strings.Compare(a.Name, b.Name) })
	if got.General != want.General || !slices.EqualFunc(got.Accounts, want.Accounts, auth.SameAccount) {
		return nil, refused
	}
	if bytes.Equal(text, f.raw) {
		return func() error { return nil }, nil
	}
	if err := auth.ReplaceFile(f.path, text); err != nil {
		return nil, auth.Fail(auth.KindFailed, auth.Say("config_unsaved", err), f.unsavedHint()).Because(err)
	}
	return func() error {
		if f.raw == nil {
			return os.Remove(f.path)
		}
		return auth.ReplaceFile(f.path, f.raw)
	}, nil
}

func byHand(path, table string) *auth.Error {
	return auth.Fail(auth.KindBadRequest, auth.Say("config_not_editable", path), auth.Say("hint_edit_table", table))
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

// withTable returns the text with a table that says after, where it said
// before. A table that is not there is appended.
func (f file) withTable(table []string, before, after []keyLine) []byte {
	if slices.Equal(before, after) {
		return f.text
	}
	start, end, found := outline(f.text).table(f.text, false, table...)
	if !found {
		start, end = len(f.text), len(f.text)
	}
	newline := lineEnd(f.text)
	text := slices.Clone(f.text[:start])
	if !found {
		if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
			text = append(text, newline...)
		}
		if len(text) > 0 {
			text = append(text, newline...)
		}
		name := table[len(table)-1]
		text = fmt.Appendf(text, "[%s]%s", strings.Join(append(table[:len(table)-1:len(table)-1], tomlKey(name)), "."), newline)
	}
	written := map[string]bool{}
	write := func(k keyLine, comment string) {
		if !written[k.key] {
			text = fmt.Appendf(text, "%s = %s%s%s", k.key, k.value, comment, newline)
		}
		written[k.key] = true
	}
	for _, part := range parts(f.text[start:end]) {
		i := slices.IndexFunc(after, func(k keyLine) bool { return k.key == part.key })
		switch {
		case part.key == "", i >= 0 && slices.Contains(before, after[i]):
			written[part.key] = true
			if text = append(text, part.lines...); !bytes.HasSuffix(text, []byte("\n")) {
				text = append(text, newline...)
			}
			continue
		case i >= 0:
			write(after[i], part.comment)
		case part.comment != "":
			text = append(text, strings.TrimLeft(part.comment, " \t")+newline...)
		}
		text = append(text, part.below...)
	}
	for _, k := range after {
		if !slices.Contains(before, k) { // else a table below this one says it
			write(k, "")
		}
	}
	return append(text, f.text[end:]...)
}

// A part of a table is one setting with what is below it, up to the next.
type part struct {
	key     string // "": the header
	lines   []byte
	comment string // after the value, with the blanks before it
	below   []byte // the lines that follow the value: empty, or only a comment
}

func parts(table []byte) []part {
	if len(table) == 0 {
		return nil
	}
	starts, keys := []int{0}, []string{""}
	for _, p := range outline(table)[1:] {
		starts, keys = append(starts, lineStart(table, p.offset)), append(keys, p.path[len(p.path)-p.own])
	}
	var list []part
	for i, start := range starts {
		end := len(table)
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		lines := slices.Collect(bytes.Lines(table[start:end]))
		n := len(lines)
		for n > 1 && isBlankOrComment(lines[n-1]) {
			n--
		}
		list = append(list, part{keys[i], table[start:end], comment(slices.Concat(lines[:n]...)), slices.Concat(lines[n:]...)})
	}
	return list
}

// comment returns the comment after the value of a setting, with the blanks
// before it: it begins with the first # that what is left of can be read.
func comment(setting []byte) string {
	for i, c := range setting {
		if c == '#' && toml.Unmarshal(setting[:i], new(map[string]any)) == nil {
			return strings.TrimRight(string(setting[len(bytes.TrimRight(setting[:i], " \t")):]), "\r\n")
		}
	}
	return ""
}

// lineEnd is how the lines of text end, by the first of them.
func lineEnd(text []byte) string {
	if line, _, _ := bytes.Cut(text, []byte("\n")); bytes.HasSuffix(line, []byte("\r")) {
		return "\r\n"
	}
	return "\n"
}

// tomlKey quotes a name that is not of ASCII letters, digits, dashes and underscores.
func tomlKey(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return r == '.' || r > '~' }) {
		return `"` + name + `"`
	}
	return name
}

// places knows where in the text each key and table is.
type places []place

type place struct {
	path   []string
	own    int  // how many of path are in this place, not in the header above
	header bool // a [table], not a key = value
	offset int  // of the key's first byte
	line   int  // from 1
}

// outline lists the keys of text, up to an error in it.
func outline(text []byte) places {
	var list places
	var table []string
	line, counted := 1, 0 // of the line that counted is on
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
		own := len(path)
		header := e.Kind == unstable.Table || e.Kind == unstable.ArrayTable
		if header {
			table = path
		} else {
			path = slices.Concat(table, path)
		}
		if offset >= 0 {
			line += bytes.Count(text[counted:offset], []byte("\n"))
			counted = offset
			list = append(list, place{path, own, header, offset, line})
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

// table returns the bytes of the table called path, or of the first one below
// it. They go from its header to its last line with the comments that belong to
// it. Comments right above the next table are left out.
func (l places) table(text []byte, below bool, path ...string) (start, end int, ok bool) {
	i := slices.IndexFunc(l, func(p place) bool {
		return p.header && len(p.path) >= len(path) && slices.Equal(p.path[:len(path)], path) && (below || len(p.path) == len(path))
	})
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

// unsavedHint is what to do when the file cannot be replaced. A link is most likely
// that of a program that manages such files.
func (f file) unsavedHint() auth.Text {
	if target, err := os.Readlink(f.path); err == nil {
		return auth.Say("hint_config_linked", f.path, target)
	}
	return auth.Say("hint_config_unsaved", filepath.Dir(f.path))
}
