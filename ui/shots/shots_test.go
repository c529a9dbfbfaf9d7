package shots_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"

	"curfew/assets"
	"curfew/auth"
	"curfew/ui/shots"
	"curfew/ui/status"
	"curfew/ui/tray"
)

var (
	dir   = flag.String("shots", "", "the album to put pictures into, and to write the index of")
	least = flag.Int("shots.least", 40, "how many pictures the album must have")
)

var now = time.Date(2026, time.November, 22, 14, 30, 0, 0, time.UTC)

// constants reads the constants of a type of package auth from its source, so
// that the table below cannot miss one that is added there.
func constants(t *testing.T, name string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../auth/snapshot.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if of, ok := spec.Type.(*ast.Ident); ok && of.Name == name {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		return true
	})
	return values
}

// TestSituations: the table has every state, reason for an end and phase of a
// sign-in. It also has the numbers of accounts that matter.
func TestSituations(t *testing.T) {
	seen, names, numbers := map[string]bool{}, map[string]bool{}, map[int]bool{}
	for _, s := range shots.Situations(now) {
		if names[s.Name] || s.Caption == "" || strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("situation %q: must have a unique name and a caption", s.Name)
		}
		names[s.Name] = true
		numbers[len(s.Accounts)] = true
		for _, a := range s.Accounts {
			seen["State "+string(a.State)] = true
			seen["Reason "+string(a.Reason)] = true
			if a.SignIn != nil {
				seen["Phase "+string(a.SignIn.Phase)] = true
			}
			if a.RefreshesUsed+a.RefreshesLeft != a.MaxRefreshes && a.State != auth.Ended && !a.NoRefresh {
				t.Errorf("%s: %d used and %d left of %d", s.Name, a.RefreshesUsed, a.RefreshesLeft, a.MaxRefreshes)
			}
		}
	}
	for kind, least := range map[string]int{"State": 10, "Reason": 8, "Phase": 4} {
		values := constants(t, kind)
		if len(values) < least {
			t.Fatalf("package auth has the %ss %q, too few", kind, values)
		}
		for _, v := range values {
			if v != string(auth.PhaseDone) && !seen[kind+" "+v] { // done is a session like any other
				t.Errorf("no situation has %s %q", kind, v)
			}
		}
	}
	for _, n := range []int{0, 1, 5, 30} {
		if !numbers[n] {
			t.Errorf("no situation has %d accounts", n)
		}
	}
}

func TestAlbum(t *testing.T) {
	folder := t.TempDir()
	album, err := shots.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	full, blank := image.NewNRGBA(image.Rect(0, 0, 40, 30)), image.NewNRGBA(image.Rect(0, 0, 40, 30))
	for i := range full.Pix {
		full.Pix[i] = byte(i * 7)
	}
	for _, p := range []struct {
		shots.Picture
		img image.Image
	}{
		{shots.Picture{Name: "b/two", Group: "second", Caption: "less < more", Look: "dark"}, full},
		{shots.Picture{Name: "a/one", Group: "first", Caption: "nothing", Look: "light"}, blank},
	} {
		if err := album.Draw(p.Picture, p.img); err != nil {
			t.Fatal(err)
		}
	}
	all, err := album.Pictures()
	if err != nil || len(all) != 2 || all[0].Name != "a/one" || all[1].Width != 40 || all[1].Height != 30 {
		t.Fatalf("the album has %+v, %v", all, err)
	}
	if err := album.Check(all); err == nil || !strings.Contains(err.Error(), "a/one is blank") || strings.Contains(err.Error(), "b/two") {
		t.Errorf("what is wrong with the pictures: %v; want that the one is blank", err)
	}
	if err := os.Remove(filepath.Join(folder, "b/two.png")); err != nil {
		t.Fatal(err)
	}
	if err := album.Check(all[1:]); err == nil {
		t.Error("a picture that is not there is not missed")
	}
	if err := album.Index(all); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(folder, "index.html"))
	for _, want := range []string{`src="b/two.png"`, "less &lt; more", "2 pictures"} {
		if err != nil || !strings.Contains(string(page), want) {
			t.Errorf("the index lacks %s (%v):\n%s", want, err, page)
		}
	}
	if list, err := os.ReadFile(filepath.Join(folder, "list.txt")); err != nil || strings.Count(string(list), "\n") != 2 {
		t.Errorf("the list: %q, %v", list, err)
	}
}

// panels are what stands behind a tray icon on the desktops that people use.
var panels = []struct {
	name   string
	ground color.NRGBA
	ink    color.NRGBA
	tone   assets.Tone
}{
	{"dark panel", color.NRGBA{0x1f, 0x22, 0x26, 255}, color.NRGBA{0xe8, 0xeb, 0xf0, 255}, assets.Any},
	{"light panel", color.NRGBA{0xee, 0xf0, 0xf2, 255}, color.NRGBA{0x1b, 0x22, 0x30, 255}, assets.Any},
	{"light panel, icons for light panels", color.NRGBA{0xee, 0xf0, 0xf2, 255}, color.NRGBA{0x1b, 0x22, 0x30, 255}, assets.Light},
}

