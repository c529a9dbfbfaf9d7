package window

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"curfew/auth"
	"curfew/ui/status"
)

// addPage is the form that adds an account, or edits one that has no session,
// and starts its sign-in.
type addPage struct {
	view      *View
	root      *fyne.Container
	account   auth.Account // what is edited, as config.toml has it; without a name: a new one
	suggested string       // the name that nobody typed
	saving    bool
	note      *note
	title     *text
	result    *bar
	provider  *choice
	providerField,
	name, issuer, client, scopes *field
	save, cancel *button
}

// otherProvider is the choice without a preset.
func otherProvider() string { return tr("Another: by its issuer address") }

func newAddPage(v *View) *addPage {
	p := &addPage{view: v, result: newBar(v)}
	p.provider = newChoice(v, p.options(), func(string) { p.changed() })
	p.provider.PlaceHolder = tr("Choose a provider")
	p.providerField = v.newFieldOf(tr("Provider"), tr("Where you sign in."), p.provider)
	field := func(label, hint, example string) *field { return newField(v, label, hint, example, p.submit) }
	p.name = field(tr("Name"), tr("What you call it, for example “work”. Tools ask for tokens by this name."), tr("work"))
	p.issuer = field(tr("Issuer address"), tr("The server's https:// address; Curfew finds its endpoints there."), "https://id.example.com")
	p.client = field(tr("Client ID"), tr("The provider gave it to you, or to your team, when the program was registered."), "")
	p.scopes = field(tr("Scopes"), tr("What tokens may be used for, with spaces between. Leave empty for the provider's usual ones."), "openid offline_access")
	p.save = newButton(v, tr("Add and sign in"), p.submit).primary()
	p.cancel = newButton(v, tr("Cancel"), func() { v.turn(PageAccount) })

	p.title = newLine(tr("Add account"), theme.SizeNameHeadingText, colorInk).strong()
	form := newCard(column(14, p.providerField.root, p.issuer.root, p.name.root, p.client.root, p.scopes.root, buttons(p.save, p.cancel)))
	body := container.New(&stackLayout{gap: 14}, p.result.root, form)
	p.root = v.newPage(p.title, body)
	return p
}

// options are what there is to choose from.
func (p *addPage) options() []string {
	options := []string{}
	for _, provider := range p.view.Providers {
		options = append(options, provider.Title)
	}
	return append(options, otherProvider())
}

// SetProviders changes what the form that adds an account offers: the presets
// are the agent's, and it may answer after the window has opened.
func (v *View) SetProviders(providers []Provider) {
	v.Providers = providers
	v.add.provider.SetOptions(v.add.options())
	v.add.provider.show(v.add.optionOf(v.add.account))
	v.render()
}

// fill starts with what a says: nothing of a new account.
func (p *addPage) fill(a auth.Account) {
	p.account, p.suggested, p.note = a, "", nil
	p.provider.show(p.optionOf(a))
	p.name.entry.SetText(a.Name)
	p.issuer.entry.SetText(a.Issuer)
	p.client.entry.SetText(a.ClientID)
	p.scopes.entry.SetText(strings.Join(a.Scopes, " "))
	for _, f := range []*field{p.providerField, p.issuer, p.name, p.client, p.scopes} {
		f.complain("")
	}
	p.view.focus(p.provider)
	p.view.render()
}

// optionOf returns which of the providers a has; -1 for a new account.
func (p *addPage) optionOf(a auth.Account) int {
	if a.Name == "" {
		return -1
	}
	if at := slices.IndexFunc(p.view.Providers, func(o Provider) bool { return o.Name == a.Provider }); at >= 0 {
		return at
	}
	return len(p.view.Providers) // another
}

// changed follows the choice of a provider: it suggests a name while nobody
// has typed one, and asks for an address where there is no preset.
func (p *addPage) changed() {
	p.providerField.complain("")
	if name := p.name.entry.Text; p.account.Name == "" && (name == "" || name == p.suggested) {
		p.suggested = p.preset().Name
		if _, taken := p.view.snapshot(p.suggested); taken {
			p.suggested = ""
		}
		p.name.entry.SetText(p.suggested)
	}
	p.view.render()
}

