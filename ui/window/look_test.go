package window

import (
	"image/png"
	"os"
	"testing"

	"fyne.io/fyne/v2"

	"curfew/auth"
)

func TestLook(t *testing.T) {
	dir := os.Getenv("LOOK")
	if dir == "" {
		t.Skip()
	}
	save := func(name string, s *screen) {
		f, _ := os.Create(dir + "/" + name + ".png")
		png.Encode(f, s.window.Canvas().Capture())
		f.Close()
	}
	all := []auth.Snapshot{spotify(), entra(), gitea(), fresh()}
	save("dark", still(t, Dark, usual, all...))
	save("light", still(t, Light, usual, all...))
	save("small", still(t, Dark, fyne.NewSize(720, 520), all...))
	save("large", still(t, Light, fyne.NewSize(1300, 900), all...))
	for _, n := range []string{"Work (Entra)", "Gitea", "Notes"} {
		s := still(t, Dark, usual, all...)
		s.Select(n)
		save("acc-"+n, s)
	}
	save("empty", still(t, Dark, usual))
	s := still(t, Dark, usual, all...)
	s.turn(pageAdd)
	s.add.provider.SetSelected(otherProvider)
	save("add", s)
	s.add.submit()
	save("add-errors", s)
	s = still(t, Light, usual, all...)
	s.turn(pageSettings)
	save("settings", s)
	s = still(t, Light, usual, all...)
	s.turn(pageLog)
	save("log", s)
	s = still(t, Light, usual, all...)
	s.askSignOut("Spotify")
	save("signout", s)
	a := spotify()
	a.SignIn = &auth.SignInView{Flow: "f", Phase: auth.PhaseBrowser}
	s = still(t, Dark, usual, a, entra())
	save("signing", s)
}
