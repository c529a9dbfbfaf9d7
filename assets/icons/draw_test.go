package icons

import (
	"flag"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write the PNG files instead of comparing them")

// files returns every picture by its file name.
func files() map[string]*image.NRGBA {
	set := tray()
	pictures := map[string]*image.NRGBA{
		"app-256.png": app(256),
		"app-512.png": app(512),
		"sheet.png":   sheet(slices.Sorted(maps.Keys(set)), set),
	}
	for name, i := range set {
		for _, tone := range []string{"any", "light"} {
			pictures[filepath.Join(tone, name+".png")] = i.inTone(tone, 44)
		}
	}
	return pictures
}

// TestFiles: the files are exactly what the drawing makes.
func TestFiles(t *testing.T) {
	t.Parallel()
	pictures := files()
	if *update {
		for _, dir := range []string{"any", "light"} {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, want := range pictures {
		if *update {
			write(t, name, want)
		}
		if got := read(t, name); !alike(got, want) {
			t.Errorf("%s is not what the drawing makes; run: go generate ./assets", name)
		}
	}
	for _, pattern := range []string{"*.png", "*/*.png"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			if pictures[name] == nil {
				t.Errorf("%s is a file that nothing draws", name)
			}
		}
	}
}

func write(t *testing.T, name string, img image.Image) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) image.Image {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return img
}

// alike allows the last bit that floating point may round differently on
// another processor.
func alike(a, b image.Image) bool {
	if a.Bounds() != b.Bounds() {
		return false
	}
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			p, q := color.NRGBAModel.Convert(a.At(x, y)).(color.NRGBA), color.NRGBAModel.Convert(b.At(x, y)).(color.NRGBA)
			for _, d := range []int{int(p.R) - int(q.R), int(p.G) - int(q.G), int(p.B) - int(q.B), int(p.A) - int(q.A)} {
				if max(d, -d) > 1 {
					return false
				}
			}
		}
	}
	return true
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(c color.NRGBA) float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

// contrast is the contrast ratio of WCAG 2.2, 1 to 21.
func contrast(a, b color.NRGBA) float64 {
	l, m := luminance(a), luminance(b)
	return (max(l, m) + 0.05) / (min(l, m) + 0.05)
}

func over(c, panel color.NRGBA) color.NRGBA {
	mix := func(a, b uint8) uint8 { return uint8((int(a)*int(c.A) + int(b)*(255-int(c.A))) / 255) }
	return color.NRGBA{mix(c.R, panel.R), mix(c.G, panel.G), mix(c.B, panel.B), 255}
}

// TestContrast measures legibility on the pixels of half a ring (WCAG 2.2,
// 1.4.11: 3 to 1). On every panel that a tone is for, its full part stands out
// from its empty part. It also stands out from the panel, by its fill or by its
// edge. The empty part is dim on purpose, but can still be seen.
func TestContrast(t *testing.T) {
	t.Parallel()
	grey := func(v uint8) color.NRGBA { return color.NRGBA{v, v, v, 255} }
	panels := map[string][]color.NRGBA{
		"any":   {grey(0), grey(0x2b), {0x2e, 0x34, 0x40, 255}, {0x35, 0x84, 0xe4, 255}, grey(0xe9), {0xef, 0xf0, 0xf1, 255}, grey(255)},
		"light": {grey(0xd0), grey(0xe9), {0xef, 0xf0, 0xf1, 255}, grey(255)},
	}
	const middle = 22 // of the ring, in pixels; its radius is 16.6 and its edge 21
	for tone, panels := range panels {
		img := ring(0.5).inTone(tone, 44)
		for _, panel := range panels {
			full := over(img.NRGBAAt(middle+16, middle), panel)
			empty := over(img.NRGBAAt(middle-17, middle), panel)
			edge := over(img.NRGBAAt(middle+20, middle), panel)
			if c := contrast(full, empty); c < 3 {
				t.Errorf("%s on %v: full and empty have a contrast of %.1f", tone, panel, c)
			}
			if c, e := contrast(full, panel), min(contrast(full, edge), contrast(edge, panel)); c < 3 && e < 3 {
				t.Errorf("%s on %v: full and panel have a contrast of %.1f, by the edge %.1f", tone, panel, c, e)
			}
			if c := max(contrast(empty, panel), contrast(empty, edge)); c < 1.5 {
				t.Errorf("%s on %v: empty has a contrast of %.1f to what is round it", tone, panel, c)
			}
		}
	}
}