// preset returns the chosen provider; the zero value for none, and one that
// needs an issuer and has no name for another.
func (p *addPage) preset() Provider {
	for _, provider := range p.view.Providers {
		if provider.Title == p.provider.Selected {
			return provider
		}
	}
	return Provider{NeedsIssuer: p.provider.Selected == otherProvider()}
}

func (p *addPage) render() {
	p.result.set(p.note)
	p.view.show(p.issuer.root, p.preset().NeedsIssuer)
	editing := p.account.Name != ""
	p.view.show(p.name.root, !editing) // programs ask by it, and the session is kept under it
	title, save, saving := tr("Add account"), tr("Add and sign in"), tr("Adding…")
	if editing {
		title, save, saving = tr("Edit %s", status.Name(auth.Snapshot{Name: p.account.Name})), tr("Save and sign in"), tr("Saving…")
	}
	p.title.say(title)
	if p.saving {
		save = saving
	}
	p.save.set(save, !p.saving && p.view.usable())
}

// typed returns the account that the form describes. What it does not ask for
// stays, but for the endpoints of a server that is another one now.
func (p *addPage) typed() auth.Account {
	a := p.account
	a.Name = strings.TrimSpace(p.name.entry.Text)
	a.ClientID = strings.TrimSpace(p.client.entry.Text)
	a.Scopes = strings.Fields(p.scopes.entry.Text)
	issuer := a.Issuer
	if p.preset().NeedsIssuer {
		issuer = strings.TrimRight(strings.TrimSpace(p.issuer.entry.Text), "/")
		if issuer == strings.TrimRight(a.Issuer, "/") { // as it was written is as good
			issuer = a.Issuer
		}
	}
	provider := a.Provider
	if p.provider.SelectedIndex() != p.optionOf(p.account) {
		if provider = p.preset().Name; !p.preset().NeedsIssuer {
			issuer = ""
		}
	}
	if provider != a.Provider || issuer != a.Issuer {
		a.AuthorizationEndpoint, a.TokenEndpoint, a.RevocationEndpoint = "", "", ""
	}
	a.Provider, a.Issuer = provider, issuer
	return a
}

// submit checks the form and says in place what is wrong with it, or saves the
// account and starts its sign-in.
func (p *addPage) submit() {
	v := p.view
	if p.saving || !v.usable() {
		return
	}
	a := p.typed()
	var wrong fyne.Focusable // the first field that is
	check := func(f *field, complaint string) {
		if f.complain(complaint); complaint != "" && wrong == nil {
			wrong = f.input
		}
	}
	complaint := ""
	if p.provider.Selected == "" {
		complaint = tr("Choose where you sign in.")
	}
	check(p.providerField, complaint)
	if p.preset().NeedsIssuer && a.AuthorizationEndpoint == "" { // with its endpoints known an issuer need not be
		check(p.issuer, checkIssuer(a.Issuer))
	}
	if p.account.Name == "" {
		_, taken := v.snapshot(a.Name)
		check(p.name, checkName(a.Name, taken))
	}
	check(p.client, checkClientID(a.ClientID))
	check(p.scopes, checkScopes(a.Scopes))
	if wrong != nil {
		v.focus(wrong)
		return
	}
	p.saving, p.note = true, nil
	v.render()
	before := p.account
	v.background(func(ctx context.Context) func() {
		var err error
		if before.Name == "" {
			err = v.Agent.Put(ctx, a)
		} else {
			err = v.Agent.Edit(ctx, before, a)
		}
		var snaps []auth.Snapshot
		if err == nil {
			snaps, err = v.Agent.Accounts(ctx)
		}
		return func() {
			p := v.add // another one since, if the window was built anew
			p.saving = false
			if err != nil {
				p.note = failure(err)
				v.render()
				return
			}
			v.Show(snaps, v.Now())
			v.Select(a.Name)
			v.signIn(a.Name, false)
		}
	})
}

// resume takes over what was typed into old, which is in another language or
// another size.
func (p *addPage) resume(old *addPage) {
	p.account, p.suggested, p.saving = old.account, old.suggested, old.saving
	p.provider.show(old.provider.SelectedIndex())
	for to, from := range map[*field]*field{p.name: old.name, p.issuer: old.issuer, p.client: old.client, p.scopes: old.scopes} {
		to.entry.SetText(from.entry.Text)
	}
}

