package status

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// engineFormats reads from the engine's source what it can say to a person:
// the words of its errors, states, warnings and events. It follows a phrase
// through local variables, constants and functions of the same package, so
// that each format is found where it is written; what is put into one and is
// no phrase of the engine (an account's name, a server's words) is its %s.
func engineFormats(t *testing.T) map[string]token.Position {
	t.Helper()
	found := map[string]token.Position{}
	s := parse(t, "auth")
	words := &phrases{funcs: map[string]*ast.FuncDecl{}, consts: map[string]ast.Expr{}}
	words.declare(s.files["auth"]) // every other package speaks with these, too
	for _, dir := range []string{"auth", "auth/agent", "auth/agent/client", "auth/config", "auth/engine", "auth/oauth"} {
		p := &phrases{s: s, found: found, funcs: maps.Clone(words.funcs), consts: maps.Clone(words.consts), seen: map[ast.Node]bool{}}
		p.declare(s.files[dir])
		for _, f := range s.files[dir] {
			for _, d := range f.Decls {
				p.sinks(dir, d)
			}
		}
	}
	return found
}

// phrases follows expressions to the formats that they are made from.
type phrases struct {
	s      source
	found  map[string]token.Position
	funcs  map[string]*ast.FuncDecl
	consts map[string]ast.Expr
	seen   map[ast.Node]bool
}

// declare notes the functions and constants of a package.
func (p *phrases) declare(files []*ast.File) {
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Body != nil && d.Name.Name != "String" { // for logs
					p.funcs[d.Name.Name] = d
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if v, ok := spec.(*ast.ValueSpec); ok {
						for i, value := range v.Values {
							p.consts[v.Names[i].Name] = value
						}
					}
				}
			}
		}
	}
}

// read are the fields of the engine's types that people read.
var read = map[string][]string{
	"Error": {"Message", "Hint"}, "Event": {"Message"}, "SignInView": {"Message"}, "SignOutResult": {"Message"},
	"Decision": {"Why"}, "problem": {"", "message", "hint"}, "Warning": {"", "Message"}, "networkError": {"text"},
}

// lead is what stands before what a function returns: the name of a server.
var lead = map[string]string{"networkReason": "%s "}

// sinks finds in fn what reaches a person.
func (p *phrases) sinks(dir string, fn ast.Node) {
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			name := ""
			switch of := n.Type.(type) {
			case *ast.Ident:
				name = of.Name
			case *ast.SelectorExpr:
				name = of.Sel.Name
			}
			fields := read[name]
			if dir == "auth/oauth" && name == "Error" {
				p.cancelled(fn, n)
				return true
			}
			for i, e := range n.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					if key, ok := kv.Key.(*ast.Ident); ok && slices.Contains(fields, key.Name) {
						p.phrase(fn, kv.Value)
					}
				} else if i < len(fields) && fields[i] != "" {
					p.phrase(fn, e)
				}
			}
		case *ast.AssignStmt:
			for i, to := range n.Lhs {
				field, ok := to.(*ast.SelectorExpr)
				if ok && len(n.Rhs) == len(n.Lhs) && slices.Contains([]string{"Message", "Hint", "NextReason", "Warnings", "Note"}, field.Sel.Name) {
					p.phrase(fn, n.Rhs[i])
				}
			}
		case *ast.CallExpr:
			// The agent's constructor of errors takes a kind and both texts.
			if name := called(n); dir != "auth/oauth" && (strings.EqualFold(name, "failure") || name == "warn") && len(n.Args) >= 3 {
				for _, a := range n.Args[1:] {
					p.phrase(fn, a)
				}
			}
		}
		return true
	})
}

// cancelled notes what a protocol error says of a sign-in that was given up.
// For the other classes the engine has its own words.
func (p *phrases) cancelled(fn ast.Node, lit *ast.CompositeLit) {
	values := map[string]ast.Expr{}
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			values[kv.Key.(*ast.Ident).Name] = kv.Value
		}
	}
	class, _ := values["Class"].(*ast.Ident)
	why, _ := values["Err"].(*ast.CallExpr)
	if class == nil || class.Name != "Cancelled" || why == nil || called(why) != "New" {
		return
	}
	text, _ := literal(why.Args[0])
	p.note("%s: "+text, lit)
	p.phrase(fn, values["Op"])
}

// phrase notes the format of e, and those of the phrases in it. It returns
// the format; "%s" when e is no phrase.
func (p *phrases) phrase(fn ast.Node, e ast.Expr) string {
	format := p.format(fn, e)
	p.note(format, e)
	return format
}

// note notes a format, if there is a word in it.
func (p *phrases) note(format string, where ast.Node) {
	literals, _ := cut(format)
	text := strings.Join(literals, "")
	if strings.ContainsFunc(text, unicode.IsLetter) && (strings.Contains(text, " ") || len(text) > 2) {
		p.found[strings.TrimSpace(format)] = p.s.set.Position(where.Pos())
	}
}

