package look

import (
	"strings"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"curfew/auth"
)

// maxRunes bounds what a text measures and draws: names and messages come
// from configuration and servers, and nobody reads more than this in a window.
const maxRunes = 600

// A Text shows words, however many and whoever they are from, without Fyne's padding: on one line that ends in an
// ellipsis when it must, or wrapped at spaces.
type Text struct {
	widget.BaseWidget
	words string
	color fyne.ThemeColorName
	size  fyne.ThemeSizeName
	bold  bool
	wrap  bool
	tail  string // the end of a wrapped text that stays in one piece; may be empty
	most  int    // lines of a wrapped text, of which the last ends in an ellipsis when it must; 0: any number
	align fyne.TextAlign
	least float32         // the width to which a line may shrink; 0: it never shrinks
	row   *fyne.Container // shares out its width again when the words change; may be nil
}

// NewText returns a text of one line that never shrinks.
func NewText(words string, size fyne.ThemeSizeName, color fyne.ThemeColorName) *Text {
	t := &Text{words: auth.Clip(words, maxRunes), size: size, color: color}
	t.ExtendBaseWidget(t)
	return t
}

// NewLine returns a text of one line that may shrink.
func NewLine(words string, size fyne.ThemeSizeName, color fyne.ThemeColorName) *Text {
	t := NewText(words, size, color)
	t.least = 24
	return t
}

// NewPara returns a wrapped text.
func NewPara(words string, size fyne.ThemeSizeName, color fyne.ThemeColorName) *Text {
	t := NewText(words, size, color)
	t.wrap = true
	return t
}

// Strong makes the words bold.
func (t *Text) Strong() *Text { t.bold = true; return t }

// Trailing puts the words at the end of their lines.
func (t *Text) Trailing() *Text { t.align = fyne.TextAlignTrailing; return t }

// Centred puts the words into the middle of their lines.
func (t *Text) Centred() *Text { t.align = fyne.TextAlignCenter; return t }

// Yielding lets a line shrink to next to nothing before all else does.
func (t *Text) Yielding() *Text { t.least = 1; return t }

// AtMost bounds a paragraph to so many lines.
func (t *Text) AtMost(lines int) *Text { t.most = lines; return t }

// Tied keeps tail, with which the words end, in one piece where there is room.
func (t *Text) Tied(tail string) *Text {
	if strings.HasSuffix(t.words, tail) {
		t.tail = strings.TrimSpace(tail)
	}
	return t
}

// Set shows words in color.
func (t *Text) Set(words string, color fyne.ThemeColorName) {
	words = auth.Clip(words, maxRunes)
	if t.words == words && t.color == color {
		return
	}
	again := t.words != words && t.row != nil
	t.words, t.color = words, color
	if again {
		t.row.Refresh()
	} else {
		t.Refresh()
	}
}

// Say shows words in the colour that the text has.
func (t *Text) Say(words string) { t.Set(words, t.color) }

// Words returns what is said, which may be more than there is room for.
func (t *Text) Words() string { return t.words }

// AccessibilityLabel returns the words.
func (t *Text) AccessibilityLabel() string { return t.words }

// AccessibilityRole says that this is a text.
func (t *Text) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

func (t *Text) measure(words string) fyne.Size {
	return fyne.MeasureText(words, t.Theme().Size(t.size), fyne.TextStyle{Bold: t.bold})
}

// Natural returns the width that shows everything on one line.
func (t *Text) Natural() float32 { return t.measure(t.words).Width }

