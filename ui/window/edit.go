package window

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/window/look"
)

// editPage changes the settings of an account: it has a field for each of
// [auth.Keys], and knows nothing else of them.
type editPage struct {
	view         *View
	root         *fyne.Container
	before       auth.Account // as config.toml has it
	title        *look.Text
	result       *bar
	note         *note
	saving       bool
	keys         []auth.Key
	fields       map[string]*field
	secret       *field      // to replace the one in the keychain
	more         *look.Panel // what few people need
	modes        []*look.Text
	costs        map[auth.Mode]auth.ModeForecast // nil: nobody can know them yet
	why          string                          // what they are made from, or why there are none
	open         *button
	save, cancel *button
}

func newEditPage(v *View) *editPage {
	p := &editPage{view: v, result: newBar(v), keys: auth.Keys(), fields: map[string]*field{}}
	p.title = look.NewLine("", look.SizeHeading, look.Ink).Strong()
	usual, more := look.Column(look.Gap), look.Column(look.Gap)
	for _, k := range p.keys {
		f := newSettingField(v, k, p.submit)
		if p.fields[k.Name] = f; k.More {
			more.Add(f.root)
		} else {
			usual.Add(f.root)
		}
		if k.Name == secretKey {
			p.secret = newField(v, tr("New client secret"), "", "", p.submit)
			p.secret.entry.Password = true
			p.secret.root = container.New(look.Pad(look.GapSmall, 0, 0, 0), p.secret.root)
			f.root.Add(p.secret.root)
			f.input.(*check).OnChanged = func(bool) { f.complain(""); p.askSecret(); v.render() }
		}
	}
	for range len(modes) + 1 {
		mode := look.NewPara("", look.SizeCaption, look.Dim)
		p.modes = append(p.modes, mode)
		p.fields[refreshKey].root.Add(mode)
	}
	p.fields[refreshKey].hint = ""
	p.more = look.NewCard(more)
	p.more.Hide()
	p.open = newButton(v, tr("More settings"), func() {
		v.show(p.more, true)
		v.focus(p.fields[p.keys[slices.IndexFunc(p.keys, func(k auth.Key) bool { return k.More })].Name].input)
		v.render()
	})
	p.save = newButton(v, "", p.submit).primary()
	p.cancel = newButton(v, tr("Cancel"), v.escape)
	p.root = v.newForm(p.title, look.Column(look.Gap, p.result.root, look.NewCard(usual), buttons(p.open), p.more), newFoot(look.NewPara("", look.SizeText, look.Dim), p.cancel, p.save))
	return p
}

// modes in the order in which their costs are listed, and the setting that
// chooses one.
var modes = []auth.Mode{auth.InUse, auth.OnDemand, auth.Always}

const refreshKey = "refresh"

// secretKey is the setting of an account that says that it has a client secret.
const secretKey = "client_secret_keychain"

// askSecret says what a client secret is asked for. None is ever shown.
func (p *editPage) askSecret() {
	p.secret.hint = tr("Paste it here. It is kept in the keychain.")
	if p.before.ClientSecretKeychain {
		p.secret.hint = tr("Paste another to replace the one in the keychain, or leave this empty.")
	}
	p.secret.complain("")
}

// load asks what each mode would cost.
func (p *editPage) load(name string) {
	v := p.view
	v.background(func(ctx context.Context) func() {
		report, err := v.Agent.Forecast(ctx, name)
		return func() {
			p.costs, p.why = status.Costs(report, err)
			v.render()
		}
	})
}

// newSettingField returns the field of a setting, by the kind that it is of.
func newSettingField(v *View, k auth.Key, submit func()) *field {
	name, help := status.Setting(k.Name), status.Sentence(k.Help)+"."
	switch k.Name { // where config.toml needs other words
	case "provider":
		help = tr("A provider that Curfew knows, for example spotify. Empty for any other server.")
	case secretKey:
		name, help = tr("The client has a secret"), ""
	}
	switch k.Kind {
	case auth.KeySwitch:
		c := newCheck(v, name, nil)
		f := v.newFieldOf("", help, c)
		c.OnChanged = func(bool) { f.complain("") }
		return f
	case auth.KeyChoice:
		options := []option[string]{{"", tr("Not set")}}
		for _, o := range k.Options {
			options = append(options, option[string]{o, status.Option(k.Name, o)})
		}
		var f *field
		f = v.newFieldOf(name, help, choiceOf(v, options, "", func(string) { f.complain("") }))
		f.values = append([]string{""}, k.Options...)
		return f
	}
	f := newField(v, name, help, "", submit)
	if k.Name == "client_id" || k.Kind == auth.KeyURL || k.Kind == auth.KeySpan || k.Kind == auth.KeyMap {
		f.checks(func(text string) string { return status.SettingComplaint(k, text) })
	}
	return f
}