func (p *phrases) format(fn ast.Node, e ast.Expr) string {
	if text, ok := literal(e); ok {
		return strings.ReplaceAll(text, "%", "%%")
	}
	switch e := e.(type) {
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return p.part(fn, e.X) + p.part(fn, e.Y)
		}
	case *ast.Ident:
		p.variable(fn, e)
	case *ast.SelectorExpr:
		if of, ok := e.X.(*ast.Ident); ok && of.Name == "auth" {
			p.variable(fn, e.Sel)
		}
	case *ast.CallExpr:
		name := called(e)
		switch {
		case name == "Sprintf" || name == "Errorf":
			if format, ok := literal(e.Args[0]); ok {
				for _, a := range e.Args[1:] {
					p.phrase(fn, a)
				}
				return format
			}
		case name == "append" || name == "sentence" || name == "Or":
			for _, a := range e.Args {
				p.phrase(fn, a)
			}
		case p.funcs[name] != nil && !p.seen[p.funcs[name]]:
			p.seen[p.funcs[name]] = true
			p.returns(p.funcs[name], p.funcs[name].Body, lead[name])
		}
	case *ast.FuncLit:
		p.returns(fn, e.Body, "")
	}
	return "%s"
}

// returns notes what a body in fn returns, each after lead.
func (p *phrases) returns(fn ast.Node, body *ast.BlockStmt, lead string) {
	ast.Inspect(body, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok {
			for _, result := range r.Results {
				p.note(lead+p.format(fn, result), result)
			}
		}
		return true
	})
}

// part is format for one summand: what else it may be is a phrase of its own.
func (p *phrases) part(fn ast.Node, e ast.Expr) string {
	if _, ok := literal(e); ok {
		return p.format(fn, e)
	}
	if b, ok := e.(*ast.BinaryExpr); ok && b.Op == token.ADD {
		return p.format(fn, e)
	}
	p.phrase(fn, e)
	return "%s"
}

// variable notes what a variable of fn, or a constant of the package, may be.
// What is added to a variable is noted with each thing that it may be added to.
func (p *phrases) variable(fn ast.Node, id *ast.Ident) {
	if value, ok := p.consts[id.Name]; ok && !p.seen[value] {
		p.seen[value] = true
		p.phrase(fn, value)
	}
	var values []string
	ast.Inspect(fn, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && v.Names[0].Name == id.Name && len(v.Values) == 1 && !p.seen[v] {
			p.seen[v] = true
			p.phrase(fn, v.Values[0])
		}
		a, ok := n.(*ast.AssignStmt)
		if !ok {
			return true
		}
		for i, to := range a.Lhs {
			if name, ok := to.(*ast.Ident); !ok || name.Name != id.Name || p.seen[a] {
				continue
			}
			p.seen[a] = true
			value := a.Rhs[min(i, len(a.Rhs)-1)] // all results of one call are followed
			if a.Tok != token.ADD_ASSIGN {
				values = append(values, p.phrase(fn, value))
				continue
			}
			more := p.format(fn, value)
			for _, v := range slices.Clone(values) {
				p.note(v+more, value)
				values = append(values, v+more)
			}
		}
		return true
	})
}

// TestTheEngineIsUnderstood compares what the engine can say with the tables.
func TestTheEngineIsUnderstood(t *testing.T) {
	formats := engineFormats(t)
	for _, l := range languages[1:] {
		name := l.Code + ".engine.json"
		all := tableFile(t, name)
		for format, where := range formats {
			translation, ok := all[format].(string)
			if !ok {
				t.Errorf("%s: %s has no translation of %q", where, name, format)
				continue
			}
			sameArguments(t, name, format, translation)
		}
		for _, key := range slices.Sorted(maps.Keys(all)) {
			if _, ok := formats[key]; !ok {
				t.Errorf("%s: the engine never says %q", name, key)
			}
		}
	}
}

// TestTheEngineIsSaidAgain makes a phrase of every format, as the engine does,
// bare and as a sentence, and has it recognised: no format hides behind
// another.
func TestTheEngineIsSaidAgain(t *testing.T) {
	for _, l := range languages[1:] {
		speak(t, l.Code)
		for format, translation := range tableFile(t, l.Code+".engine.json") {
			fill := func(format string) string {
				literals, verbs := cut(format)
				var text strings.Builder
				text.WriteString(literals[0])
				for i, v := range verbs {
					arg := []string{"Ärger", "Büro", "Čas"}[v.argument]
					switch v.text[len(v.text)-1] {
					case 'd', 'f':
						arg = []string{"17", "28", "39"}[v.argument]
					case 'q':
						arg = strconv.Quote(arg)
					}
					text.WriteString(arg + literals[i+1])
				}
				return text.String()
			}
			from, want := fill(format), fill(translation.(string))
			if got := Said(from); got != want {
				t.Errorf("%s: %q became %q, not %q", l.Code, from, got, want)
			}
			if from = sentence(from); strings.HasSuffix(from, "…") {
				continue // too long for a sentence
			}
			if got, want := Said(from), sentence(want); got != want {
				t.Errorf("%s: %q became %q, not %q", l.Code, from, got, want)
			}
		}
	}
}

// FuzzSaid: whatever a server or a newer engine says, it is never lost, and
// never takes long.
func FuzzSaid(f *testing.F) {
	for _, text := range []string{"", ".", ". ", "%", "%s", "the server cannot be reached (", "The server asks to wait.", strings.Repeat("sign-in failed: x. ", 100), strings.Repeat("%s: ", 500), "Ärger; the session is kept."} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		SetLanguage(English)
		if got := Said(text); got != text {
			t.Fatalf("in English %q became %q", text, got)
		}
		speak(t, "de")
		began := time.Now()
		got := Said(text)
		if took := time.Since(began); took > time.Second {
			t.Errorf("%v for %d bytes", took, len(text))
		}
		if (text == "") != (got == "") || utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("%q became %q", text, got)
		}
	})
}
