package agent

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"curfew/auth"
	"curfew/auth/agent/client"
)

// docs/api.md names every request that is served and every field that is
// answered, and no others.
func TestDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	source, err := os.ReadFile("server.go")
	if err != nil {
		t.Fatal(err)
	}
	const account = "/v1/accounts/{name}"
	var served []string
	for _, m := range regexp.MustCompile(`"([A-Z]+) (?:(/v1/[^"]*)"|"\+account(?:\+"([^"]*)")?)`).FindAllStringSubmatch(string(source), -1) {
		path := m[2]
		if path == "" {
			path = account + m[3]
		}
		served = append(served, m[1]+" "+path)
	}
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z]+ /v1/[^`]*)`").FindAllStringSubmatch(text, -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(served)
	if served = slices.Compact(served); len(served) < 20 { // some are in the list for guests too
		t.Fatalf("only %d requests are served: %q", len(served), served)
	}
	if slices.Sort(listed); !slices.Equal(served, listed) {
		t.Errorf("served:\n%s\nlisted:\n%s", strings.Join(served, "\n"), strings.Join(listed, "\n"))
	}

	sections := map[string]string{}
	for part := range strings.SplitSeq(text, "\n## ") {
		title, body, _ := strings.Cut(part, "\n")
		sections[title] = body
	}
	for title, types := range map[string][]any{
		"Error":    {auth.Error{}},
		"Token":    {client.TokenRequest{}, client.TokenAnswer{}, auth.Exchange{}, auth.ProofRequest{}},
		"Snapshot": {auth.Snapshot{}, auth.ForecastView{}, auth.SignInView{}, auth.Taker{}, auth.EndedLimits{}},
		"Sign-in":  {auth.SignInRequest{}, auth.SignInStarted{}},
		"Sign-out": {auth.SignOutResult{}},
		"Event":    {auth.Event{}, auth.Caller{}},
		"Forecast": {auth.ModeForecast{}, struct{ auth.ForecastReport }{}},
		"Check":    {client.Check{}},
		"Version":  {client.Version{}},
	} {
		named := map[string]bool{}
		for _, m := range regexp.MustCompile("[`\"]([a-z][a-z0-9_]+)[`\"]").FindAllStringSubmatch(sections[title], -1) {
			named[m[1]] = true
		}
		for _, v := range types {
			for _, field := range fields(reflect.TypeOf(v)) {
				if !named[field] && !(title == "Forecast" && strings.Contains(sections["Snapshot"], "`"+field+"`")) {
					t.Errorf("%s: the field %s is not documented", title, field)
				}
			}
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| ((?:`[a-z0-9_]+`(?:, )?)+) \\|").FindAllStringSubmatch(sections["Snapshot"], -1) {
		for name := range strings.SplitSeq(strings.ReplaceAll(m[1], "`", ""), ", ") {
			if !slices.Contains(fields(reflect.TypeFor[auth.Snapshot]()), name) {
				t.Errorf("a snapshot has no field %s", name)
			}
		}
	}
}

// fields are the names that a struct's fields have in JSON.
func fields(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case name == "" && f.Anonymous:
			names = append(names, fields(f.Type)...)
		default:
			names = append(names, name)
		}
	}
	return names
}
