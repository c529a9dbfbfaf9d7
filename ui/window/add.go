package window

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/window/control"
	"curfew/ui/window/look"
)

// addPage adds an account. It asks where to sign in, then shows step by step
// how to register there, and starts the sign-in. Without accounts it is the
// first thing to see.
type addPage struct {
	view       *View
	root       *fyne.Container
	scroll     *container.Scroll
	title, sub *look.Text
	back       *control.Button
	result     *control.Bar
	note       *control.Note
	saving     bool

	choosing    *fyne.Container // where to sign in?
	search      *control.Field
	tiles       *fyne.Container // a button for each of providers
	providers   []auth.Provider
	nothing     *look.Text // is found
	other       *look.Text
	goOther     *control.Button
	demo        *control.Button
	justLooking fyne.CanvasObject

	chosen                             *auth.Provider // nil: none yet
	suggested                          string         // the name that nobody typed
	asking, foot                       *fyne.Container
	advice                             *look.Panel // what to know before
	steps                              *fyne.Container
	issuer, client, secret, name, asks *control.Field
	may                                *look.Text // what the scopes are, in words
	change                             *control.Button
	save, cancel                       *control.Button
}

// anyServer is the preset that stands for a server without one.
const anyServer = "oidc"

func newAddPage(v *View) *addPage {
	p := &addPage{view: v, result: control.NewBar(v.frame)}
	p.title = look.NewPara("", look.SizeHeading, look.Ink).Strong()
	p.sub = look.NewPara("", look.SizeText, look.Dim)
	p.back = control.NewButton(v.frame, tr("Back"), v.escape)

	p.search = control.NewField(v.frame, "", "", tr("Type a name, or paste the address of your server"), p.found)
	p.search.Entry.Name = tr("Provider")
	p.search.Entry.OnChanged = func(string) { v.render() }
	p.tiles = look.Grid(look.Em(184))
	p.nothing = look.NewPara("", look.SizeText, look.Dim)
	p.other = look.NewPara("", look.SizeText, look.Dim)
	p.goOther = control.NewButton(v.frame, tr("Enter address"), func() { p.choose(p.preset(anyServer)) })
	other := look.Column(2, look.NewLine(tr("Another server"), look.SizeText, look.Ink).Strong(), p.other)
	p.demo = control.NewButton(v.frame, tr("Try the demo account"), p.tryDemo)
	looking := look.NewLine(tr("Just looking?"), look.SizeCaption, look.Dim)
	p.justLooking = look.Row(look.GapSmall/2, looking, control.Link(p.demo))
	p.choosing = look.Column(look.Gap, look.Column(look.GapSmall, p.search.Root, p.justLooking), p.tiles, p.nothing, look.NewCard(look.RowOf(look.Gap, other, other, p.goOther)))

	ask := func(label, hint, example string) *control.Field {
		return control.NewField(v.frame, label, hint, example, p.submit)
	}
	p.issuer = ask(tr("Issuer address"), "", "")
	p.client = ask(tr("Client ID"), tr("Paste it here."), "")
	p.secret = ask(tr("Client secret"), tr("It is kept in the keychain."), "")
	p.secret.Entry.Password = true
	p.name = ask(tr("Call it"), tr("Tools ask for tokens by this name."), tr("work"))
	p.asks = ask(tr("Scopes"), "", "openid offline_access")
	p.client.Checks(status.ClientIDComplaint)
	p.name.Checks(func(string) string { return p.checkName() })
	p.asks.Root.Hide()
	p.may = look.NewPara("", look.SizeText, look.Ink)
	p.change = control.NewButton(v.frame, tr("Change"), func() {
		p.reveal()
		v.frame.Focus(p.asks.Entry)
	})
	p.advice = look.NewPanel(look.Card, look.Line, look.RadiusLarge, look.Column(6))
	p.advice.Stripe = look.Warn
	p.steps = look.Column(look.Gap)
	p.save = control.NewButton(v.frame, "", p.submit).Primary()
	p.cancel = control.NewButton(v.frame, tr("Cancel"), v.escape)
	may := look.Column(4, look.NewLine(tr("It may"), look.SizeText, look.Ink).Strong(), p.may)
	calm := look.NewPara(tr("Your browser opens. Curfew never sees your password."), look.SizeCaption, look.Dim)
	p.asking = look.Column(look.Gap, p.advice, look.NewCard(p.steps),
		look.NewCard(look.Column(look.Gap, p.name.Root, look.Aligned(look.Top, look.RowOf(look.GapSmall, may, may, control.Flush(p.change))), p.asks.Root)))
	head := look.Column(2, p.title, p.sub)
	p.root, p.foot, p.scroll = v.frame.Form(look.Aligned(look.Top, look.RowOf(look.Gap, head, head, p.back)), look.Column(look.Gap, p.result.Root, p.choosing, p.asking), calm, p.cancel, p.save)
	p.setProviders(v.Providers)
	return p
}