// lines breaks the words to width.
func (t *Text) lines(width float32) []string {
	switch {
	case t.words == "":
		return nil
	case t.measure(t.words).Width <= width+.5, t.wrap && width <= 0, !t.wrap && t.least == 0:
		return []string{t.words}
	case !t.wrap && t.measure("…").Width > width:
		return nil
	case !t.wrap:
		return []string{t.fit(t.words, width, "…")}
	}
	var lines []string
	line := ""
	words := strings.Fields(t.words)
	if head, tied := strings.CutSuffix(t.words, t.tail); tied && t.tail != "" {
		words = append(strings.Fields(head), t.tail)
	}
	for _, word := range t.together(words, width) {
		longer := word
		if line != "" {
			longer = line + " " + word
		}
		if t.measure(longer).Width <= width {
			line = longer
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for line = word; t.measure(line).Width > width; {
			part := t.fit(line, width, "")
			if part == "" || part == line {
				break
			}
			lines, line = append(lines, part), line[len(part):]
		}
	}
	lines = append(lines, line)
	if t.most > 0 && len(lines) > t.most {
		rest := strings.Join(lines[t.most-1:], " ")
		lines = append(lines[:t.most-1], t.fit(rest, width, "…"))
	}
	return lines
}

// together joins what reads badly at a line's end or alone on the last line: a
// number with its unit, and a last word of one or two letters.
func (t *Text) together(words []string, width float32) []string {
	var joined []string
	for i, word := range words {
		short := utf8.RuneCountInString(word)
		if n := len(joined) - 1; n >= 0 && (i == len(words)-1 && short <= 2 || short <= 3 && strings.Trim(words[i-1], "0123456789") == "") {
			if both := joined[n] + " " + word; t.measure(both).Width <= width {
				joined[n] = both
				continue
			}
		}
		joined = append(joined, word)
	}
	return joined
}

// fit returns the longest start of words that, with tail, is no wider than width.
func (t *Text) fit(words string, width float32, tail string) string {
	runes := []rune(words)
	low, high := 0, len(runes)
	for low < high {
		middle := (low + high + 1) / 2
		if t.measure(string(runes[:middle])+tail).Width <= width {
			low = middle
		} else {
			high = middle - 1
		}
	}
	switch {
	case low == 0 && tail == "":
		low = 1 // always some progress
	case low == 0:
		return "" // nothing but that there is more says nothing
	}
	return strings.TrimRight(string(runes[:low]), " ") + tail
}

// Resize wraps the words again, which can change the smallest height.
func (t *Text) Resize(size fyne.Size) {
	if size == t.Size() {
		return
	}
	rewrap := t.wrap && size.Width != t.Size().Width
	t.BaseWidget.Resize(size)
	if rewrap {
		t.Refresh()
	}
}

// CreateRenderer is for Fyne.
func (t *Text) CreateRenderer() fyne.WidgetRenderer {
	r := &textRenderer{text: t}
	r.Refresh()
	return r
}

type textRenderer struct {
	text  *Text
	lines []fyne.CanvasObject // *canvas.Text
}

func (r *textRenderer) Destroy()                     {}
func (r *textRenderer) Objects() []fyne.CanvasObject { return r.lines }

func (r *textRenderer) MinSize() fyne.Size {
	one := r.text.measure("x").Height
	width, height := r.text.measure(r.text.words).Width, one
	switch {
	case r.text.wrap:
		height = one * float32(max(1, len(r.text.lines(r.text.Size().Width))))
		width = min(width, 40)
	case r.text.least > 0:
		width = min(width, r.text.least)
	}
	return fyne.NewSize(width, height)
}

func (r *textRenderer) Layout(size fyne.Size) {
	words := r.text.lines(size.Width)
	for len(r.lines) < len(words) {
		r.lines = append(r.lines, &canvas.Text{})
	}
	r.lines = r.lines[:len(words)]
	height := r.text.measure("x").Height
	// One line stands in the middle of its row, a paragraph hangs from the top.
	y := float32(0)
	if !r.text.wrap {
		y = (size.Height - height) / 2
	}
	th, variant := r.text.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	for i, line := range r.lines {
		line := line.(*canvas.Text)
		line.Text, line.TextSize = words[i], th.Size(r.text.size)
		line.TextStyle = fyne.TextStyle{Bold: r.text.bold}
		line.Color = th.Color(r.text.color, variant)
		line.Alignment = r.text.align
		line.Move(fyne.NewPos(0, y+float32(i)*height))
		line.Resize(fyne.NewSize(size.Width, height))
	}
}

func (r *textRenderer) Refresh() {
	r.Layout(r.text.Size())
	canvas.Refresh(r.text)
}

// NewCaption returns a small dim line.
func NewCaption(words string) *Text { return NewLine(words, SizeCaption, Dim) }

// NewHeading returns the title of a card.
func NewHeading(words string) *Text {
	return NewLine(words, SizeTitle, Ink).Strong()
}