// edit opens the form with what config.toml says of an account that has no
// session. Under a session its server and its client cannot change.
func (v *View) edit(name string) {
	v.ask(name, busyEdit, func(ctx context.Context) (func(*local), error) {
		a, err := v.Agent.Config(ctx, name)
		return func(*local) {
			if v.page == PageAccount && v.selected == name {
				v.turn(PageEdit)
				v.add.fill(a)
			}
		}, err
	})
}

// checkName complains about a name that is no good; "" is no complaint.
func checkName(name string, taken bool) string {
	switch {
	case name == "":
		return tr("Give the account a name.")
	case taken:
		return tr("There is an account of this name already. Choose another one.")
	case auth.CheckName(name) != nil:
		return tr("Use at most 64 letters, digits, dashes, underscores and dots, a letter or digit first.")
	}
	return ""
}

// checkIssuer complains about an address that is no issuer (OpenID Connect
// Discovery section 3, RFC 8414 section 2). Without TLS only a literal
// loopback address may be one.
func checkIssuer(issuer string) string {
	if issuer == "" {
		return tr("Give the address of the server, for example https://id.example.com.")
	}
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return tr("This is no web address. It begins with https://.")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return tr("An issuer has no user name, no “?” and no “#” in its address.")
	case u.Scheme == "http":
		if ip, err := netip.ParseAddr(u.Hostname()); err != nil || !ip.IsLoopback() {
			return tr("Only https:// is safe here. (http:// is for servers on this computer, as http://127.0.0.1.)")
		}
	}
	return ""
}

// checkClientID complains about a client_id that breaks RFC 6749 appendix A.1.
func checkClientID(id string) string {
	switch {
	case id == "":
		return tr("The provider gave you a client ID; paste it here.")
	case strings.ContainsFunc(id, func(r rune) bool { return r <= 0x20 || r > 0x7e }):
		return tr("A client ID has no spaces and no special characters. Was it copied whole?")
	}
	return ""
}

// checkScopes complains about scopes that break RFC 6749 section 3.3.
func checkScopes(scopes []string) string {
	for _, s := range scopes {
		if strings.ContainsFunc(s, func(r rune) bool { return r <= 0x20 || r > 0x7e || r == '"' || r == '\\' }) {
			return tr("“%s” cannot be a scope.", status.Clip(s, 30))
		}
		if strings.Contains(s, ",") {
			return tr("Put spaces between scopes, not commas.")
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(scopes)))) != len(scopes) {
		return tr("A scope is there twice.")
	}
	return ""
}

// A field is one question of a form: what, the answer, and below it a hint
// that gives way to a complaint.
type field struct {
	view  *View
	root  *fyne.Container
	entry *entry // nil for a choice
	input fyne.Focusable
	hint  string
	below *text
}

func (v *View) newFieldOf(label, hint string, input fyne.CanvasObject) *field {
	f := &field{view: v, hint: hint, below: newPara(hint, theme.SizeNameCaptionText, colorDim)}
	switch input := input.(type) {
	case *entry:
		f.input, input.name = input, label
	case *choice:
		f.input, input.name = input, label
	}
	f.root = column(4, newLine(label, sizeSmall, colorInk).strong(), input, f.below)
	return f
}

// newField returns a field to type into; Enter in it submits.
func newField(v *View, label, hint, example string, submit func()) *field {
	e := &entry{view: v}
	e.Wrapping, e.Scroll, e.PlaceHolder = fyne.TextWrapOff, fyne.ScrollHorizontalOnly, example
	e.ExtendBaseWidget(e)
	f := v.newFieldOf(label, hint, e)
	f.entry = e
	e.OnChanged = func(string) { f.complain("") }
	e.OnSubmitted = func(string) { submit() }
	return f
}

// complain shows a complaint in the place of the hint; "" brings the hint back.
func (f *field) complain(words string) {
	if words == "" {
		f.below.set(f.hint, colorDim)
	} else {
		f.below.set(words, colorBad)
	}
	f.root.Refresh() // it may be as high as before, and its hint no longer
	f.view.place()
}