// fill starts with what a says.
func (p *editPage) fill(a auth.Account) {
	p.before, p.note = a, nil
	for name, f := range p.fields {
		f.set(auth.SettingText(a, name))
		f.complain("")
	}
	p.secret.set("")
	p.askSecret()
	p.load(a.Name)
	p.view.show(p.more, false)
	p.view.focus(p.fields[p.keys[0].Name].input)
	p.view.render()
}

func (p *editPage) render() {
	v := p.view
	p.result.set(p.note)
	s, _ := v.snapshot(p.before.Name)
	p.title.Say(tr("Edit %s", status.Name(auth.Snapshot{Name: p.before.Name})))
	v.show(p.open, !p.more.Visible())
	v.show(p.secret.root, p.fields[secretKey].input.(*check).Checked)
	for i, m := range modes {
		name, meaning := status.Mode(m)
		if f, ok := p.costs[m]; ok {
			meaning = sentences(status.Cost(f), meaning)
		}
		p.modes[i].Say(named(name, meaning))
	}
	p.modes[len(modes)].Say(p.why)
	v.show(p.modes[len(modes)], p.why != "")
	save := tr("Save and sign in")
	switch {
	case p.saving:
		save = tr("Saving…")
	case status.HasSession(s):
		save = tr("Save")
	}
	p.save.set(save, !p.saving && v.usable())
}

// typed returns the account that the form describes. The endpoints of a server
// go with it, unless somebody typed others.
func (p *editPage) typed() (a auth.Account, err error) {
	a = p.before
	for _, k := range p.keys {
		text := strings.TrimSpace(p.fields[k.Name].value())
		if text != strings.TrimSpace(auth.SettingText(a, k.Name)) {
			if err := auth.SetSetting(&a, k.Name, text); err != nil {
				p.fields[k.Name].complain(err.Error())
				return a, err
			}
		}
	}
	if a.Provider != p.before.Provider || a.Issuer != p.before.Issuer {
		for _, k := range p.keys {
			if was := auth.SettingText(p.before, k.Name); strings.HasSuffix(k.Name, "_endpoint") && auth.SettingText(a, k.Name) == was {
				err = errors.Join(err, auth.SetSetting(&a, k.Name, ""))
			}
		}
	}
	return a, err
}

// submit has the agent check what was typed, which says in place what is wrong
// with it, and saves it. Without a session it starts a sign-in.
func (p *editPage) submit() {
	v := p.view
	a, err := p.typed()
	if p.saving || !v.usable() || err != nil {
		return
	}
	secret := ""
	if a.ClientSecretKeychain {
		secret = strings.TrimSpace(p.secret.value())
		if secret == "" && !p.before.ClientSecretKeychain {
			p.secret.complain(tr("Paste the client secret here."))
			v.focus(p.secret.input)
			return
		}
	}
	p.saving, p.note = true, nil
	v.render()
	before := p.before
	v.background(func(ctx context.Context) func() {
		err := v.Agent.Edit(ctx, before, a)
		edited := err == nil
		if edited && secret != "" {
			err = v.Agent.PutClientSecret(ctx, a.Name, secret)
		}
		var snaps []auth.Snapshot
		if err == nil {
			snaps, err = v.Agent.Accounts(ctx)
		}
		return func() {
			p := v.edits // another one since, if the window was built again
			if p.saving = false; edited {
				p.before = a
			}
			if err != nil {
				p.refused(err)
				return
			}
			p.secret.set("")
			v.Show(snaps, v.Now())
			v.Select(a.Name)
			if s, _ := v.snapshot(a.Name); status.HasSession(s) {
				v.local(a.Name).note = saved(tr("Saved."))
				v.render()
			} else {
				v.signIn(a.Name, false)
			}
		}
	})
}

// refused says why the agent did not save the account.
func (p *editPage) refused(err error) {
	if p.note = refusal(p.fields, err); p.note == nil {
		p.view.show(p.more, p.more.Visible() || inside(p.view.Canvas().Focused().(fyne.CanvasObject), p.more))
	}
	p.view.render()
}

