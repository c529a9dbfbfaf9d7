package window

import (
	"errors"
	"flag"
	"image"
	"image/draw"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"

	"curfew/auth"
	"curfew/ui/shots"
	"curfew/ui/status"
	"curfew/ui/window/control"
	"curfew/ui/window/look"
)

var (
	album  = flag.String("shots", "", "the album to put a picture of every state into")
	update = flag.Bool("update", false, "take what the window shows now as right: write testdata anew")
)

// A shot is a state of the window: a situation of the agent, or what the
// window alone can be in.
type shot struct {
	name, caption string
	set           func(t testing.TB, l viewing) *screen
	long          bool // its words are too many for any window, and some end in "…"
}

// shotList returns the states, situations first. Their names are unique.
func shotList() []shot {
	var list []shot
	for _, s := range shots.Situations(noon) {
		list = append(list, shot{s.Name, s.Caption, func(t testing.TB, l viewing) *screen { return situation(t, l, s) }, strings.Contains(s.Name, "-word")})
	}
	add := func(name, caption string, set func(s *screen), snaps ...auth.Snapshot) {
		list = append(list, shot{name: name, caption: caption, set: func(t testing.TB, l viewing) *screen {
			v := still(t, l, snaps...)
			set(v)
			v.render()
			return v
		}})
	}

	list = append(list, shot{name: "agent-asked", caption: "the agent is being started", set: func(t testing.TB, l viewing) *screen {
		v := deaf(t, l)
		v.starting = true
		v.render()
		return v
	}})
	add("accounts-30-last", "the last of thirty accounts", func(s *screen) { s.Select("account-30") }, shots.Crowd(noon, 30)...)
	add("five-fine", "a healthy account, among five", func(s *screen) { s.Select("Spotify") }, shots.Crowd(noon, 5)...)
	add("no-such-account", "asked for an account that does not exist", func(s *screen) { s.Select("nobody") }, spotify())

	// What happens in the window between a press of a button and its outcome.
	mine := func(name, caption string, set func(s *screen, l *local)) {
		add(name, caption, func(s *screen) { set(s, s.local("Spotify")) }, spotify())
	}
	mine("ask-sign-out", "asked before signing out", func(s *screen, l *local) { s.askSignOut("Spotify"); s.frame.Focus(nil) })
	mine("ask-remove", "asked before removing an account", func(s *screen, l *local) { s.askRemove("Spotify"); s.frame.Focus(nil) })
	mine("menu", "what can be done with an account", func(s *screen, l *local) { s.account.more.OnTapped() })
	mine("busy-sign-out", "signing out", func(s *screen, l *local) { l.busy = busySignOut })
	mine("busy-copy", "a token is being copied", func(s *screen, l *local) { l.busy = busyToken })
	mine("busy-refresh", "a refresh was asked for", func(s *screen, l *local) { l.busy = busyRefresh })
	mine("copied", "a token is in the clipboard", func(s *screen, l *local) { s.copied = copied{name: "Spotify", until: ahead(40e9)} })
	mine("signed-out-note", "signed out, but not at the server", func(s *screen, l *local) {
		l.note = s.signedOut(auth.SignOutResult{Text: auth.Say("sign_out_no_way"), URL: "https://provider.example/apps"})
	})
	mine("failed", "the agent refused what a button asked for", func(s *screen, l *local) {
		l.fail(auth.Fail(auth.KindUnavailable, auth.Say("kept", auth.Say("server_not_reached", "network is unreachable")), auth.Say("hint_auto_retry", auth.SpanText(4*time.Minute))))
	})
	mine("sign-in-preparing", "a sign-in is being prepared", func(s *screen, l *local) { l.busy = busySignIn })
	mine("gone-and-question", "the agent has gone under a question", func(s *screen, l *local) { s.askSignOut("Spotify"); s.frame.Focus(nil); s.lost(shots.ErrGone) })

	began := func(name, caption string, set func(l *local)) {
		s := fresh()
		s.State, s.SignIn = auth.SigningIn, &auth.SignInView{Flow: "flow", Phase: auth.PhaseBrowser}
		add(name, caption, func(v *screen) {
			l := v.local(s.Name)
			l.flow = &flow{id: "flow", url: &url.URL{Scheme: "https", Host: "id.example.com", Path: "/authorize"}, expires: ahead(5 * 60e9)}
			set(l)
		}, s)
	}
	began("sign-in-page", "the sign-in page is open in the browser", func(l *local) {})
	began("sign-in-no-browser", "no browser could be opened", func(l *local) { l.flow.openErr = errors.New("no browser") })
	began("sign-in-code", "a sign-in with a code, on another device", func(l *local) { l.flow.code = "WDJB-MJHT" })
	began("sign-in-cancelling", "a sign-in is being cancelled", func(l *local) { l.busy = busyCancel })

	// The pages.
	page := func(name, caption string, p Page, set func(s *screen), snaps ...auth.Snapshot) {
		add(name, caption, func(s *screen) {
			s.turn(p)
			if set != nil {
				set(s)
			}
			s.frame.Focus(nil) // the cursor blinks
		}, snaps...)
	}
	page("add-empty", "where to sign in", PageAdd, nil, spotify())
	page("add-search", "a provider, searched for", PageAdd, func(s *screen) { s.add.search.Entry.SetText("git") }, spotify())
	page("add-address", "the address of a server, in the place of a name", PageAdd, func(s *screen) { s.add.search.Entry.SetText("https://id.example.com/realms/main") }, spotify())
	page("add-unknown", "a provider that nobody knows", PageAdd, func(s *screen) { s.add.search.Entry.SetText("acme") }, spotify())
	for _, name := range []string{"spotify", "google", "github", "gitlab", "microsoft", "gitea", anyServer, "orcid"} {
		page("add-"+name, "connecting to "+name, PageAdd, func(s *screen) { s.add.choose(s.add.preset(name)) }, fresh())
	}
	page("add-typed", "connecting, all typed", PageAdd, func(s *screen) {
		s.add.choose(s.add.preset("spotify"))
		s.add.client.Entry.SetText("5f1d0e7c9b3a4c2e8d6f7a1b2c3d4e5f")
		s.add.reveal()
		s.add.scroll.ScrollToBottom()
	})
	page("add-wrong", "connecting, with everything wrong", PageAdd, func(s *screen) {
		s.add.choose(s.add.preset(anyServer))
		s.add.issuer.Entry.SetText("http://id.example.com")
		s.add.name.Entry.SetText("Spotify")
		s.add.client.Entry.SetText("two words")
		s.add.reveal()
		s.add.asks.Entry.SetText("openid,email")
		s.add.submit()
		s.add.scroll.ScrollToBottom()
	}, spotify())
	page("add-saving", "the account is being added", PageAdd, func(s *screen) {
		s.add.choose(s.add.preset("spotify"))
		s.add.saving = true
		s.render()
		s.add.scroll.ScrollToBottom()
	}, fresh())
	page("add-refused", "the agent would not add the account", PageAdd, func(s *screen) {
		s.add.choose(s.add.preset("spotify"))
		s.add.note = failure(auth.Fail(auth.KindBadRequest, auth.Say("config_not_editable", "/home/alice/.config/curfew/config.toml"), auth.Say("hint_edit_table", "account.work")))
	}, fresh())
	edit := func(name, caption string, set func(s *screen)) {
		page(name, caption, PageEdit, func(s *screen) {
			s.edits.costs, s.edits.why = costs().Modes, status.Translate(costs().NoteText())
			s.edits.fill(auth.Account{Name: fresh().Name, Issuer: "https://id.exmaple.com", ClientID: "5f1d0e7c9b3a4c2e8d6f7a1b2c3d4e5f", Scopes: []string{"openid", "offline_access"}})
			set(s)
		}, fresh())
	}
	edit("edit", "the settings of an account", func(s *screen) {})
	edit("edit-more", "the settings that few people need", func(s *screen) {
		s.edits.open.OnTapped()
		s.scrollOf(s.edits.open).ScrollToBottom()
	})
	edit("edit-secret", "a client secret, being replaced", func(s *screen) {
		s.edits.before.ClientSecretKeychain = true
		s.edits.fields[secretKey].Input.(*control.Check).SetChecked(true)
		s.edits.fields["client_id"].Entry.SetText("two words")
		s.edits.fields["issuer"].Entry.SetText("https://id.example.com")
		s.edits.secret.Entry.SetText("s3cret")
		s.scrollOf(s.edits.open).ScrollToOffset(fyne.NewPos(0, 120))
	})
	settings := func(name, caption string, set func(s *screen, p *settingsPage), snaps ...auth.Snapshot) {
		page(name, caption, PageSettings, func(s *screen) {
			s.settings.heard(auth.General{Limits: auth.BuiltIn, Warnings: auth.WarnFew})
			s.settings.desktop.known, s.settings.desktop.on = true, true
			s.render()
			if set != nil {
				set(s, s.settings)
			}
			s.render()
		}, snaps...)
	}
	settings("settings", "the settings", nil, spotify(), gitea())
	settings("settings-none", "the settings without an account", nil)
	paused := spotify()
	paused.Paused = true
	settings("settings-paused", "the settings while background refresh is paused", nil, paused)
	settings("settings-limits", "the limits, being made tighter", func(s *screen, p *settingsPage) {
		p.limits.age.Entry.SetText("5")
		p.limits.idle.Entry.SetText("36h")
		p.notices.note = failure(shots.ErrGone)
		s.settingsScroll().ScrollToBottom()
	}, spotify())
	settings("settings-limits-wrong", "a limit that is wider than ours", func(s *screen, p *settingsPage) {
		p.limits.age.Entry.SetText("45")
		p.limits.submit()
		s.settingsScroll().ScrollToBottom()
	}, spotify())
	settings("settings-end", "the end of the settings", func(s *screen, p *settingsPage) { s.settingsScroll().ScrollToBottom() }, spotify())
	page("log", "all that happened at an account", PageLog, nil, spotify())
	page("log-empty", "nothing has happened yet", PageLog, nil, fresh())
	return list
}

