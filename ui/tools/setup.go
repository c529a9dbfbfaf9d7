package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"curfew/auth"
	"curfew/ui/terminal"
)

// A Plan is how one tool is told to ask Curfew for the tokens of one account.
type Plan struct {
	Tool    Tool
	Account string
	Hosts   []string
	ID      bool   // the tool gets the ID token
	Curfew  string // how to start curfew
	Home    string
}

// NewPlan looks at this machine for the rest of a plan.
func NewPlan(tool, account string, hosts []string, id bool) (Plan, error) {
	if err := Known(tool); err != nil {
		return Plan{}, err
	}
	i := slices.IndexFunc(table, func(t Tool) bool { return t.Name == tool })
	if t := table[i]; id && !strings.Contains(strings.Join(append(t.Commands, t.Text), " "), "{id") {
		return Plan{}, usage(tool+" takes access tokens only", "leave --id out")
	}
	p := Plan{Tool: table[i], Account: account, Hosts: hosts, ID: id, Curfew: "curfew"}
	self, err := os.Executable()
	if err == nil {
		p.Home, err = os.UserHomeDir()
	}
	if err != nil {
		return Plan{}, err
	}
	if _, same := isSelf("curfew", self); !same {
		p.Curfew = self
	}
	return p, nil
}

// Known is nil if there is a tool called name.
func Known(name string) error {
	var names []string
	for _, t := range table {
		if t.Name == name {
			return nil
		}
		names = append(names, t.Name)
	}
	return terminal.Unknown("tool", name, names, "curfew setup ", "see: curfew setup")
}

func usage(message, hint string) error {
	return &auth.Error{Kind: auth.KindBadRequest, Message: message, Hint: hint}
}

// isSelf returns the path of a program on PATH, "" for none, and whether it is
// this one.
func isSelf(name, self string) (path string, same bool) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", false
	}
	a, errA := os.Stat(path)
	b, errB := os.Stat(self)
	return path, errA == nil && errB == nil && os.SameFile(a, b)
}

// fill puts the plan into a text.
func (p Plan) fill(text, host string) string {
	scheme := "https"
	if u, err := url.Parse("http://" + host); err == nil && isLoopback(u) {
		scheme = "http"
	}
	comma, space := "", ""
	if p.ID {
		comma, space = "--id,", "--id "
	}
	return strings.NewReplacer("{id,}", comma, "{id }", space, "{curfew}", p.Curfew, "{account}", p.Account, "{host}", host, "{url}", scheme+"://"+host, "{link}", p.link()).Replace(text)
}

// each fills in a text, once or for each host.
func (p Plan) each(texts ...string) []string {
	if !namesHost(texts...) {
		return p.with("", texts)
	}
	var all []string
	for _, host := range p.Hosts {
		all = append(all, p.with(host, texts)...)
	}
	return all
}

// namesHost reports whether a text is to be filled in for each host.
func namesHost(texts ...string) bool {
	return slices.ContainsFunc(texts, func(text string) bool {
		return strings.Contains(text, "{host}") || strings.Contains(text, "{url}")
	})
}

func (p Plan) with(host string, texts []string) []string {
	var all []string
	for _, text := range texts {
		all = append(all, p.fill(text, host))
	}
	return all
}

// link is the path by which the tool finds curfew; "" for a tool that needs none.
func (p Plan) link() string {
	if p.Tool.Link == "" {
		return ""
	}
	return filepath.Join(p.Home, strings.ReplaceAll(p.Tool.Link, "{account}", p.Account))
}

// files are the files that the tool may read, those that can be made out.
func (p Plan) files() []string {
	var list []string
	for _, file := range p.Tool.Files {
		name, rest, _ := strings.Cut(file, "/")
		variable, ok := strings.CutPrefix(name, "$")
		value, _, _ := strings.Cut(os.Getenv(variable), string(filepath.ListSeparator))
		switch {
		case !ok:
			list = append(list, filepath.Join(p.Home, file))
		case filepath.IsAbs(value):
			list = append(list, filepath.Join(value, rest))
		}
	}
	return list
}

// commands are the tool's own commands that set it up.
func (p Plan) commands() ([]string, error) {
	if p.Tool.Probe == "" || run(p.Tool.Probe) == nil {
		return p.each(p.Tool.Commands...), nil
	}
	if len(p.Hosts) != 1 {
		return nil, usage(p.Tool.Name+" has no configuration yet, so a host is needed", "name the server: --host HOST")
	}
	return p.each(p.Tool.Fresh...), nil
}

