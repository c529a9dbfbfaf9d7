package window

import (
	"context"
	"errors"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/window/control"
	"curfew/ui/window/look"
)

// editPage changes the settings of an account: it has a field for each of
// [auth.Keys], and knows nothing else of them.
type editPage struct {
	view         *View
	root         *fyne.Container
	before       auth.Account // as config.toml has it
	title        *look.Text
	result       *control.Bar
	note         *control.Note
	saving       bool
	keys         []auth.Key
	fields       map[string]*control.Field
	secret       *control.Field // to replace the one in the keychain
	more         *look.Panel    // what few people need
	modes        []*look.Text
	costs        map[auth.Mode]auth.ModeForecast // nil: nobody can know them yet
	why          string                          // what they are made from, or why there are none
	open         *control.Button
	save, cancel *control.Button
}

func newEditPage(v *View) *editPage {
	p := &editPage{view: v, result: control.NewBar(v.frame), keys: auth.Keys(), fields: map[string]*control.Field{}}
	p.title = look.NewLine("", look.SizeHeading, look.Ink).Strong()
	usual, more := look.Column(look.Gap), look.Column(look.Gap)
	for _, k := range p.keys {
		f := newSettingField(v, k, p.submit)
		if p.fields[k.Name] = f; k.More {
			more.Add(f.Root)
		} else {
			usual.Add(f.Root)
		}
		if k.Name == secretKey {
			p.secret = control.NewField(v.frame, tr("New client secret"), "", "", p.submit)
			p.secret.Entry.Password = true
			p.secret.Root = container.New(look.Pad(look.GapSmall, 0, 0, 0), p.secret.Root)
			f.Root.Add(p.secret.Root)
			f.Input.(*control.Check).OnChanged = func(bool) { f.Complain(""); p.askSecret(); v.render() }
		}
	}
	for range len(modes) + 1 {
		mode := look.NewPara("", look.SizeCaption, look.Dim)
		p.modes = append(p.modes, mode)
		p.fields[refreshKey].Root.Add(mode)
	}
	p.fields[refreshKey].Hint = ""
	p.more = look.NewCard(more)
	p.more.Hide()
	p.open = control.NewButton(v.frame, tr("More settings"), func() {
		v.frame.Show(p.more, true)
		v.frame.Focus(p.fields[p.keys[slices.IndexFunc(p.keys, func(k auth.Key) bool { return k.More })].Name].Input)
		v.render()
	})
	p.save = control.NewButton(v.frame, "", p.submit).Primary()
	p.cancel = control.NewButton(v.frame, tr("Cancel"), v.escape)
	p.root, _, _ = v.frame.Form(p.title, look.Column(look.Gap, p.result.Root, look.NewCard(usual), control.Buttons(p.open), p.more), look.NewPara("", look.SizeText, look.Dim), p.cancel, p.save)
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
	p.secret.Hint = tr("Paste it here. It is kept in the keychain.")
	if p.before.ClientSecretKeychain {
		p.secret.Hint = tr("Paste another to replace the one in the keychain, or leave this empty.")
	}
	p.secret.Complain("")
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
func newSettingField(v *View, k auth.Key, submit func()) *control.Field {
	name, help := status.Setting(k.Name), status.Sentence(k.Help)+"."
	switch k.Name { // where config.toml needs other words
	case "provider":
		help = tr("A provider that Curfew knows, for example spotify. Empty for any other server.")
	case secretKey:
		name, help = tr("The client has a secret"), ""
	}
	switch k.Kind {
	case auth.KeySwitch:
		c := control.NewCheck(v.frame, name, nil)
		f := control.FieldOf(v.frame, "", help, c)
		c.OnChanged = func(bool) { f.Complain("") }
		return f
	case auth.KeyChoice:
		options := []control.Option{{Value: "", Words: tr("Not set")}}
		for _, o := range k.Options {
			options = append(options, control.Option{Value: o, Words: status.Option(k.Name, o)})
		}
		var f *control.Field
		f = control.FieldOf(v.frame, name, help, control.NewChoice(v.frame, options, "", func(string) { f.Complain("") }))
		return f
	}
	f := control.NewField(v.frame, name, help, "", submit)
	if k.Name == "client_id" || k.Kind == auth.KeyURL || k.Kind == auth.KeySpan || k.Kind == auth.KeyMap {
		f.Checks(func(text string) string { return status.SettingComplaint(k, text) })
	}
	return f
}

// fill starts with what a says.
func (p *editPage) fill(a auth.Account) {
	p.before, p.note = a, nil
	for name, f := range p.fields {
		f.Set(auth.SettingText(a, name))
		f.Complain("")
	}
	p.secret.Set("")
	p.askSecret()
	p.load(a.Name)
	p.view.frame.Show(p.more, false)
	p.view.frame.Focus(p.fields[p.keys[0].Name].Input)
	p.view.render()
}

func (p *editPage) render() {
	v := p.view
	p.result.Set(p.note)
	s, _ := v.snapshot(p.before.Name)
	p.title.Say(tr("Edit %s", status.Name(auth.Snapshot{Name: p.before.Name})))
	v.frame.Show(p.open, !p.more.Visible())
	v.frame.Show(p.secret.Root, p.fields[secretKey].Input.(*control.Check).Checked)
	for i, m := range modes {
		name, meaning := status.Mode(m)
		if f, ok := p.costs[m]; ok {
			meaning = sentences(status.Cost(f), meaning)
		}
		p.modes[i].Say(control.Named(name, meaning))
	}
	p.modes[len(modes)].Say(p.why)
	v.frame.Show(p.modes[len(modes)], p.why != "")
	save := tr("Save and sign in")
	switch {
	case p.saving:
		save = tr("Saving…")
	case status.HasSession(s):
		save = tr("Save")
	}
	p.save.Set(save, !p.saving && v.usable())
}

// typed returns the account that the form describes. The endpoints of a server
// go with it, unless somebody typed others.
func (p *editPage) typed() (a auth.Account, err error) {
	a = p.before
	for _, k := range p.keys {
		text := strings.TrimSpace(p.fields[k.Name].Value())
		if text != strings.TrimSpace(auth.SettingText(a, k.Name)) {
			if err := auth.SetSetting(&a, k.Name, text); err != nil {
				p.fields[k.Name].Complain(err.Error())
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
		secret = strings.TrimSpace(p.secret.Value())
		if secret == "" && !p.before.ClientSecretKeychain {
			p.secret.Complain(tr("Paste the client secret here."))
			v.frame.Focus(p.secret.Input)
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
			p.secret.Set("")
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
	f := refused(p.fields, err)
	p.view.frame.Show(p.more, p.more.Visible() || f != nil && control.Inside(f.Root, p.more))
	p.note = p.view.complain(f, err)
	p.view.render()
}

// refused returns the field of the setting that err names; nil for none.
func refused(fields map[string]*control.Field, err error) *control.Field {
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return fields[e.Setting]
	}
	return nil
}

// complain says why the agent refused an account: next to what was asked in f, or
// in the note it returns where that is nil.
func (v *View) complain(f *control.Field, err error) *control.Note {
	n := failure(err)
	if f == nil {
		return n
	}
	v.frame.Show(f.Root, true)
	f.Complain(sentences(strings.TrimSuffix(n.Words, "."), n.Hint))
	v.frame.Focus(f.Input)
	return nil
}

// resume takes over what was typed into old.
func (p *editPage) resume(old *editPage) {
	p.before, p.saving = old.before, old.saving
	for name, f := range p.fields {
		f.Set(old.fields[name].Value())
	}
	p.secret.Set(old.secret.Value())
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