// TestNeeding: an icon that needs a person has a contrast of at least 7 to 1
// between its disc and its sign. It stands out from every panel as much, by its
// disc or by its rim. It has more ink than any other.
func TestNeeding(t *testing.T) {
	t.Parallel()
	grey := func(v uint8) color.NRGBA { return color.NRGBA{v, v, v, 255} }
	panels := map[string][]color.NRGBA{
		"any":   {grey(0), grey(0x2b), {0x2e, 0x34, 0x40, 255}, grey(0xe9), {0xef, 0xf0, 0xf1, 255}, grey(255)},
		"light": {grey(0xd0), grey(0xe9), {0xef, 0xf0, 0xf1, 255}, grey(255)},
	}
	ink := func(i icon) (sum int) {
		img := paint(44, grid, layer{i.ink, dark})
		for j := 3; j < len(img.Pix); j += 4 {
			sum += int(img.Pix[j])
		}
		return sum
	}
	set := tray()
	for _, name := range []string{"attention", "ended", "locked"} {
		for other, i := range set {
			if i.track != nil && ink(i) >= ink(set[name]) {
				t.Errorf("%s has more ink than %s, which wants a person", other, name)
			}
		}
		for tone, all := range panels {
			img := set[name].inTone(tone, 44)
			for _, panel := range all {
				disc := over(img.NRGBAAt(22, 6), panel) // above every sign
				sign := over(img.NRGBAAt(22, 25), panel)
				rim := over(img.NRGBAAt(22, 2), panel)
				if c := contrast(disc, sign); c < 7 {
					t.Errorf("%s, %s on %v: disc and sign have a contrast of %.1f", name, tone, panel, c)
				}
				if c, r := contrast(disc, panel), min(contrast(rim, panel), contrast(disc, rim)); max(c, r) < 7 {
					t.Errorf("%s, %s on %v: the panel has a contrast of %.1f to the disc, %.1f to the rim", name, tone, panel, c, r)
				}
			}
		}
	}
}

// TestDistinct: no two icons of the set look alike at the size of a panel,
// with or without colour.
func TestDistinct(t *testing.T) {
	t.Parallel()
	set := tray()
	names := slices.Sorted(maps.Keys(set))
	for i, a := range names {
		for _, b := range names[i+1:] {
			p, q := set[a].inTone("light", 22), set[b].inTone("light", 22)
			differ := 0
			for j := 3; j < len(p.Pix); j += 4 {
				if d := int(p.Pix[j]) - int(q.Pix[j]); max(d, -d) > 64 {
					differ++
				}
			}
			if differ < 6 {
				t.Errorf("%s and %s differ in %d of 484 pixels", a, b, differ)
			}
		}
	}
}

// TestRing: the ring holds as much ink as it says.
func TestRing(t *testing.T) {
	t.Parallel()
	ink := func(i icon) (sum float64) {
		img := paint(220, grid, layer{i.ink, dark})
		for j := 3; j < len(img.Pix); j += 4 {
			sum += float64(img.Pix[j])
		}
		return sum
	}
	full := ink(ring(1))
	for tenths := range 11 {
		if got := ink(ring(float64(tenths)/10)) / full; math.Abs(got-float64(tenths)/10) > 0.01 {
			t.Errorf("a ring of %d tenths holds %.3f of the ink", tenths, got)
		}
	}
}
