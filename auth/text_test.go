package auth

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMessages finds what the engine says in its source and compares it with
// the table. Each id must be there, with as many arguments as its format has
// verbs. Each id of the table must be used. An error says nothing past the
// table.
func TestMessages(t *testing.T) {
	said := map[string]bool{ // by an id that is made, or by a table of ids
		"ended_age": true, "ended_refreshes": true, "ended_idle": true, "ended_revoked": true, "ended_rotation_lost": true,
		"ended_tampered": true, "ended_subject_changed": true, "ended_user": true, "ended_token": true,
		CancelledID: true, PromptID: true, LockedID: true,
	}
	verb := regexp.MustCompile(`%[a-z]`)
	set := token.NewFileSet()
	all := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			strings.HasPrefix(path, "authserver") || path == "messages.go" {
			return err
		}
		f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if id, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					all[id] = true
				}
			case *ast.CompositeLit:
				sel, ok := n.Type.(*ast.SelectorExpr)
				if ok && sel.Sel.Name == "Error" && typeName(sel.X) == "auth" && len(n.Elts) > 0 {
					t.Errorf("%s: an error is made by Fail, or no front end can translate it", set.Position(n.Pos()))
				}
			case *ast.CallExpr:
				if typeName(n.Fun) != "Say" || len(n.Args) == 0 {
					return true
				}
				lit, ok := n.Args[0].(*ast.BasicLit)
				if !ok {
					return true
				}
				id, _ := strconv.Unquote(lit.Value)
				format, ok := messages()[id]
				if want := len(verb.FindAllString(format, -1)); !ok || want != len(n.Args)-1 && !n.Ellipsis.IsValid() {
					t.Errorf("%s: %q has %d arguments, its format %q wants %d", set.Position(n.Pos()), id, len(n.Args)-1, format, want)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	formats := map[string]string{}
	for id, format := range messages() {
		screen := strings.HasPrefix(id, "do_") // which ui/status says, and its tests look after
		if !all[id] && !said[id] && !screen {
			t.Errorf("nobody says %q", id)
		}
		if other, twice := formats[format]; twice && id < other && strings.Trim(format, "%s:; ") != "" {
			t.Errorf("%q and %q say the same", id, other)
		}
		formats[format] = id
	}
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// TestTextOnTheWire: what one program says, the other can say again.
func TestTextOnTheWire(t *testing.T) {
	for _, tt := range []struct {
		text Text
		want string // JSON
	}{
		{Say("not_signed_in"), `{"message":"Not signed in.","message_id":"not_signed_in"}`},
		{Say("event_refreshed_for", "curl", 12), `{"message":"refreshed for curl, 12 left","message_id":"event_refreshed_for","message_args":["curl",12]}`},
		{Say("token_too_new", "work", SpanText(40*time.Second)), `{"message":"the token of work is valid for another 40 s and too new to be renewed","message_id":"token_too_new",` +
			`"message_args":["work",{"message":"40 s","message_id":"span_seconds","message_args":[40]}]}`},
		{Say("kept", Say("server_refused", Words("no"))).Sentence(), `{"message":"The server refused this client (no); the session is kept.","message_id":"kept",` +
			`"message_args":[{"message":"the server refused this client (no)","message_id":"server_refused","message_args":["no"]}]}`},
		{Say("sign_in_failed", errors.New("50 % off")), `{"message":"the sign-in failed: 50 % off","message_id":"sign_in_failed","message_args":["50 % off"]}`},
		{Words("Nein."), `{"message":"Nein."}`},
	} {
		b, err := json.Marshal(tt.text)
		if string(b) != tt.want || err != nil {
			t.Errorf("%v\n%s, want\n%s", err, b, tt.want)
		}
		var again Text
		if err := json.Unmarshal(b, &again); err != nil || !reflect.DeepEqual(again, tt.text) {
			t.Errorf("%s became %#v, %v", b, again, err)
		}
	}
	for _, bad := range []string{`{"message_args":[1.5]}`, `{"message_args":[1e99]}`, `{"message_args":[[1]]}`, `{"message_args":7}`} {
		var text Text
		if json.Unmarshal([]byte(bad), &text) == nil {
			t.Errorf("%s is taken as %#v", bad, text)
		}
	}
}