// check says what keeps the plan from being carried out.
func (p Plan) check() error {
	if namesHost(append(p.Tool.Commands, p.Tool.Text)...) && len(p.Hosts) == 0 {
		return usage(fmt.Sprintf("%s has no hosts, and %s asks for tokens by host", p.Account, p.Tool.Name), "name the server that gets its tokens: --host HOST")
	}
	return nil
}

// Text is what a person would do by hand.
func (p Plan) Text() (string, error) {
	if err := p.check(); err != nil {
		return "", err
	}
	var b strings.Builder
	if link := p.link(); link != "" {
		fmt.Fprintf(&b, "ln -s \"$(command -v curfew)\" %s\n", link)
	}
	if p.Tool.Commands != nil {
		commands, err := p.commands()
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&b, strings.Join(commands, "\n"))
		return b.String(), nil
	}
	if files := p.files(); len(files) > 0 {
		fmt.Fprintf(&b, "# %s\n", files[0])
	}
	fmt.Fprintln(&b, strings.TrimRight(strings.Join(p.each(p.Tool.Text), ""), "\n"))
	return b.String(), nil
}

// Note is what else there is to know, or "".
func (p Plan) Note() string {
	host := "HOST"
	if len(p.Hosts) > 0 {
		host = p.Hosts[0]
	}
	return p.fill(p.Tool.Note, host)
}

// run runs a command of the table. Only there are its words; a person's names
// in it have been checked.
func run(command string) error {
	words := splitWords(command)
	cmd := exec.Command(words[0], words[1:]...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return &auth.Error{Kind: auth.KindFailed, Message: fmt.Sprintf("%s failed: %s", command, auth.Clip(string(out)+" "+err.Error(), 300)), Hint: "nothing was changed"}
	}
	return nil
}

