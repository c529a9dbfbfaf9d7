package status

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The engine speaks English, also over its socket, where programs may read
// it. What of that a snapshot has in fields is said in our own words. The
// rest, why a server refused or what a keychain lacks, are sentences that the
// engine makes from formats; a language has those formats with its own beside
// each, so that a sentence is recognised by its format and said again with its
// arguments. What nobody recognises is shown as it is: a server's own words,
// or a newer engine's.

// A pattern recognises what was made from one format.
type pattern struct {
	literals []string // between the arguments
	digits   []bool   // the argument is a number
	weight   int      // how much of it is literal: the more, the surer
	to       []string // the translation, cut at its arguments
	order    []int    // which argument stands after each piece of to
}

// compile makes patterns of formats, those first that are hardest to mistake.
func compile(formats map[string]string) []pattern {
	var all []pattern
	for from, to := range formats {
		var p pattern
		var verbs []verb
		p.literals, verbs = cut(from)
		for _, v := range verbs {
			p.digits = append(p.digits, strings.ContainsAny(v.text, "df"))
		}
		for _, l := range p.literals {
			p.weight += len(l)
		}
		p.to, verbs = cut(to)
		for _, v := range verbs {
			p.order = append(p.order, v.argument)
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b pattern) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), slices.Compare(a.literals, b.literals))
	})
	return all
}

// A verb is one argument's place in a format.
type verb struct {
	text     string // "%d", "%[2]s"
	argument int    // from 0
}

// cut cuts a format at its verbs. It knows those that our formats have: %s,
// %d, %q, %v and the like, numbered or not, with %% for a per cent sign.
func cut(format string) (literals []string, verbs []verb) {
	var b strings.Builder
	for format != "" {
		text, rest, found := strings.Cut(format, "%")
		b.WriteString(text)
		if !found {
			break
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return unicode.IsLetter(r) || r == '%' })
		if end < 0 {
			b.WriteString("%" + rest)
			break
		}
		v := verb{"%" + rest[:end+1], len(verbs)}
		format = rest[end+1:]
		if v.text == "%%" {
			b.WriteByte('%')
			continue
		}
		if number, _, ok := strings.Cut(strings.TrimPrefix(rest, "["), "]"); ok && rest[0] == '[' {
			if n, err := strconv.Atoi(number); err == nil {
				v.argument = n - 1
			}
		}
		literals, verbs = append(literals, b.String()), append(verbs, v)
		b.Reset()
	}
	return append(literals, b.String()), verbs
}

// match returns the arguments of text, if it was made from p's format.
func (p pattern) match(text string) (args []string, ok bool) {
	text, ok = strings.CutPrefix(text, p.literals[0])
	for i, number := range p.digits {
		if !ok {
			return nil, false
		}
		literal, arg := p.literals[i+1], ""
		if i == len(p.digits)-1 {
			arg, ok = strings.CutSuffix(text, literal)
			text = ""
		} else {
			arg, text, ok = strings.Cut(text, literal)
		}
		if arg == "" || number && strings.Trim(arg, "0123456789") != "" {
			return nil, false
		}
		args = append(args, arg)
	}
	return args, ok && text == ""
}

// Said says what the engine said in the language that is set. Arguments that
// are phrases of the engine are said again too; account names, programs and
// servers' words stay. The capital and the full stop that the engine may have
// given a phrase, to make it a sentence, are kept.
func Said(text string) string {
	if t := current.Load(); t != nil && text != "" {
		if said, ok := t.sentences(text); ok {
			return said
		}
	}
	return text
}

// sentences says what the engine put together of several sentences, as an
// error and what to do, or else as one.
func (t *table) sentences(text string) (string, bool) {
	for at := strings.LastIndex(text, ". "); at > 0; at = strings.LastIndex(text[:at], ". ") {
		if first, ok := t.sentences(text[:at+1]); ok {
			if rest, ok := t.sentences(text[at+2:]); ok {
				return first + " " + rest, true
			}
		}
	}
	return t.sentence(text)
}

// sentence says a phrase that may have got a capital and a full stop.
func (t *table) sentence(text string) (string, bool) {
	for _, stop := range []string{".", ""} { // a full stop belongs to no argument
		phrase, ok := strings.CutSuffix(text, stop)
		if !ok {
			continue
		}
		if said, ok := t.phrase(phrase); ok {
			return withStop(said, stop), true
		}
		if said, ok := t.phrase(recased(phrase, unicode.ToLower)); ok {
			return withStop(recased(said, unicode.ToUpper), stop), true
		}
	}
	return "", false
}

// recased returns s with its first rune in another case.
func recased(s string, to func(rune) rune) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(to(r)) + s[n:]
}

func withStop(s, stop string) string { return strings.TrimSuffix(s, stop) + stop }

// phrase says what was made from one format.
func (t *table) phrase(text string) (string, bool) {
	for _, p := range t.engine {
		args, ok := p.match(text)
		if !ok {
			continue
		}
		var b strings.Builder
		for i, literal := range p.to {
			b.WriteString(literal)
			if i < len(p.order) {
				b.WriteString(Said(args[p.order[i]]))
			}
		}
		return b.String(), true
	}
	return "", false
}
