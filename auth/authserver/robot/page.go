package robot

import (
	"bytes"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

var (
	agrees  = regexp.MustCompile(`(?i)\b(accept|allow|authori[sz]e|approve|grant|continue|yes|sign.?in|log.?in|submit|confirm)\b`)
	refuses = regexp.MustCompile(`(?i)\b(cancel|deny|reject|abort|refuse|no)\b`)
	elsehow = regexp.MustCompile(`(?i)\b(forgot|register|sign.?up|create)\b`) // leads away from signing in
	aboutMe = regexp.MustCompile(`(?i)user|login|e-?mail|account`)
	aCode   = regexp.MustCompile(`(?i)code`)
	refresh = regexp.MustCompile(`(?i)^\s*\d*\s*[;,]\s*url\s*=\s*['"]?([^'"]+)`)
)

// A document is what matters of a page.
type document struct {
	text    string
	forms   []*form
	links   []*form // as GET forms without fields
	refresh string  // target of <meta http-equiv=refresh>
}

// A form is something that can be sent.
type form struct {
	action   string
	method   string
	fields   url.Values
	inputs   []input // to be filled in
	buttons  []button
	password bool // asks for one
	link     bool // <a href>
}

type input struct{ name, kind, id, value string }

type button struct{ name, value, words string }

// String names the form's fields, not their values.
func (f *form) String() string {
	return fmt.Sprintf("%s form %v", f.method, slices.Sorted(maps.Keys(f.fields)))
}

// key is the same for the same question. Hidden values may differ from page to
// page, and may be the same where two questions share an address. So only
// visible ones count.
func (f *form) key() string {
	action, _, _ := strings.Cut(f.action, "?")
	return fmt.Sprintf("%s %s %v %q", f.method, action, slices.Sorted(maps.Keys(f.fields)), f.buttons)
}

// read takes a page apart. Anything but HTML is text.
func read(contentType string, body []byte) document {
	if kind, _, _ := mime.ParseMediaType(contentType); kind != "text/html" && kind != "application/xhtml+xml" {
		return document{text: strings.Join(strings.Fields(string(body)), " ")}
	}
	root, err := html.ParseWithOptions(bytes.NewReader(body), html.ParseOptionEnableScripting(false))
	if err != nil { // only a reader can fail
		return document{}
	}
	d := document{text: words(root)}
	d.walk(root, nil)
	return d
}

func (d *document) walk(n *html.Node, f *form) {
	if n.Type == html.ElementNode {
		a := map[string]string{}
		for _, x := range n.Attr {
			a[x.Key] = x.Val
		}
		switch n.Data {
		case "form":
			f = &form{action: a["action"], method: strings.ToUpper(a["method"]), fields: url.Values{}}
			if f.method != http.MethodPost {
				f.method = http.MethodGet
			}
			d.forms = append(d.forms, f)
		case "a":
			if a["href"] != "" {
				d.links = append(d.links, &form{action: a["href"], method: http.MethodGet, fields: url.Values{},
					buttons: []button{{words: words(n)}}, link: true})
			}
		case "meta":
			if m := refresh.FindStringSubmatch(a["content"]); m != nil && strings.EqualFold(a["http-equiv"], "refresh") {
				d.refresh = m[1]
			}
		case "button":
			if kind := strings.ToLower(a["type"]); f != nil && (kind == "" || kind == "submit") {
				f.buttons = append(f.buttons, button{a["name"], a["value"], words(n) + " " + a["value"]})
			}
		case "input":
			if f != nil {
				f.add(a)
			}
		}
	}
	for c := range n.ChildNodes() {
		d.walk(c, f)
	}
}

func (f *form) add(a map[string]string) {
	_, checked := a["checked"]
	switch kind := strings.ToLower(a["type"]); kind {
	case "submit":
		f.buttons = append(f.buttons, button{a["name"], a["value"], a["value"] + " " + a["name"]})
	case "hidden":
		if a["name"] != "" {
			f.fields.Add(a["name"], a["value"])
		}
	case "checkbox", "radio":
		if checked && a["name"] != "" {
			value := a["value"]
			if value == "" {
				value = "on"
			}
			f.fields.Add(a["name"], value)
		}
	case "button", "image", "file", "reset":
	default:
		if a["name"] != "" {
			f.inputs = append(f.inputs, input{a["name"], kind, a["id"], a["value"]})
			f.password = f.password || kind == "password"
		}
	}
}

// words is the visible text below n, in one line.
func words(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		switch {
		case n.Type == html.TextNode:
			b.WriteString(n.Data)
			return
		case n.Type == html.ElementNode && slices.Contains([]string{"script", "style", "title"}, n.Data):
			return
		}
		inline := slices.Contains([]string{"a", "b", "code", "em", "i", "small", "span", "strong"}, n.Data)
		if !inline {
			b.WriteByte(' ')
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
		if !inline {
			b.WriteByte(' ')
		}
	}
	walk(n)
	return strings.Join(strings.Fields(b.String()), " ")
}

// decide returns what to send, filled in, or nil when the page asks nothing.
func (b *Browser) decide(d document) *form {
	if b.Deny {
		for _, f := range slices.Concat(d.forms, d.links) {
			if i := f.find(refuses, nil); i >= 0 {
				return b.fill(f, i)
			}
		}
	}
	var best *form
	var press, score int
	for _, f := range d.forms {
		i := f.find(agrees, refuses)
		points := 1
		if f.password {
			points += 4
		}
		if i >= 0 {
			points += 2
		} else if f.find(refuses, nil) >= 0 {
			continue // all it can do is refuse
		}
		if elsehow.MatchString(f.action) {
			points = 0
		}
		if points > score {
			best, press, score = f, i, points
		}
	}
	if best == nil {
		return nil
	}
	return b.fill(best, press)
}

// find returns the first button whose words match want and not but.
func (f *form) find(want, but *regexp.Regexp) int {
	return slices.IndexFunc(f.buttons, func(x button) bool {
		return want.MatchString(x.words) && (but == nil || !but.MatchString(x.words)) && !elsehow.MatchString(x.words)
	})
}

func (b *Browser) fill(f *form, press int) *form {
	for _, in := range f.inputs {
		value := in.value
		switch {
		case in.kind == "password":
			value = b.Password
		case b.User != "" && aboutMe.MatchString(in.name+" "+in.id) && !aCode.MatchString(in.name):
			value = b.User
		}
		if fixed, ok := b.Fields[in.name]; ok {
			value = fixed
		}
		f.fields.Set(in.name, value)
	}
	if press < 0 && len(f.buttons) > 0 { // the one that the return key presses
		press = 0
	}
	if press >= 0 && f.buttons[press].name != "" {
		f.fields.Set(f.buttons[press].name, f.buttons[press].value)
	}
	return f
}