// splitWords splits at blanks; a word with blanks is between double quotes.
func splitWords(command string) []string {
	var words []string
	for i, part := range strings.Split(command, `"`) {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// A Record says what was changed for a plan, so that it can be taken back.
type Record struct {
	Tool    string   `json:"tool"`
	Account string   `json:"account"`
	Files   []change `json:"files"`
	Links   []string `json:"links"`
}

// A change is one file before and after.
type change struct {
	Path    string      `json:"path"`
	Existed bool        `json:"existed"`
	Mode    fs.FileMode `json:"mode"`
	Before  []byte      `json:"before"`
	After   []byte      `json:"after"`
}

// look reads a file as it is before a change.
func look(path string) (change, error) {
	c := change{Path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	fi, err := os.Stat(path)
	if err != nil {
		return c, err
	}
	c.Existed, c.Mode, c.Before = true, fi.Mode().Perm(), text
	return c, nil
}

// restore puts the file back as it was.
func (c change) restore() error {
	if !c.Existed {
		if err := os.Remove(c.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return c.write(c.Before)
}

func (c change) write(text []byte) error {
	if err := auth.ReplaceFile(c.Path, text); err != nil {
		return err
	}
	if c.Existed {
		return os.Chmod(c.Path, c.Mode)
	}
	return nil
}

// Writable reports whether [Plan.Write] can carry the plan out. The files of some
// tools are for a person to change.
func (p Plan) Writable() bool { return len(p.Tool.Files) > 0 }

// Write carries the plan out. What the files said before is kept in the state
// directory until [Undo].
func (p Plan) Write() (changed []string, err error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if !p.Writable() {
		return nil, usage(fmt.Sprintf("Curfew cannot write the configuration of %s", p.Tool.Name), "see what to write: curfew setup "+p.Tool.Name+" --account "+p.Account)
	}
	records, err := Records()
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(records, p.isOf) {
		return nil, usage(fmt.Sprintf("%s is already set up for %s", p.Tool.Name, p.Account), "take that back first: curfew setup "+p.Tool.Name+" --account "+p.Account+" --undo")
	}
	r := Record{Tool: p.Tool.Name, Account: p.Account}
	defer func() {
		if err != nil {
			_ = r.undo() // as far as it goes: err says what went wrong first
		}
	}()
	for _, path := range p.files() {
		c, err := look(path)
		if err != nil {
			return nil, err
		}
		r.Files = append(r.Files, c)
	}
	if err := p.makeLink(&r); err != nil {
		return nil, err
	}
	if err := p.apply(&r); err != nil {
		return nil, err
	}
	for _, c := range r.Files {
		changed = append(changed, c.Path)
	}
	return append(changed, r.Links...), save(append(records, r))
}

func (p Plan) isOf(r Record) bool { return r.Tool == p.Tool.Name && r.Account == p.Account }

// apply changes the files, and keeps those in the record that have changed.
func (p Plan) apply(r *Record) error {
	if p.Tool.Commands != nil {
		commands, err := p.commands()
		for _, command := range commands {
			if err == nil {
				err = run(command)
			}
		}
		if err != nil {
			return err
		}
	} else {
		text, err := p.edited(r.Files[0])
		if err == nil {
			err = r.Files[0].write(text)
		}
		if err != nil {
			return err
		}
	}
	var kept []change
	for _, c := range r.Files {
		after, err := os.ReadFile(c.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if c.After = after; err == nil && (!c.Existed || !bytes.Equal(c.Before, after)) {
			kept = append(kept, c)
		}
	}
	r.Files = kept
	return nil
}

// edited is the file with the plan's text in it.
func (p Plan) edited(c change) ([]byte, error) {
	texts := p.each(p.Tool.Text)
	if p.Tool.JSON {
		return merged(c, texts)
	}
	if p.Tool.Conflict != "" && bytes.Contains(c.Before, []byte(p.Tool.Conflict)) {
		return nil, usage(fmt.Sprintf("%s has %s already", c.Path, p.Tool.Conflict), "add it yourself: curfew setup "+p.Tool.Name+" --account "+p.Account+" shows what")
	}
	text := slices.Clone(c.Before)
	if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
		text = append(text, '\n')
	}
	return append(text, strings.Join(texts, "")...), nil
}

// merged puts objects into the JSON of a file, table by table.
func merged(c change, texts []string) ([]byte, error) {
	all := map[string]any{}
	for _, text := range append([]string{string(c.Before)}, texts...) {
		if strings.TrimSpace(text) == "" {
			continue
		}
		var more map[string]any
		if err := json.Unmarshal([]byte(text), &more); err != nil {
			return nil, &auth.Error{Kind: auth.KindFailed, Message: fmt.Sprintf("%s is not JSON: %v", c.Path, err), Hint: "nothing was changed"}
		}
		for key, value := range more {
			table, ok := value.(map[string]any)
			if old, both := all[key].(map[string]any); ok && both {
				maps.Copy(old, table)
				continue
			}
			all[key] = value
		}
	}
	text, err := json.MarshalIndent(all, "", "\t")
	return append(text, '\n'), err
}

// makeLink makes the name by which the tool finds curfew, unless it is there.
func (p Plan) makeLink(r *Record) error {
	link := p.link()
	if link == "" {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	path, same := isSelf(filepath.Base(link), self)
	if same && !strings.Contains(p.Tool.Text, "{link}") && filepath.Base(filepath.Dir(link)) == "bin" {
		return nil
	}
	if _, same := isSelf(link, self); same {
		return nil
	}
	if path != "" && !same {
		return usage(fmt.Sprintf("there is another program called %s: %s", filepath.Base(link), path), "remove that, or add Curfew's by hand earlier on PATH")
	}
	target := self
	if onPath, same := isSelf("curfew", self); same {
		target = onPath
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(target, link); err != nil {
		return err
	}
	r.Links = append(r.Links, link)
	return nil
}

// undo puts everything back.
func (r Record) undo() error {
	var errs []error
	for _, c := range r.Files {
		errs = append(errs, c.restore())
	}
	for _, link := range r.Links {
		if err := os.Remove(link); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Undo takes back what Write did, if nobody has changed the files since.
func (p Plan) Undo() (changed []string, err error) {
	records, err := Records()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(records, p.isOf)
	if i < 0 {
		return nil, usage(fmt.Sprintf("%s is not set up for %s", p.Tool.Name, p.Account), "see: curfew setup")
	}
	for _, c := range records[i].Files {
		now, err := os.ReadFile(c.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if !bytes.Equal(now, c.After) {
			return nil, &auth.Error{Kind: auth.KindFailed, Message: c.Path + " has changed since, so it stays as it is", Hint: "take the lines out by hand: curfew setup " + p.Tool.Name + " --account " + p.Account + " shows them"}
		}
		changed = append(changed, c.Path)
	}
	if err := records[i].undo(); err != nil {
		return nil, err
	}
	return append(changed, records[i].Links...), save(slices.Delete(records, i, i+1))
}

// Records lists what has been set up and not taken back.
func Records() ([]Record, error) {
	path, err := recordsPath()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var records []Record
	if err == nil {
		err = json.Unmarshal(text, &records)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return records, nil
}

// save keeps the records where only their owner can read them: a file that was
// changed may hold another password.
func save(records []Record) error {
	path, err := recordsPath()
	if err != nil {
		return err
	}
	text, err := json.Marshal(records)
	if err != nil {
		return err
	}
	return auth.ReplaceFile(path, text)
}

func recordsPath() (string, error) {
	dir, err := auth.StateDir()
	return filepath.Join(dir, "setup.json"), err
}

// Found returns the program that makes a tool present on this machine, or "".
func (t Tool) Found() string {
	for _, name := range t.Programs {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