// SetProviders changes where the page that adds an account offers to sign in:
// the presets are the agent's, and it may answer after the window has opened.
func (v *View) SetProviders(providers []auth.Provider) {
	v.Providers = providers
	v.add.setProviders(providers)
	v.render()
}

// setProviders makes a tile for each of the providers.
func (p *addPage) setProviders(all []auth.Provider) {
	p.providers, p.tiles.Objects = nil, nil
	for _, o := range all {
		if o.Name == anyServer {
			continue
		}
		b := control.NewButton(p.view.frame, o.Title, func() { p.choose(o) })
		label := look.NewLine(o.Title, look.SizeText, look.Ink)
		letters, number := status.Monogram(o.Title)
		b.SetFace(label, container.New(look.Pad(5, look.GapSmall, 5, look.GapSmall), look.RowOf(10, label, look.NewMonogram(letters, number, 24), label)))
		b.Keys = func(e *fyne.KeyEvent) bool { return p.step(b, e.Name) }
		p.providers = append(p.providers, o)
		p.tiles.Add(b)
	}
}

// step moves the focus among the tiles, as the arrows say.
func (p *addPage) step(from *control.Button, key fyne.KeyName) bool {
	shown := look.Visible(p.tiles.Objects)
	columns := 0
	for _, o := range shown {
		if o.Position().Y == shown[0].Position().Y {
			columns++
		}
	}
	by, ok := map[fyne.KeyName]int{fyne.KeyLeft: -1, fyne.KeyRight: 1, fyne.KeyUp: -columns, fyne.KeyDown: columns}[key]
	if at := slices.Index(shown, fyne.CanvasObject(from)) + by; ok && at >= 0 && at < len(shown) {
		p.view.frame.Focus(shown[at].(*control.Button))
	}
	return ok
}

// preset returns the provider called name.
func (p *addPage) preset(name string) auth.Provider {
	for _, o := range p.view.Providers {
		if o.Name == name {
			return o
		}
	}
	return auth.Provider{Name: name, Title: name, NeedsIssuer: true, IssuerAsk: p.issuer.Entry.Name} // the agent has not said yet
}

// found chooses what was searched for: the first tile, else the address.
func (p *addPage) found() {
	for i, o := range p.providers {
		if p.search.Entry.Text != "" && p.tiles.Objects[i].Visible() {
			p.choose(o)
			return
		}
	}
	if address, _ := status.Address(p.search.Entry.Text); address != "" {
		p.goOther.OnTapped()
	}
}

// begin asks where to sign in.
func (p *addPage) begin() {
	p.chosen, p.note, p.suggested = nil, nil, ""
	for _, f := range []*control.Field{p.search, p.issuer, p.client, p.secret, p.name, p.asks} {
		f.Entry.SetText("")
		f.Complain("")
	}
	p.view.frame.Show(p.asks.Root, false)
	p.scroll.ScrollToTop()
	p.view.render()
	p.view.frame.Focus(p.search.Entry) // which is on screen now
}

// leave goes back to the question where to sign in, and reports whether that
// was not on screen already.
func (p *addPage) leave() bool {
	away := p.chosen != nil
	if away {
		p.begin()
	}
	return away
}

