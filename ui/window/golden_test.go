package window

import (
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"curfew/auth"
	"curfew/ui/status"
)

// everyone is a window's worth of accounts, one in each kind of trouble.
func everyone() []auth.Snapshot {
	waiting := in(spotify(), auth.Waiting, "The server cannot be reached (id.example.com did not answer in time); the session is kept.")
	waiting.Name, waiting.NextRefreshAt = "Offline", ahead(4*day/24/60)
	held := in(spotify(), auth.Held, "The server refused this client (invalid_client); the session is kept.")
	held.Name = "Held"
	locked := in(spotify(), auth.Locked, "")
	locked.Name = "Locked"
	suspect := in(spotify(), auth.Suspect, "")
	suspect.Name = "Suspect"
	return []auth.Snapshot{spotify(), entra(), gitea(), fresh(), waiting, held, locked, suspect}
}

// A golden is a state of the window that must look as it did when somebody
// last looked at it. After a change: run the test, look at what it put into
// testdata/failed, and move it to testdata. CURFEW_LOOK=DIR draws all of them
// into DIR, in every language.
type golden struct {
	name string
	look Appearance
	size fyne.Size
	set  func(t *testing.T) *screen
}

func goldens() []golden {
	account := func(name string) func(*testing.T, Appearance, fyne.Size) *screen {
		return func(t *testing.T, look Appearance, size fyne.Size) *screen {
			for _, s := range everyone() {
				if s.Name == name {
					return still(t, look, size, s)
				}
			}
			t.Fatalf("nobody is called %q", name)
			return nil
		}
	}
	list := []golden{}
	add := func(name string, look Appearance, size fyne.Size, set func(*testing.T, Appearance, fyne.Size) *screen) {
		list = append(list, golden{name, look, size, func(t *testing.T) *screen { return set(t, look, size) }})
	}
	all := func(t *testing.T, look Appearance, size fyne.Size) *screen {
		return still(t, look, size, everyone()...)
	}
	add("dark", Dark, usual, all)
	add("light", Light, usual, all)
	add("small", Light, fyne.NewSize(leastWidth, leastHeight), account("Spotify"))
	add("soon", Light, usual, account("Work (Entra)"))
	add("ended", Dark, usual, account("Gitea"))
	add("signed-out", Dark, usual, account("Notes"))
	add("waiting", Dark, usual, account("Offline"))
	add("held", Dark, usual, account("Held"))
	add("locked", Dark, usual, account("Locked"))
	add("suspect", Dark, usual, account("Suspect"))
	add("signing-in", Dark, usual, func(t *testing.T, look Appearance, size fyne.Size) *screen {
		a := spotify()
		a.SignIn = &auth.SignInView{Flow: "f", Phase: auth.PhaseExchange}
		return still(t, look, size, a)
	})
	add("sign-out", Light, usual, func(t *testing.T, look Appearance, size fyne.Size) *screen {
		s := still(t, look, size, spotify())
		s.askSignOut("Spotify")
		return s
	})
	add("agent-gone", Dark, usual, func(t *testing.T, look Appearance, size fyne.Size) *screen {
		s := still(t, look, size, spotify())
		s.lost(errDown)
		return s
	})
	add("empty", Light, usual, func(t *testing.T, look Appearance, size fyne.Size) *screen { return still(t, look, size) })
	add("add", Dark, usual, func(t *testing.T, look Appearance, size fyne.Size) *screen {
		s := still(t, look, size, spotify())
		s.turn(pageAdd)
		s.add.provider.SetSelected(otherProvider())
		s.add.submit()
		s.focus(nil) // the cursor blinks
		return s
	})
	add("settings", Light, usual, func(t *testing.T, look Appearance, size fyne.Size) *screen {
		s := still(t, look, size, spotify(), gitea())
		s.turn(pageSettings)
		return s
	})
	add("log", Light, usual, func(t *testing.T, look Appearance, size fyne.Size) *screen {
		s := still(t, look, size, spotify())
		s.turn(pageLog)
		return s
	})
	add("long", Dark, fyne.NewSize(leastWidth, leastHeight), func(t *testing.T, look Appearance, size fyne.Size) *screen {
		s := spotify()
		s.Name, s.Subject, s.LastUsedBy = long(4096), long(4096), long(4096)
		s.Warnings = []string{long(300)}
		return still(t, look, size, s)
	})
	return list
}

func TestMarkup(t *testing.T) {
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			test.AssertRendersToMarkup(t, g.name+".xml", g.set(t).window.Canvas())
		})
	}
}

// TestPictures compares the pixels of a few states; markup, which a person
// can read in a diff, has the rest.
func TestPictures(t *testing.T) {
	few := map[string]bool{"dark": true, "light": true, "small": true, "signing-in": true}
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			if few[g.name] {
				test.AssertRendersToImage(t, g.name+".png", g.set(t).window.Canvas())
			}
			dir := os.Getenv("CURFEW_LOOK")
			if dir == "" {
				return
			}
			for _, l := range status.Languages() { // all of them, for a person
				speak(t, l.Code)
				f, err := os.Create(filepath.Join(dir, g.name+"-"+l.Code+".png"))
				if err == nil {
					defer f.Close()
					err = png.Encode(f, g.set(t).window.Canvas().Capture())
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