// situation shows what the agent says in situation s.
func situation(t testing.TB, l viewing, s shots.Situation) *screen {
	v := deaf(t, l)
	if s.Agent != shots.Starting && (s.Agent == shots.Up || len(s.Accounts) > 0) {
		for _, snap := range s.Accounts {
			v.local(snap.Name).events = history(snap)
		}
		v.Show(s.Accounts, noon)
		v.frame.Focus(nil) // the cursor blinks
	}
	if s.Agent == shots.Gone {
		v.lost(shots.ErrGone)
	}
	return v
}

// few are the states that are looked at in every size too: those with the
// most on screen, and one of each page.
var few = map[string]bool{
	"active": true, "accounts-0": true, "accounts-30": true, "offline": true, "refreshes-1": true, "warnings": true, "sign-in-code": true, "sign-in-again": true,
	"ended-rotation-lost": true, "consent-claim": true, "agent-gone": true, "gone-and-question": true, "signed-out": true, "one-long-word": true, "add-empty": true, "add-microsoft": true, "add-wrong": true, "edit-more": true, "settings": true, "log": true,
}

// states are those that a test of what is drawn goes over: all. With the race
// detector that takes minutes and finds nothing more, so there are only four.
func states() []shot {
	list := shotList()
	if raceDetector {
		four := []string{"accounts-30", "offline", "add-wrong", "settings"}
		list = slices.DeleteFunc(list, func(s shot) bool { return !slices.Contains(four, s.name) })
	}
	return list
}