// choose shows how to connect to o.
func (p *addPage) choose(o auth.Provider) {
	address, _ := status.Address(p.search.Entry.Text)
	p.show(o)
	if o.IssuerAsk != "" && address != "" {
		p.issuer.Entry.SetText(address)
	}
	if name := p.name.Entry.Text; name == "" || name == p.suggested {
		p.suggested = ""
		if _, taken := p.view.snapshot(o.Name); !taken && o.Name != anyServer {
			p.suggested = o.Name
		}
		p.name.Entry.SetText(p.suggested)
		p.name.Complain("")
	}
	p.scroll.ScrollToTop()
	p.view.frame.Focus(nil)
	p.view.render()
	if o.IssuerAsk != "" && address != "" { // who has the address has been there
		p.view.frame.Focus(p.client.Input)
	}
}

// show builds the steps of connecting to o: those of its guide, and the fields
// for what they bring.
func (p *addPage) show(o auth.Provider) {
	v := p.view
	p.chosen, p.note = &o, nil
	advice := []fyne.CanvasObject{look.NewLine(tr("Before you begin"), look.SizeText, look.Ink).Strong()}
	for _, w := range o.Warnings {
		advice = append(advice, look.NewPara(status.Sentence(w)+".", look.SizeText, look.Ink))
	}
	p.advice.Content.(*fyne.Container).Objects = []fyne.CanvasObject{container.New(look.Pad(12, 14, 12, 24), look.Column(6, advice...))}
	v.frame.Show(p.advice, len(o.Warnings) > 0)
	p.steps.Objects = nil
	for i, guide := range o.Steps {
		step := look.Column(6, container.New(look.Pad(3, 0, 0, 0), look.NewPara(strings.ReplaceAll(status.Sentence(guide), "{redirect}", o.Redirect)+".", look.SizeText, look.Ink)))
		todo := control.Buttons()
		if page, err := webPage(o.RegisterURL); i == 0 && err == nil {
			todo.Add(control.NewButton(v.frame, tr("Open %s", page.Host), func() {
				v.visit(page, func() {
					p.note = &control.Note{Tone: look.Warn, Words: tr("No browser could be opened."), Hint: o.RegisterURL}
				})
			}))
		}
		if strings.Contains(guide, "{redirect}") {
			var b *control.Button
			b = control.NewButton(v.frame, tr("Copy %s", o.Redirect), func() {
				v.Clipboard.SetContent(o.Redirect)
				b.Set(tr("Copied"), true)
				v.frame.Place()
			})
			todo.Add(b)
		}
		if len(todo.Objects) > 0 {
			step.Add(todo)
		}
		p.number(step)
	}
	p.issuer.Entry.SetPlaceHolder(o.IssuerExample)
	p.issuer.Say(cmp.Or(status.Sentence(o.IssuerAsk), tr("Issuer address")))
	p.issuer.Hint = ""
	if o.IssuerForm == "" {
		p.issuer.Hint = tr("The server's https:// address; Curfew finds its endpoints there.")
	}
	p.issuer.Complain("")
	for f, wanted := range map[*control.Field]bool{p.issuer: o.IssuerAsk != "", p.secret: o.Secret == "required"} {
		v.frame.Show(f.Root, wanted)
	}
	for _, f := range []*control.Field{p.issuer, p.client, p.secret} {
		if f.Root.Visible() || f == p.client {
			p.number(f.Root)
		}
	}
	v.frame.Moved()
}

// number adds a step, with the next number.
func (p *addPage) number(step fyne.CanvasObject) {
	n := look.NewText(strconv.Itoa(len(p.steps.Objects)+1), look.SizeCaption, look.Time).Strong()
	circle := container.NewGridWrap(fyne.NewSquareSize(look.Em(24)), look.NewPanel("", look.Time, look.Em(12), container.NewCenter(n)))
	p.steps.Add(look.Aligned(look.Top, look.RowOf(12, step, circle, step)))
}