// refusal says why the agent refused an account: next to the setting that is
// wrong, where err names one that has a field, else in the note it returns.
func refusal(fields map[string]*field, err error) *note {
	n := failure(err)
	e, _ := errors.AsType[*auth.Error](err)
	if e == nil || fields[e.Setting] == nil {
		return n
	}
	f := fields[e.Setting]
	f.view.show(f.root, true)
	f.complain(sentences(strings.TrimSuffix(n.words, "."), n.hint))
	f.view.focus(f.input)
	return nil
}

// resume takes over what was typed into old.
func (p *editPage) resume(old *editPage) {
	p.before, p.saving = old.before, old.saving
	for name, f := range p.fields {
		f.set(old.fields[name].value())
	}
	p.secret.set(old.secret.value())
	p.askSecret()
	p.more.Hidden = old.more.Hidden
}

// edit opens the form with what config.toml says of an account.
func (v *View) edit(name string) {
	v.ask(name, busyEdit, func(ctx context.Context) (func(*local), error) {
		a, err := v.Agent.Config(ctx, name)
		return func(*local) {
			if v.page == PageAccount && v.selected == name {
				v.turn(PageEdit)
				v.edits.fill(a)
			}
		}, err
	})
}

// A field is one question of a form: what, the answer, and below it a hint
// that gives way to a complaint.
type field struct {
	view   *View
	root   *fyne.Container
	entry  *entry // nil for a choice and a check
	input  fyne.Focusable
	values []string // that a choice stands for
	hint   string
	label  *look.Text
	below  *look.Text
}

func (v *View) newFieldOf(label, hint string, input fyne.CanvasObject) *field {
	f := &field{view: v, hint: hint, below: look.NewPara(hint, look.SizeCaption, look.Dim), label: look.NewLine(label, look.SizeText, look.Ink).Strong()}
	switch input := input.(type) {
	case *entry:
		f.input, f.entry = input, input
	case *choice:
		f.input = input
	case *check:
		f.input = input
	}
	f.label.Hidden, f.below.Hidden = label == "", hint == ""
	f.root = look.Column(4, f.label, input, f.below)
	f.say(label)
	return f
}

// newField returns a field to type into; Enter in it submits.
func newField(v *View, label, hint, example string, submit func()) *field {
	e := &entry{view: v}
	e.Wrapping, e.Scroll, e.PlaceHolder = fyne.TextWrapOff, fyne.ScrollHorizontalOnly, example
	e.ExtendBaseWidget(e)
	f := v.newFieldOf(label, hint, e)
	e.OnChanged = func(string) { f.complain("") }
	e.OnSubmitted = func(string) { submit() }
	return f
}

// say changes what is asked.
func (f *field) say(label string) {
	f.label.Say(label)
	switch input := f.input.(type) {
	case *entry:
		input.name = label
	case *choice:
		input.name = label
	}
}

// value returns the answer.
func (f *field) value() string {
	switch input := f.input.(type) {
	case *check:
		return strconv.FormatBool(input.Checked)
	case *choice:
		return f.values[max(0, input.SelectedIndex())]
	}
	return f.entry.Text
}

// set changes the answer.
func (f *field) set(value string) {
	switch input := f.input.(type) {
	case *check:
		input.show(value == strconv.FormatBool(true))
	case *choice:
		input.show(max(0, slices.Index(f.values, value)))
	default:
		f.entry.SetText(value)
	}
}

// complain shows a complaint in the place of the hint; "" brings the hint back.
func (f *field) complain(words string) {
	if words == "" {
		f.become(f.hint, look.Dim)
	} else {
		f.become(words, look.Bad)
	}
}

// checks has the field say, while somebody types, what is wrong with the answer or
// that it looks right.
func (f *field) checks(complaint func(text string) string) {
	f.entry.OnChanged = func(text string) {
		words := ""
		if text = strings.TrimSpace(text); text != "" {
			words = complaint(text)
		}
		if f.complain(words); words == "" && text != "" {
			f.become(tr("Looks right."), look.OK)
		}
	}
}

func (f *field) become(words string, color fyne.ThemeColorName) {
	f.view.moved = f.view.moved || f.below.Words() != words // it may have more lines
	f.below.Set(words, color)
	f.view.show(f.below, words != "")
	f.root.Refresh() // it may be as high as before, and its hint no longer
	f.view.place()
}
