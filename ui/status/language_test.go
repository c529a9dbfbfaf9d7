package status

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// speak sets a language until the end of the test.
func speak(t testing.TB, code string) {
	t.Helper()
	SetLanguage(code)
	t.Cleanup(func() { SetLanguage(English) })
}

// source is our own code, without tests, by directory from the module's root.
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

// keys finds every format that our code says something with, and where; n is
// true for those with a form for one.
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

// tables reads a file of translations as a person wrote it.
func tableFile(t *testing.T, name string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("lang", name))
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

// sameArguments complains when a translation does not have the arguments of
// its key, each as often and made into words the same way.
func sameArguments(t *testing.T, where, key, translation string) {
	t.Helper()
	arguments := func(format string) (all []string) {
		_, verbs := cut(format)
		for _, v := range verbs {
			_, kind, numbered := strings.Cut(v.text, "]")
			if !numbered {
				kind = v.text[1:]
			}
			all = append(all, strconv.Itoa(v.argument)+kind)
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

// TestEveryWordIsTranslated compares what our code says with the tables: no
// key is missing in one, and none is there that nobody says.
func TestEveryWordIsTranslated(t *testing.T) {
	plain, counted := keys(t)
	for _, l := range languages[1:] {
		name := l.Code + ".json"
		all := tableFile(t, name)
		for key, where := range plain {
			switch translation, ok := all[key].(string); {
			case !ok:
				t.Errorf("%s: %s has no translation of %q", where, name, key)
			default:
				sameArguments(t, name, key, translation)
			}
		}
		for key, where := range counted {
			one, _ := all[key].(map[string]any)
			if len(one) != 2 {
				t.Errorf("%s: %s must translate %q for one and for other numbers", where, name, key)
			}
			for form, translation := range one {
				text, ok := translation.(string)
				if !ok || form != "one" && form != "other" {
					t.Errorf("%s: %q has a form %q that is none", name, key, form)
				}
				sameArguments(t, name, key, text)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(all)) {
			_, said := plain[key]
			_, also := counted[key]
			if !said && !also {
				t.Errorf("%s: nobody says %q", name, key)
			}
		}
	}
}
