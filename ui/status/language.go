package status

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Language is one that the front ends speak.
type Language struct {
	Code string // BCP 47: "de"
	Name string // as its speakers call it: "Deutsch"
}

// English is the language of the source. Before [SetLanguage], everything is in
// English. The command line always is, because programs read it.
const English = "en"

//go:embed lang
var files embed.FS

// codes are the languages that have a file, which English does not need. A file is
// all that a language needs, unless it needs another rule for plurals in [plural].
var codes = sync.OnceValue(func() []string {
	all, err := files.ReadDir("lang")
	if err != nil {
		panic(err) // compiled in
	}
	var codes []string
	for _, f := range all {
		codes = append(codes, strings.TrimSuffix(f.Name(), ".json"))
	}
	return codes
})

// Languages returns the languages there are, in the order to offer them in.
func Languages() []Language {
	all := []Language{{English, "English"}}
	for _, code := range codes() {
		all = append(all, Language{code, load(code).words[ownName]["other"]})
	}
	return all
}

// MatchLanguage returns the code of the first language among tags that there
// is, and English when there is none. A tag is one of BCP 47 or a locale as
// POSIX writes it: "de-AT", "de_DE.UTF-8".
func MatchLanguage(tags ...string) string {
	for _, tag := range tags {
		code, _, _ := strings.Cut(strings.Map(func(r rune) rune {
			if strings.ContainsRune("_.@", r) {
				return '-'
			}
			return r
		}, tag), "-")
		for _, known := range append([]string{English}, codes()...) {
			if strings.EqualFold(code, known) {
				return known
			}
		}
	}
	return English
}

// A table is what a language has for the English of the source: words by
// English format, by the form for many where there are two. A nil table is
// English itself.
type table struct {
	code  string
	words map[string]forms
}

// ownName is the key under which a language calls itself.
const ownName = "(language)"

// forms are the translations of one format by their plural category in CLDR, such
// as "one" and "few". A format that counts nothing has only "other".
type forms map[string]string

// UnmarshalJSON reads a translation, or the object of its plural forms.
func (f *forms) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*f = forms{"other": text}
		return nil
	}
	return json.Unmarshal(b, (*map[string]string)(f))
}

// plural is the plural category of n things, by the rules of CLDR for whole
// numbers: https://cldr.unicode.org/index/cldr-spec/plural-rules.
func plural(code string, n int) string {
	n = max(n, -n)
	ones, tens := n%10, n%100
	few := ones >= 2 && ones <= 4 && (tens < 12 || tens > 14)
	switch code {
	case "ja", "ko", "th", "vi", "zh", "id":
		return "other"
	case "fr", "pt":
		if n <= 1 {
			return "one"
		}
		return "other"
	case "cs", "sk":
		if n >= 2 && n <= 4 {
			return "few"
		}
	case "pl", "ru", "uk":
		switch {
		case code == "pl" && n == 1, code != "pl" && ones == 1 && tens != 11:
			return "one"
		case few:
			return "few"
		}
		return "many"
	}
	if n == 1 {
		return "one"
	}
	return "other"
}

// of picks the form for n things.
func (f forms) of(code string, n int) string {
	if text, ok := f[plural(code, n)]; ok {
		return text
	}
	return f["other"]
}

// load reads the table of a language. It is part of the program, so a mistake in it
// is a bug.
func load(code string) *table {
	t := &table{code: code}
	name := "lang/" + code + ".json"
	b, err := files.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(b, &t.words)
	}
	if err != nil {
		panic(fmt.Errorf("%s: %w", name, err))
	}
	return t
}

var current atomic.Pointer[table]

// SetLanguage makes every front end of this process speak the language called
// code, one of [Languages]. With any other code it is English. It may be called at
// any time and on any goroutine. Existing words stay as they are, so the caller
// must make them again.
func SetLanguage(code string) {
	switch t := current.Load(); {
	case !slices.Contains(codes(), code):
		current.Store(nil)
	case t == nil || t.code != code:
		current.Store(load(code))
	}
}

// SpokenLanguage returns the code of the language that was set last.
func SpokenLanguage() string {
	if t := current.Load(); t != nil {
		return t.code
	}
	return English
}

// Tr translates an English format into the person's language. Every sentence of
// the front ends passes through it. A translation may reorder the arguments
// (%[2]s). The format must be a literal, because a test looks for it. Call Tr when
// the text is shown and not earlier, because the language may change.
func Tr(format string, args ...any) string {
	t := current.Load()
	if t == nil {
		return fmt.Sprintf(format, args...)
	}
	if f, ok := t.words[format]; ok {
		format = f["other"]
	}
	return fmt.Sprintf(format, args...)
}

// Trn is [Tr] for n things. English has two forms, and other languages have those
// of [plural].
func Trn(n int, one, many string, args ...any) string {
	if t := current.Load(); t != nil {
		if f, ok := t.words[many]; ok {
			return fmt.Sprintf(f.of(t.code, n), args...)
		}
	}
	if n == 1 {
		return fmt.Sprintf(one, args...)
	}
	return fmt.Sprintf(many, args...)
}

// date writes t by a layout of package time, which a translation may change. Mon
// becomes the day of the week in the person's language.
func date(t time.Time, layout string) string {
	return strings.Replace(t.Format(layout), t.Format("Mon"), weekday(t.Weekday()), 1)
}

func weekday(d time.Weekday) string {
	switch d {
	case time.Monday:
		return Tr("Mon")
	case time.Tuesday:
		return Tr("Tue")
	case time.Wednesday:
		return Tr("Wed")
	case time.Thursday:
		return Tr("Thu")
	case time.Friday:
		return Tr("Fri")
	case time.Saturday:
		return Tr("Sat")
	}
	return Tr("Sun")
}

// Sentence says a sentence of the agent's data in the language that is set: a
// line of a provider's guide, or the help of a setting. It has a capital.
func Sentence(english string) string {
	if t := current.Load(); t != nil && t.words[english] != nil {
		english = t.words[english]["other"]
	}
	r, n := utf8.DecodeRuneInString(english)
	return string(unicode.ToUpper(r)) + english[n:]
}
