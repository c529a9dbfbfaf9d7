package window

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"

	"curfew/auth"
)

// noon is the time of every picture: 09:41 of a Sunday in a zone that is not UTC.
var noon = time.Date(2026, time.November, 22, 9, 41, 0, 0, time.FixedZone("CET", 3600))

func ago(d time.Duration) time.Time   { return noon.Add(-d) }
func ahead(d time.Duration) time.Time { return noon.Add(d) }

const day = 24 * time.Hour

// spotify is a session in the middle of its life.
func spotify() auth.Snapshot {
	return auth.Snapshot{
		Name: "Spotify", Provider: "spotify", Subject: "alice@example.org", State: auth.Active,
		SignedInAt: ago(7 * day), EndsAt: ahead(23 * day), AgeLeft: int64(23 * day / time.Second),
		RefreshesUsed: 6, RefreshesLeft: 14, MaxRefreshes: 20,
		AccessExpiresAt: ahead(41*time.Minute + 7*time.Second), AccessLeft: 2467, AccessLifetime: 3600,
		NextReason: "when a program asks", LastRefreshAt: ago(19 * time.Minute), LastUsedAt: ago(2 * time.Minute), LastUsedBy: "curl",
		LimitedBy: auth.LimitRefreshes, RefreshMode: auth.InUse,
		Forecast: auth.ForecastView{EndsAt: ahead(16 * day), By: auth.LimitRefreshes, SignInsPer30d: 1.3, RefreshesPer1d: .86},
	}
}

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
	s.SignedInAt, s.EndsAt = ago(12*day), ahead(18*day)
	s.AccessExpiresAt, s.Forecast, s.LimitedBy = time.Time{}, auth.ForecastView{}, auth.LimitNone
	return s
}

func fresh() auth.Snapshot {
	return auth.Snapshot{Name: "Notes", Provider: "https://notes.example", State: auth.SignedOut, MaxRefreshes: 20, RefreshesLeft: 20}
}

func in(s auth.Snapshot, state auth.State, message string) auth.Snapshot {
	s.State, s.Message = state, message
	return s
}

// history is the events of a session of which used refreshes are spent.
func history(s auth.Snapshot) []auth.Event {
	if s.SignedInAt.IsZero() {
		return nil
	}
	events := []auth.Event{{At: s.SignedInAt, Kind: auth.EventSignIn, Account: s.Name, Message: "signed in as " + s.Subject}}
	span := noon.Sub(s.SignedInAt) - 20*time.Minute
	for i := 1; i <= s.RefreshesUsed; i++ {
		at := s.SignedInAt.Add(span * time.Duration(i*i+3*i) / time.Duration(s.RefreshesUsed*s.RefreshesUsed+3*s.RefreshesUsed))
		program := []string{"curl", "spotify-tui"}[i%2]
		events = append(events,
			auth.Event{At: at, Account: s.Name, Kind: auth.EventRefresh, Program: program, Count: i, Message: fmt.Sprintf("refreshed, %d of 20, for %s", i, program)},
			auth.Event{At: at.Add(time.Second), Account: s.Name, Kind: auth.EventToken, Program: program, Message: "token for " + program})
	}
	if s.State == auth.Ended {
		events = append(events, auth.Event{At: ago(5 * time.Minute), Account: s.Name, Kind: auth.EventEnd, Message: auth.MessageRefreshes})
	}
	return events
}

func long(n int) string { return strings.Repeat("Überlanger Name ", n/16+1)[:n] }

// screen is a View in a window of the test driver, which needs no display.
type screen struct {
	*View
	window fyne.Window
}

// still returns a View that shows snaps and is not running: for pictures.
func still(t testing.TB, look Appearance, size fyne.Size, snaps ...auth.Snapshot) *screen {
	t.Helper()
	// Fyne's caches know the time of the last picture only. After a minute
	// without one they would throw away what is made below.
	test.NewTempWindow(t, container.NewWithoutLayout()).Canvas().Capture()
	app := test.NewTempApp(t)
	app.Settings().SetTheme(NewTheme(look))
	v := New(Config{
		Do: func(f func()) { f() }, Now: func() time.Time { return noon },
		Clipboard: test.NewClipboard(), Close: func() {},
		Providers: []Provider{{Name: "spotify", Title: "Spotify"}, {Name: "entra", Title: "Microsoft Entra ID", NeedsIssuer: true}},
		About: func() []string {
			return []string{"Curfew 1.0", "Accounts and limits are in /home/alice/.config/curfew/config.toml"}
		},
	})
	w := test.NewTempWindow(t, v.Content())
	w.SetPadded(false)
	v.Canvas = w.Canvas
	v.AddShortcuts(w.Canvas())
	w.Resize(size)
	for _, s := range snaps {
		l := v.local(s.Name)
		l.events = history(s)
	}
	v.Show(snaps, noon)
	return &screen{v, w}
}

var usual = fyne.NewSize(890, 640)