// stateOf is what the tray knows in situation s.
func stateOf(s shots.Situation) tray.State {
	agent := map[shots.Agent]tray.AgentState{shots.Up: tray.Connected, shots.Starting: tray.Starting, shots.Gone: tray.Gone}
	state := tray.State{Accounts: status.ForScreen(s.Accounts), Agent: agent[s.Agent]}
	if s.Agent == shots.Gone {
		state.Trouble = status.Explain(shots.ErrGone)
	}
	return state
}

// icon is a tray icon as large as a panel shows it.
func icon(name string, tone assets.Tone, size float32) fyne.CanvasObject {
	img := canvas.NewImageFromResource(fyne.NewStaticResource(string(tone)+"-"+name+".png", assets.TrayIcon(name, tone)))
	img.SetMinSize(fyne.NewSquareSize(size))
	return container.NewCenter(img)
}

// draw draws content on ground.
func draw(t *testing.T, ground color.Color, content fyne.CanvasObject) image.Image {
	t.Helper()
	test.NewTempApp(t).Settings().SetTheme(theme.DefaultTheme())
	w := test.NewTempWindow(t, container.NewStack(canvas.NewRectangle(ground), container.New(layout.NewCustomPaddedLayout(16, 16, 20, 20), content)))
	w.SetPadded(false)
	w.Resize(w.Content().MinSize())
	return w.Canvas().Capture()
}

func words(text string, ink color.Color) *canvas.Text {
	t := canvas.NewText(text, ink)
	t.TextSize = 13
	return t
}

// TestIcons puts every icon into the album at the sizes of panels, and the
// icon and tooltip of every situation.
func TestIcons(t *testing.T) {
	if *dir == "" {
		t.Skip("make ui-shots draws them")
	}
	album, err := shots.Open(*dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range panels {
		sheet := container.NewGridWithColumns(3)
		for _, name := range assets.TrayIcons() {
			sizes := container.NewHBox()
			for _, size := range []float32{16, 22, 32, 64} {
				sizes.Add(icon(name, p.tone, size))
			}
			sheet.Add(container.New(layout.NewCustomPaddedLayout(2, 2, 6, 24), container.NewBorder(nil, nil, sizes, nil, words(name, p.ink))))
		}
		err := album.Draw(shots.Picture{Name: fmt.Sprintf("icons/all-%d", i+1), Group: "tray icons", Caption: "every icon, at 16, 22, 32 and 64 pixels", Look: p.name}, draw(t, p.ground, sheet))
		if err != nil {
			t.Error(err)
		}
		if p.tone != assets.Any {
			continue
		}
		left, right := container.NewVBox(), container.NewVBox()
		for i, s := range shots.Situations(now) {
			m := tray.NewModel(stateOf(s), now)
			lines := container.NewVBox(words(s.Caption, p.ink))
			for line := range strings.Lines(m.Tooltip) {
				small := words(clip(strings.TrimSpace(line)), p.ink)
				small.TextSize = 11
				lines.Add(small)
			}
			[]*fyne.Container{left, right}[i%2].Add(container.New(layout.NewCustomPaddedLayout(4, 4, 4, 24),
				container.NewBorder(nil, nil, container.NewVBox(icon(m.Icon, p.tone, 22)), nil, lines)))
		}
		err = album.Draw(shots.Picture{Name: fmt.Sprintf("icons/situations-%d", i+1), Group: "tray icons", Caption: "the icon and the tooltip of every situation", Look: p.name}, draw(t, p.ground, container.NewGridWithColumns(2, left, right)))
		if err != nil {
			t.Error(err)
		}
	}
}

// clip shortens a line to what a sheet of two columns has room for.
func clip(line string) string {
	r := []rune(line)
	return string(r[:min(len(r), 100)])
}

// TestIndex writes the index of what all programs put into the album, after a
// look at each picture.
func TestIndex(t *testing.T) {
	if *dir == "" {
		t.Skip("make ui-shots makes the album")
	}
	album, err := shots.Open(*dir)
	if err != nil {
		t.Fatal(err)
	}
	all, err := album.Pictures()
	if err != nil {
		t.Fatal(err)
	}
	if err := album.Check(all); err != nil {
		t.Error(err)
	}
	if err := album.Index(all); err != nil {
		t.Error(err)
	}
	if len(all) < *least {
		t.Errorf("there are %d pictures, want at least %d", len(all), *least)
	}
	var groups []string
	for _, p := range all {
		if !slices.Contains(groups, p.Group) {
			groups = append(groups, p.Group)
		}
	}
	fmt.Printf("%d pictures in %s: %s\n", len(all), filepath.Join(*dir, "index.html"), strings.Join(groups, "; "))
}