// reveal shows what most people need not change.
func (p *addPage) reveal() {
	o := p.chosen
	p.view.frame.Show(p.asks.Root, true)
	p.asks.Hint = tr("What tokens may be used for, with spaces between. Leave empty for the provider's usual ones.")
	if len(o.MoreScopes) > 0 {
		p.asks.Hint = tr("With spaces between. Others ask for: %s", strings.Join(o.MoreScopes, " "))
	}
	p.asks.Complain("")
	if p.asks.Entry.Text == "" {
		p.asks.Entry.SetText(strings.Join(o.Scopes, " "))
	}
	if o.Secret == "optional" && !p.secret.Root.Visible() {
		p.view.frame.Show(p.secret.Root, true)
		p.secret.Hint = tr("Only if the provider gave you one. It is kept in the keychain.")
		p.secret.Complain("")
		p.number(p.secret.Root)
	}
	p.view.render()
}

func (p *addPage) render() {
	v := p.view
	p.result.Set(p.note)
	v.frame.Show(p.choosing, p.chosen == nil)
	v.frame.Show(p.asking, p.chosen != nil && p.chosen.Unavailable == "")
	v.frame.Show(p.foot, p.asking.Visible())
	v.frame.Show(p.back, p.chosen != nil || len(v.snaps) > 0)
	if p.chosen == nil {
		p.renderChoice()
		return
	}
	title, who := tr("Connect your server"), tr("Sign in")
	if p.chosen.Name != anyServer {
		short, _, _ := strings.Cut(p.chosen.Title, " (")
		title, who = tr("Connect %s", p.chosen.Title), tr("Sign in with %s", short)
	}
	about := tr("Register Curfew there once. It takes a few minutes.")
	if p.chosen.Unavailable != "" {
		title = tr("%s cannot be used", p.chosen.Title)
		about = status.Sentence(p.chosen.Unavailable) + "."
	}
	p.title.Say(title)
	p.sub.Say(about)
	p.may.Say(status.Scopes(p.typed().Scopes, p.chosen.Scopes))
	v.frame.Show(p.change, !p.asks.Root.Visible())
	if p.saving {
		who = tr("Adding…")
	}
	p.save.Set(who, !p.saving && v.usable())
}

// renderChoice shows the tiles of what fits.
func (p *addPage) renderChoice() {
	v := p.view
	p.title.Say(tr("Where do you want to sign in?"))
	p.sub.Say(tr("Curfew keeps the sign-in safe and gives your tools access tokens."))
	found := false
	for i, o := range p.providers {
		fits := status.Fits(o, p.search.Entry.Text)
		v.frame.Show(p.tiles.Objects[i], fits)
		found = found || fits
	}
	_, host := status.Address(p.search.Entry.Text)
	v.frame.Show(p.nothing, !found && len(p.providers) > 0 && host == "")
	p.nothing.Say(tr("Curfew knows no provider of this name. If it speaks OpenID Connect, enter its address."))
	other, words := tr("With OpenID Connect. You need its address and a client ID."), tr("Enter address")
	p.goOther.Stress(host != "")
	if host != "" {
		other, words = tr("Sign in at %s. You need a client ID.", status.Clip(host, 60)), tr("Continue")
	}
	p.other.Say(other)
	p.goOther.Set(words, true)
	_, there := v.snapshot(DemoAccount)
	v.frame.Show(p.justLooking, v.Demo != nil && !there && p.search.Entry.Text == "")
	p.demo.Set(tr("Try the demo account"), v.usable() && !p.saving)
}

// typed returns the account that the page describes.
func (p *addPage) typed() auth.Account {
	said := func(f *control.Field) string { return strings.TrimSpace(f.Entry.Text) }
	a := auth.Account{Name: said(p.name), ClientID: said(p.client), Scopes: strings.Fields(said(p.asks)), ClientSecretKeychain: said(p.secret) != ""}
	if p.chosen != nil {
		a.Issuer = strings.TrimRight(said(p.issuer), "/")
		if a.Provider = p.chosen.Name; a.Provider == anyServer {
			a.Provider = ""
		}
		if len(a.Scopes) == 0 || slices.Equal(a.Scopes, p.chosen.Scopes) {
			a.Scopes = nil // the usual ones, also when those change
		}
	}
	return a
}

