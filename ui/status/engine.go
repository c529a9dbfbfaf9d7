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

// The bounds of what is looked at: a server's words may be in it.
const (
	saidMost = 2048 // bytes
	saidDeep = 4    // phrases within phrases
)

// Said says what the engine said in the language that is set. Arguments that
// are phrases of the engine are said again too; account names, programs and
// servers' words stay. The capital and the full stop that the engine may have
// given a phrase, to make it a sentence, are kept.
func Said(text string) string {
	t := current.Load()
	if t == nil || text == "" || len(text) > saidMost {
		return text
	}
	// An error and what to do may stand together, as two sentences.
	for at := strings.LastIndex(text, ". "); at > 0; at = strings.LastIndex(text[:at], ". ") {
		if first, ok := t.sentence(text[:at+1], saidDeep); ok {
			if rest, ok := t.sentence(text[at+2:], saidDeep); ok {
				return first + " " + rest
			}
		}
	}
	if said, ok := t.sentence(text, saidDeep); ok {
		return said
	}
	return text
}

// sentence says a phrase that may have got a capital and a full stop, with
// the phrases in it down to deep. The pattern that is hardest to mistake
// decides, in whatever dress the phrase is; a full stop belongs to no argument.
func (t *table) sentence(text string, deep int) (string, bool) {
	if deep == 0 {
		return "", false
	}
	bare, stopped := strings.CutSuffix(text, ".")
	for _, p := range t.engine {
		if args, ok := p.match(bare); ok {
			return dressed(t.fill(p, args, deep), false, stopped), true
		}
		if args, ok := p.match(recased(bare, unicode.ToLower)); ok {
			return dressed(t.fill(p, args, deep), true, stopped), true
		}
		if args, ok := p.match(text); ok {
			return t.fill(p, args, deep), true
		}
	}
	return "", false
}

// fill puts arguments, themselves said again, into p's translation.
func (t *table) fill(p pattern, args []string, deep int) string {
	var b strings.Builder
	for i, literal := range p.to {
		b.WriteString(literal)
		if i == len(p.order) {
			break
		}
		arg := args[p.order[i]]
		if said, ok := t.sentence(arg, deep-1); ok {
			arg = said
		}
		b.WriteString(arg)
	}
	return b.String()
}

// dressed gives a phrase the capital and the full stop of the one it is said for.
func dressed(s string, capital, stop bool) string {
	if capital {
		s = recased(s, unicode.ToUpper)
	}
	if stop {
		s = strings.TrimSuffix(s, ".") + "."
	}
	return s
}

// recased returns s with its first rune in another case.
func recased(s string, to func(rune) rune) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(to(r)) + s[n:]
}
