// Package icons draws the pictures that package assets embeds: the fixed set
// of tray icons and the program's own icon. The PNG files next to it are its
// output (`go generate ./assets`); a test draws them again and compares. No
// program links it.
//
// Every shape is a signed distance field: a function that says how far a point
// is from the edge, below zero inside. Smooth edges, outlines and gaps are
// then arithmetic on distances, and any size comes out sharp.
package icons

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
)

// grid is the side of the square that the shapes are drawn in, whatever the
// size in pixels; the ring's measures are those of a 22 pixel panel.
const (
	grid       = 22.0
	ringRadius = 8.3
	ringWidth  = 3.1
)

type point struct{ x, y float64 }

// A shape returns the distance of p to its edge in grid units, below zero inside.
type shape func(p point) float64

func disc(cx, cy, r float64) shape {
	return func(p point) float64 { return math.Hypot(p.x-cx, p.y-cy) - r }
}

// stroke is a line with round ends.
func stroke(x1, y1, x2, y2, width float64) shape {
	dx, dy := x2-x1, y2-y1
	return func(p point) float64 {
		t := math.Max(0, math.Min(1, ((p.x-x1)*dx+(p.y-y1)*dy)/(dx*dx+dy*dy)))
		return math.Hypot(p.x-x1-t*dx, p.y-y1-t*dy) - width/2
	}
}

// box is a rectangle with rounded corners.
func box(x, y, w, h, r float64) shape {
	return func(p point) float64 {
		qx, qy := math.Abs(p.x-x-w/2)-w/2+r, math.Abs(p.y-y-h/2)-h/2+r
		return math.Hypot(math.Max(qx, 0), math.Max(qy, 0)) + math.Min(math.Max(qx, qy), 0) - r
	}
}

// arc is a part of a ring, from one fraction of a turn to another, clockwise
// from the top.
func arc(cx, cy, r, width, from, to float64) shape {
	edge := func(p point, turn float64) float64 { // below zero before the turn, clockwise
		sin, cos := math.Sincos(2 * math.Pi * turn)
		return (p.x-cx)*cos + (p.y-cy)*sin
	}
	return func(p point) float64 {
		ring := math.Abs(math.Hypot(p.x-cx, p.y-cy)-r) - width/2
		switch {
		case to-from >= 1:
			return ring
		case to-from > 0.5:
			return math.Max(ring, math.Min(-edge(p, from), edge(p, to)))
		}
		return math.Max(ring, math.Max(-edge(p, from), edge(p, to)))
	}
}

func union(shapes ...shape) shape {
	return func(p point) float64 {
		d := math.Inf(1)
		for _, s := range shapes {
			d = math.Min(d, s(p))
		}
		return d
	}
}

// without cuts b and a gap around it out of a.
func without(a, b shape, gap float64) shape {
	return func(p point) float64 { return math.Max(a(p), gap-b(p)) }
}

// An icon is a ring that may be part full, and a sign. If a person is needed it
// is a full disc with the sign cut out, the boldest of the set.
type icon struct {
	track shape // the ring's empty part, dim; may be nil
	ink   shape // what is left, and the sign; may be nil
}

func ring(fraction float64) icon {
	i := icon{track: arc(11, 11, ringRadius, ringWidth, 0, 1)}
	if fraction > 0 {
		i.ink = arc(11, 11, ringRadius, ringWidth, 0, fraction)
	}
	return i
}

// with puts a sign into the ring.
func (i icon) with(sign shape) icon {
	if i.ink != nil {
		sign = union(i.ink, sign)
	}
	return icon{i.track, sign}
}

// needing is the disc with a sign cut out.
func needing(sign shape) icon { return icon{ink: without(disc(11, 11, 9.5), sign, 0)} }

// struck lays a line over the ring, with a gap so that it stands out.
func (i icon) struck(line shape) icon {
	const gap = 1
	struck := icon{track: without(i.track, line, gap), ink: line}
	if i.ink != nil {
		struck.ink = union(without(i.ink, line, gap), line)
	}
	return struck
}

var (
	exclamation = union(stroke(11, 7.2, 11, 11.6, 2.4), disc(11, 14.9, 1.45))
	loud        = union(stroke(11, 5.6, 11, 11.9, 3), disc(11, 16.2, 1.75))
	cross       = union(stroke(7.2, 7.2, 14.8, 14.8, 3), stroke(14.8, 7.2, 7.2, 14.8, 3))
	slash       = stroke(3.6, 18.4, 18.4, 3.6, 2.3)
	bars        = union(box(7.5, 7.2, 2.5, 7.6, 0.8), box(12, 7.2, 2.5, 7.6, 0.8))
	padlock     = union(box(6.4, 10.2, 9.2, 6.2, 1), arc(11, 8.6, 2.8, 1.9, -0.25, 0.25), box(7.25, 8.5, 1.9, 2.2, 0), box(12.85, 8.5, 1.9, 2.2, 0))
	arrow       = union(stroke(7.2, 11, 14.4, 11, 2.1), stroke(11.5, 7.9, 14.6, 11, 2.1), stroke(11.5, 14.1, 14.6, 11, 2.1))
)