// views are the looks in which the states are in the album.
var views = []struct {
	group, words string
	viewing
	all bool // every state; else few
}{
	{"window, dark", "dark", viewing{look.Dark, usual, 1, ""}, true},
	{"window, light", "light", viewing{look.Light, usual, 1, ""}, true},
	{"window, German", "light, German", viewing{look.Light, usual, 1, "de"}, true},
	{"window, French", "dark, French", viewing{look.Dark, usual, 1, "fr"}, true},
	{"window, 600 px", "light, where the side begins", viewing{look.Light, fyne.NewSize(sidesFrom, 600), 1, ""}, false},
	{"window, 1920 px", "dark, French, the whole screen", viewing{look.Dark, screenful, 1, "fr"}, false},
	{"window, least size", "light, the least window", viewing{look.Light, small, 1, ""}, false},
	{"window, least size, German", "dark, German, the least window", viewing{look.Dark, small, 1, "de"}, false},
	{"window, large", "dark, a large window", viewing{look.Dark, wide, 1, ""}, false},
	{"window, large text", "light, text at 150 %", viewing{look.Light, large, 1.5, ""}, false},
	{"window, largest text", "dark, text at 200 %", viewing{look.Dark, largest, 2, ""}, false},
}

// TestShots puts every state into the album.
func TestShots(t *testing.T) {
	if *album == "" {
		t.Skip("make ui-shots draws them")
	}
	a, err := shots.Open(*album)
	if err != nil {
		t.Fatal(err)
	}
	for _, view := range views {
		t.Run(view.group, func(t *testing.T) {
			dress(t, view.viewing)
			for _, s := range shotList() {
				if !view.all && !few[s.name] {
					continue
				}
				t.Run(s.name, func(t *testing.T) {
					name := strings.ReplaceAll(strings.ReplaceAll(view.group, ",", ""), " ", "-") + "/" + s.name
					err := a.Draw(shots.Picture{Name: name, Group: view.group, Caption: s.caption, Look: view.words}, s.set(t, view.viewing).capture())
					if err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}

// capture is what a display shows. Fyne's software painter clips what scrolls within
// something that scrolls by the inner one alone, and draws text fields outside their
// page: what is around the page is taken from a picture in which that is empty.
func (s *screen) capture() image.Image {
	all := s.window.Canvas().Capture()
	scroll := s.settings.scroll
	switch {
	case s.adding():
		scroll = s.add.scroll
	case s.page == PageEdit:
		scroll = s.scrollOf(s.edits.open)
	case s.page != PageSettings:
		return all
	}
	scroll.Content.Hide()
	around := s.window.Canvas().Capture()
	scroll.Content.Show()
	at, size := fyne.CurrentApp().Driver().AbsolutePositionForObject(scroll), scroll.Size()
	page := image.Rect(int(at.X), int(at.Y), int(at.X+size.Width), int(at.Y+size.Height))
	clipped := image.NewNRGBA(all.Bounds())
	draw.Draw(clipped, all.Bounds(), around, image.Point{}, draw.Src)
	draw.Draw(clipped, page, all, page.Min, draw.Src)
	return clipped
}

// TestMarkup compares every state with testdata, which says in lines that a
// person can read what stands where. After a change: run it with -args
// -update, and read the diff.
func TestMarkup(t *testing.T) {
	for _, view := range []struct {
		suffix string
		viewing
		all bool
	}{
		{"", viewing{look.Dark, usual, 1, ""}, true},
		{"-german", viewing{look.Light, usual, 1, "de"}, false},
		{"-least", viewing{look.Light, small, 1, ""}, false},
		{"-text150", viewing{look.Light, large, 1.5, ""}, false},
	} {
		dress(t, view.viewing)
		for _, s := range states() {
			if view.all || few[s.name] {
				t.Run(s.name+view.suffix, func(t *testing.T) {
					shots.Golden(t, *update, filepath.Join("testdata", s.name+view.suffix+".txt"), markup(survey(s.set(t, view.viewing).window.Canvas()), view.appearance))
				})
			}
		}
	}
}

// TestPictures compares the pixels of a few states; markup, which a person
// can read in a diff, has the rest.
func TestPictures(t *testing.T) {
	pixels := map[string]viewing{"active": {look.Dark, usual, 1, ""}, "accounts-5": {look.Light, usual, 1, ""}, "sign-in-again-exchange": {look.Dark, small, 1, ""}}
	for _, s := range shotList() {
		if l, ok := pixels[s.name]; ok {
			t.Run(s.name, func(t *testing.T) {
				canvas := s.set(t, l).window.Canvas()
				if *update {
					f, err := os.Create(filepath.Join("testdata", s.name+".png"))
					if err == nil {
						err = errors.Join(encode(f, canvas), f.Close())
					}
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				test.AssertRendersToImage(t, s.name+".png", canvas)
			})
		}
	}
}

// settingsScroll is what the settings are scrolled in.
func (s *screen) settingsScroll() *container.Scroll { return s.scrollOf(s.settings.limits.save) }

// scrollOf is what scrolls o.
func (s *screen) scrollOf(o fyne.CanvasObject) (around *container.Scroll) {
	walk(s.frame.Root, func(c fyne.CanvasObject) {
		if scroll, ok := c.(*container.Scroll); ok && control.Inside(o, scroll.Content) {
			around = scroll
		}
	})
	return around
}
