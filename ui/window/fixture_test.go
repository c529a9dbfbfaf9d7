package window

import (
	"context"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"curfew/auth"
	"curfew/auth/oauth"
	"curfew/ui/shots"
	"curfew/ui/status"
	"curfew/ui/window/look"
)

// noon is the time of every picture: 09:41 of a Sunday in a zone that is not UTC.
var noon = time.Date(2026, time.November, 22, 9, 41, 0, 0, time.FixedZone("CET", 3600))

func ago(d time.Duration) time.Time   { return noon.Add(-d) }
func ahead(d time.Duration) time.Time { return noon.Add(d) }

// spotify is a session in the middle of its life.
func spotify() auth.Snapshot { return shots.Live(noon) }

func entra() auth.Snapshot {
	s := spotify()
	s.Name, s.Provider, s.Subject = "Work (Entra)", "https://login.example.com/tenant", "alice.liddell@work.example"
	s.RefreshesUsed, s.RefreshesLeft = 17, 3
	s.SignedInAt, s.EndsAt = ago(20*day), ahead(10*day)
	s.Forecast = auth.ForecastView{EndsAt: ahead(3 * day), By: auth.LimitRefreshes, SignInsPer30d: 1.3, RefreshesPer1d: .86}
	return s
}

func gitea() auth.Snapshot {
	s := spotify()
	s.Name, s.Provider, s.Subject = "Gitea", "gitea", "alice"
	s.State, s.Reason, s.RefreshesUsed, s.RefreshesLeft = auth.Ended, auth.ByRefreshes, 20, 0
	s.SignedInAt, s.EndsAt, s.EndedAt = ago(12*day), time.Time{}, ago(5*time.Minute)
	s.AccessExpiresAt, s.Forecast, s.LimitedBy = time.Time{}, auth.ForecastView{}, auth.LimitNone
	return s
}

func fresh() auth.Snapshot { return shots.Fresh() }

func in(s auth.Snapshot, state auth.State, message string) auth.Snapshot {
	s.State, s.Message = state, message
	return s
}

// history is the events of a session of which some refreshes are spent.
func history(s auth.Snapshot) []auth.Event { return shots.History(s, noon) }

// everyone is a window's worth of accounts, one in each kind of trouble.
func everyone() []auth.Snapshot {
	waiting := in(spotify(), auth.Waiting, "The server cannot be reached.")
	waiting.Name, waiting.NextRefreshAt = "Offline", ahead(4*day/24/60)
	held := in(spotify(), auth.Held, "The server refuses this client (invalid_client). The session is kept.")
	held.Name = "Held"
	locked := in(spotify(), auth.Locked, "")
	locked.Name = "Locked"
	suspect := in(spotify(), auth.Suspect, "")
	suspect.Name = "Suspect"
	return []auth.Snapshot{spotify(), entra(), gitea(), fresh(), waiting, held, locked, suspect}
}

// A viewing is how the window is looked at.
type viewing struct {
	appearance look.Appearance
	size       fyne.Size
	text       float32 // as Theme.Text
	language   string  // "": English
}

// The sizes of windows: the first one, the least, and what people make of it,
// with words as large as usual and larger. The canvas is no smaller than the
// content asks for.
var (
	usual   = fyne.NewSize(900, 700)
	small   = fyne.NewSize(leastWidth, leastHeight)
	wide    = fyne.NewSize(1400, 900)
	large   = fyne.NewSize(1200, 860)
	largest = fyne.NewSize(1440, 1040)

	screenful = fyne.NewSize(1920, 1080)
)

// costs is a forecast of what each refresh mode would cost.
func costs() auth.ForecastReport {
	note := auth.Say("forecast_window", 7)
	return auth.ForecastReport{ForecastView: auth.ForecastView{HistoryDays: 7}, Note: note.Message, NoteID: note.ID, NoteArgs: note.Args, Modes: map[auth.Mode]auth.ModeForecast{
		auth.InUse:    {SignInsPer30d: 1.3, RefreshesPer1d: .86, WaitedPer1d: .4},
		auth.OnDemand: {SignInsPer30d: 1, RefreshesPer1d: .7, WaitedPer1d: 2.8},
		auth.Always:   {SignInsPer30d: 34.3, RefreshesPer1d: 24},
	}}
}

// screen is a View in a window of the test driver, which needs no display.
type screen struct {
	*View
	window fyne.Window
}

// still returns a View that shows snaps and is not running: for pictures.
func still(t testing.TB, l viewing, snaps ...auth.Snapshot) *screen {
	t.Helper()
	s := deaf(t, l)
	for _, snap := range snaps {
		s.local(snap.Name).events = history(snap)
	}
	s.Show(snaps, noon)
	return s
}

// dressed is the theme of the app that many tests in a row look at.
var dressed *look.Theme

// dress makes the app for viewings like l until the end of t, as tests do for
// themselves that find none. A new one has to measure all words again.
func dress(t testing.TB, l viewing) {
	th := look.NewTheme(l.appearance).Scaled(l.text)
	test.NewTempApp(t).Settings().SetTheme(th)
	before := dressed
	dressed = th
	t.Cleanup(func() { dressed = before })
}

// deaf returns a View that has heard nothing of an agent, and is not running.
func deaf(t testing.TB, l viewing) *screen {
	t.Helper()
	if dressed == nil || dressed.Appearance != l.appearance || dressed.Text != l.text {
		dress(t, l)
	}
	// Fyne's caches know the time of the last picture only. After a minute
	// without one they would throw away what is made below.
	test.NewTempWindow(t, container.NewWithoutLayout()).Canvas().Capture()
	status.SetLanguage(l.language)
	t.Cleanup(func() { status.SetLanguage(status.English) })
	v := New(Config{
		Do: func(f func()) { f() }, Now: func() time.Time { return noon },
		Clipboard: test.NewClipboard(), Close: func() {},
		Autostart: func() (bool, error) { return true, nil }, SetAutostart: func(bool) error { return nil },
		Providers: oauth.Listing(),
		Demo:      func(context.Context) (auth.Account, error) { return auth.Account{}, nil },
		About: func() []string {
			return []string{"Curfew 1.0", "Accounts and limits are in /home/alice/.config/curfew/config.toml"}
		},
	})
	w := test.NewTempWindow(t, v.Content())
	w.SetPadded(false)
	v.AddShortcuts(w.Canvas())
	w.Resize(l.size.Max(w.Content().MinSize())) // as a window manager does
	return &screen{v, w}
}

// list is the list that is open; nil when none is.
func (v *View) list() (open *widget.PopUpMenu) {
	if top := v.frame.Canvas.Overlays().Top(); top != nil {
		walk(top, func(o fyne.CanvasObject) {
			if menu, ok := o.(*widget.PopUpMenu); ok {
				open = menu
			}
		})
	}
	return open
}