// tray returns the fixed set of tray icons by name. A plain ring comes in
// tenths. With a sign in it the eye can distinguish only fifths.
func tray() map[string]icon {
	set := map[string]icon{
		"ended":      needing(cross),
		"locked":     needing(padlock),
		"attention":  needing(loud),
		"soon-00":    ring(0).with(exclamation),
		"soon-02":    ring(0.2).with(exclamation),
		"signed-out": ring(0),
		"signing-in": ring(0).with(arrow),
		"no-agent":   {ink: dashes()},
	}
	for tenths := 1; tenths <= 10; tenths++ {
		set[fmt.Sprintf("ring-%02d", tenths)] = ring(float64(tenths) / 10)
	}
	for tenths := 2; tenths <= 10; tenths += 2 {
		r := ring(float64(tenths) / 10)
		set[fmt.Sprintf("paused-%02d", tenths)] = r.with(bars)
		set[fmt.Sprintf("offline-%02d", tenths)] = r.struck(slash)
	}
	return set
}

// dashes is a broken ring: nothing answers.
func dashes() shape {
	var all []shape
	for i := range 6 {
		from := float64(i)/6 - 1.0/24
		all = append(all, arc(11, 11, ringRadius, ringWidth, from, from+1.0/12))
	}
	return union(all...)
}

// A layer paints a shape in a colour; the colour's alpha is the layer's.
type layer struct {
	shape  shape
	colour color.NRGBA
}

// paint draws layers over each other, px pixels wide and high.
func paint(px int, side float64, layers ...layer) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, px, px))
	scale := side / float64(px)
	for y := range px {
		for x := range px {
			p := point{(float64(x) + 0.5) * scale, (float64(y) + 0.5) * scale}
			var r, g, b, a float64 // premultiplied
			for _, l := range layers {
				if l.shape == nil {
					continue
				}
				cover := math.Max(0, math.Min(1, 0.5-l.shape(p)/scale)) * float64(l.colour.A) / 255
				r = r*(1-cover) + float64(l.colour.R)*cover
				g = g*(1-cover) + float64(l.colour.G)*cover
				b = b*(1-cover) + float64(l.colour.B)*cover
				a = a*(1-cover) + cover
			}
			if a > 0 {
				img.SetNRGBA(x, y, color.NRGBA{uint8(math.Round(r / a)), uint8(math.Round(g / a)), uint8(math.Round(b / a)), uint8(math.Round(a * 255))})
			}
		}
	}
	return img
}

var (
	white = color.NRGBA{0xf4, 0xf6, 0xf9, 0xff}
	dark  = color.NRGBA{0x1c, 0x21, 0x29, 0xff}
)

func faded(c color.NRGBA, alpha uint8) color.NRGBA { c.A = alpha; return c }

// inTone draws a tray icon in a tone. "any" is drawn on a dark disc, which is
// invisible on a dark panel and visible on a light one.
func (i icon) inTone(tone string, px int) *image.NRGBA {
	if tone == "light" {
		return paint(px, grid, layer{i.track, faded(dark, 0x50)}, layer{i.ink, dark})
	}
	plate, solid := disc(11, 11, 11), uint8(0xe0)
	if i.track == nil {
		solid = 0xff // on a light panel the rim is what makes the icon bold
	}
	return paint(px, grid, layer{plate, faded(dark, solid)}, layer{i.track, faded(white, 0x60)}, layer{i.ink, white})
}

// app draws the program's own icon: the ring that empties round a moon, on a tile.
func app(px int) *image.NRGBA {
	const side = 64
	moon := func(p point) float64 { return math.Max(disc(31, 32.5, 9.5)(p), -disc(36.2, 28.8, 8.6)(p)) }
	head := func(turn float64) shape {
		sin, cos := math.Sincos(2 * math.Pi * turn)
		return disc(32+19*sin, 32-19*cos, 3)
	}
	left := union(arc(32, 32, 19, 6, 0, 0.7), head(0), head(0.7))
	return paint(px, side,
		layer{box(2, 2, 60, 60, 14), color.NRGBA{0x15, 0x18, 0x1d, 0xff}},
		layer{arc(32, 32, 19, 6, 0, 1), color.NRGBA{0x2f, 0x36, 0x42, 0xff}},
		layer{left, color.NRGBA{0x4c, 0xc3, 0x8a, 0xff}},
		layer{moon, color.NRGBA{0xe8, 0xeb, 0xf0, 0xff}},
	)
}

// sheet lays out all tray icons at 64, 44 and 22 pixels, for people to look at.
// The first tone is on a dark and a light panel, the second on a light one.
func sheet(names []string, set map[string]icon) *image.NRGBA {
	const cell, column = 72, 170
	rows := (len(names) + 2) / 3
	img := image.NewNRGBA(image.Rect(0, 0, 9*column, rows*cell))
	for i, name := range names {
		for j, panel := range []struct {
			tone   string
			colour color.NRGBA
		}{{"any", color.NRGBA{0x2b, 0x2b, 0x2b, 0xff}}, {"any", color.NRGBA{0xe9, 0xe9, 0xe9, 0xff}}, {"light", color.NRGBA{0xe9, 0xe9, 0xe9, 0xff}}} {
			x, y := (i/rows*3+j)*column, i%rows*cell
			draw.Draw(img, image.Rect(x, y, x+column, y+cell), image.NewUniform(panel.colour), image.Point{}, draw.Src)
			for _, px := range []int{64, 44, 22} {
				draw.Draw(img, image.Rect(x+6, y+(cell-px)/2, x+6+px, y+(cell+px)/2), set[name].inTone(panel.tone, px), image.Point{}, draw.Over)
				x += px + 8
			}
		}
	}
	return img
}