// checkName complains about the name that was typed; "" is no complaint.
func (p *addPage) checkName() string {
	name := p.typed().Name
	_, taken := p.view.snapshot(name)
	return status.NameComplaint(name, taken)
}

// submit checks what was typed and says in place what is wrong with it, or
// saves the account and starts its sign-in.
func (p *addPage) submit() {
	v := p.view
	if p.saving || !v.usable() || p.chosen == nil {
		return
	}
	a := p.typed()
	var wrong fyne.Focusable // the first field that is
	check := func(f *control.Field, complaint string) {
		if f.Complain(complaint); complaint != "" && wrong == nil {
			wrong = f.Input
		}
	}
	if p.chosen.NeedsIssuer && a.Issuer == "" {
		check(p.issuer, tr("It is needed, for example %s.", p.chosen.IssuerExample))
	}
	check(p.client, status.ClientIDComplaint(a.ClientID))
	if p.chosen.Secret == "required" && !a.ClientSecretKeychain {
		check(p.secret, tr("This provider gives a client secret with the client ID; paste it here."))
	}
	check(p.name, p.checkName())
	if wrong != nil {
		v.frame.Focus(wrong)
		return
	}
	p.put(a, strings.TrimSpace(p.secret.Entry.Text), p.chosen.DeviceFirst)
}

// put saves a with its secret, if it has one, and starts its sign-in.
func (p *addPage) put(a auth.Account, secret string, device bool) {
	v := p.view
	p.saving, p.note = true, nil
	v.render()
	v.background(func(ctx context.Context) func() {
		err := v.Agent.Put(ctx, a)
		if err == nil && secret != "" {
			if err = v.Agent.PutClientSecret(ctx, a.Name, secret); err != nil {
				_, _ = v.Agent.Remove(ctx, a.Name) // without it the account is half of one
			}
		}
		var snaps []auth.Snapshot
		if err == nil {
			snaps, err = v.Agent.Accounts(ctx)
		}
		return func() {
			p := v.add // another one since, if the window was built again
			p.saving = false
			if err != nil {
				p.refused(err)
				return
			}
			p.begin()
			v.Show(snaps, v.Now())
			v.Select(a.Name)
			v.signIn(a.Name, device)
		}
	})
}

// refused says why the agent did not save the account.
func (p *addPage) refused(err error) {
	fields := map[string]*control.Field{"issuer": p.issuer, "client_id": p.client, "scopes": p.asks}
	if p.chosen == nil {
		fields = nil
	}
	if p.note = p.view.complain(refused(fields, err), err); p.note != nil {
		p.scroll.ScrollToTop()
	}
	p.view.render()
}

// DemoAccount is what the account of the demo is called.
const DemoAccount = "demo"

// tryDemo adds the account of a server that lives as long as the window.
func (p *addPage) tryDemo() {
	v := p.view
	p.saving, p.note = true, nil
	v.render()
	v.background(func(ctx context.Context) func() {
		a, err := v.Demo(ctx)
		return func() {
			p := v.add
			if p.saving = false; err != nil {
				p.refused(err)
				return
			}
			p.put(a, "", false)
		}
	})
}

// resume takes over what was typed into old, which is in another language or
// another size.
func (p *addPage) resume(old *addPage) {
	if p.suggested, p.saving = old.suggested, old.saving; old.chosen != nil {
		p.show(*old.chosen)
	}
	for to, from := range map[*control.Field]*control.Field{p.search: old.search, p.issuer: old.issuer, p.client: old.client, p.secret: old.secret, p.name: old.name, p.asks: old.asks} {
		to.Entry.SetText(from.Entry.Text)
	}
	if old.asks.Root.Visible() && p.chosen != nil {
		p.reveal()
	}
}
