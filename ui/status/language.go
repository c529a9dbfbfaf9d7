package status

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// A Language is one that the front ends speak.
type Language struct {
	Code string // BCP 47: "de"
	Name string // as its speakers call it: "Deutsch"
}

// English is the language of the source, and so of everything that is said
// before [SetLanguage]: of the command line always, because programs read it.
const English = "en"

// languages lists all there are. Each but English has the two tables of
// [load], of which a test says what is missing.
var languages = []Language{{English, "English"}, {"de", "Deutsch"}}

// Languages returns the languages there are, in the order to offer them in.
func Languages() []Language { return slices.Clone(languages) }

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
		for _, l := range languages {
			if strings.EqualFold(code, l.Code) {
				return l.Code
			}
		}
	}
	return English
}

// A table is what a language has for the English of the source. A nil table
// is English itself.
type table struct {
	code   string
	words  map[string]forms // by English format; by the form for many where there are two
	engine []pattern
}

// forms are the translations of one format: for one thing, and for any other
// number of things or where nothing is counted.
type forms struct{ one, other string }

// UnmarshalJSON reads a translation, or the object of its plural forms.
func (f *forms) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &f.other) == nil {
		f.one = f.other
		return nil
	}
	var object struct{ One, Other string }
	err := json.Unmarshal(b, &object)
	*f = forms{object.One, object.Other}
	return err
}

//go:embed lang
var files embed.FS

// load reads the tables of a language: lang/de.json, our own words by the
// English format that [Tr] or [Trn] is called with, and lang/de.engine.json,
// the formats that the engine speaks in. They are part of the program, so a
// mistake in them is one of ours.
func load(code string) *table {
	t := &table{code: code}
	read := func(name string, to any) {
		b, err := files.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(b, to)
		}
		if err != nil {
			panic(fmt.Errorf("%s: %w", name, err))
		}
	}
	read("lang/"+code+".json", &t.words)
	var engine map[string]string
	read("lang/"+code+".engine.json", &engine)
	t.engine = compile(engine)
	return t
}

var current atomic.Pointer[table]

// SetLanguage makes every front end of this process speak the language called
// code, one of [Languages]; any other is English. It may be called at any time
// and on any goroutine. Words that were made before stay as they are: who
// shows them makes them anew.
func SetLanguage(code string) {
	known := slices.ContainsFunc(languages, func(l Language) bool { return l.Code == code })
	switch t := current.Load(); {
	case !known, code == English:
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

// Tr is the one door to a person's language: every sentence of this package,
// and the labels of what builds on it, is an English format that passes
// through it. A translation may reorder the arguments (%[2]s). The format is
// a literal, by which a test finds it; it is made into words when it is shown
// and not before, because the language may change.
func Tr(format string, args ...any) string {
	t := current.Load()
	if t == nil {
		return fmt.Sprintf(format, args...)
	}
	f, ok := t.words[format]
	if !ok {
		f.other = format
	}
	return fmt.Sprintf(f.other, args...)
}

// Trn picks the form for n things. English has two, and so has every language
// there is; one that has more needs its rule here.
func Trn(n int, one, many string, args ...any) string {
	if t := current.Load(); t != nil {
		if f, ok := t.words[many]; ok {
			one, many = f.one, f.other
		}
	}
	if n == 1 {
		return fmt.Sprintf(one, args...)
	}
	return fmt.Sprintf(many, args...)
}

// date writes t by a layout of package time that a table may have another
// for; in that, Mon is the day of the week in the language's own words.
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
