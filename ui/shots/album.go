package shots

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "embed"
)

// An Album is a directory of pictures. NAME.png has a caption in NAME.json.
// Several programs may fill the same album.
type Album struct{ dir string }

// Open opens an album, and makes its directory.
func Open(dir string) (*Album, error) { return &Album{dir}, os.MkdirAll(dir, 0o755) }

// A Picture is one of an album.
type Picture struct {
	Name    string `json:"-"` // of its files; "GROUP/NAME" has its own directory
	Group   string `json:"group"`
	Caption string `json:"caption"`
	Look    string `json:"look"` // "dark", "light, German" and so on
	Width   int    `json:"width"`
	Height  int    `json:"height"`
}

// Add adds a picture, encoded as PNG.
func (a *Album) Add(p Picture, shot []byte) error {
	size, err := png.DecodeConfig(bytes.NewReader(shot))
	if err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	p.Width, p.Height = size.Width, size.Height
	about, err := json.Marshal(p)
	if err != nil {
		return err
	}
	path := filepath.Join(a.dir, filepath.FromSlash(p.Name))
	return errors.Join(
		os.MkdirAll(filepath.Dir(path), 0o755),
		os.WriteFile(path+".png", shot, 0o644),
		os.WriteFile(path+".json", about, 0o644))
}

// Draw adds a picture.
func (a *Album) Draw(p Picture, img image.Image) error {
	var shot bytes.Buffer
	if err := png.Encode(&shot, img); err != nil {
		return err
	}
	return a.Add(p, shot.Bytes())
}

// Pictures returns all that the album holds, in the order of the index.
func (a *Album) Pictures() ([]Picture, error) {
	var all []Picture
	err := filepath.WalkDir(a.dir, func(path string, d fs.DirEntry, err error) error {
		name, ok := strings.CutSuffix(path, ".json")
		if err != nil || !ok {
			return err
		}
		about, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var p Picture
		if err := json.Unmarshal(about, &p); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		name, err = filepath.Rel(a.dir, name)
		p.Name = filepath.ToSlash(name)
		all = append(all, p)
		return err
	})
	slices.SortFunc(all, func(x, y Picture) int {
		return cmp.Or(cmp.Compare(x.Group, y.Group), cmp.Compare(x.Name, y.Name))
	})
	return all, err
}

// leastColours is how few colours a picture of something can have. A window
// without content has two or three.
const leastColours = 12

// Check looks at every picture of the album and reports those that are blank
// or broken.
func (a *Album) Check(all []Picture) error {
	var wrong []error
	for _, p := range all {
		shot, err := os.ReadFile(filepath.Join(a.dir, filepath.FromSlash(p.Name)+".png"))
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		img, err := png.Decode(bytes.NewReader(shot))
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Errorf("%s: %w", p.Name, err))
		case Colours(img) < leastColours:
			wrong = append(wrong, fmt.Errorf("%s is blank: it has %d colours", p.Name, Colours(img)))
		}
	}
	return errors.Join(wrong...)
}

// Colours counts the colours of a picture, up to a thousand.
func Colours(img image.Image) int {
	seen := map[color.Color]bool{}
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X && len(seen) < 1000; x++ {
			seen[img.At(x, y)] = true
		}
	}
	return len(seen)
}

//go:embed index.html
var indexPage string

// Index writes index.html, a page of all pictures. It also writes list.txt, which
// has a line of text for each.
func (a *Album) Index(all []Picture) error {
	type group struct {
		Name     string
		Pictures []Picture
	}
	byName := map[string][]Picture{}
	var list strings.Builder
	for _, p := range all {
		byName[p.Group] = append(byName[p.Group], p)
		fmt.Fprintf(&list, "%s.png\t%s\t%s (%s)\n", p.Name, p.Group, p.Caption, p.Look)
	}
	var groups []group
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		groups = append(groups, group{name, byName[name]})
	}
	var page bytes.Buffer
	t, err := template.New("index").Parse(indexPage)
	if err == nil {
		err = t.Execute(&page, struct {
			Groups []group
			Count  int
		}{groups, len(all)})
	}
	return errors.Join(err,
		os.WriteFile(filepath.Join(a.dir, "index.html"), page.Bytes(), 0o644),
		os.WriteFile(filepath.Join(a.dir, "list.txt"), []byte(list.String()), 0o644))
}
