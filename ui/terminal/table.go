package terminal

import (
	"io"
	"os"
	"runtime"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// A Page is where a program's answer is read. On a terminal it is as wide as the
// terminal and has colours. In a file or a pipe, nothing is coloured, left out or
// wrapped.
type Page struct {
	w     io.Writer
	width int // columns; 0 without a terminal
	color bool
}

// NewPage returns the page of w. A terminal has colours, unless TERM is "dumb" or
// missing. NO_COLOR (no-color.org) and CLICOLOR=0 take them away, and
// CLICOLOR_FORCE gives them to a pipe as well (bixense.com/clicolors).
func NewPage(w io.Writer) Page {
	forced := os.Getenv("CLICOLOR_FORCE")
	p := Page{w: w, color: forced != "" && forced != "0" && os.Getenv("NO_COLOR") == ""}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return p
	}
	canColor := os.Getenv("TERM") != "" && os.Getenv("TERM") != "dumb"
	if runtime.GOOS == "windows" {
		canColor = os.Getenv("WT_SESSION") != "" // the old console shows escape sequences as text
	}
	p.color = p.color || canColor && os.Getenv("NO_COLOR") == "" && os.Getenv("CLICOLOR") != "0"
	if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
		p.width = max(columns, 0)
	}
	return p
}

// To returns the same page with another writer, for text that is compared before
// it is shown.
func (p Page) To(w io.Writer) Page {
	p.w = w
	return p
}

// Terminal reports whether somebody watches the page.
func (p Page) Terminal() bool { return p.width > 0 }

// A Tone is what a row's colour says.
type Tone string

// The tones, as the attributes of SGR sequences (ECMA-48).
const (
	Plain  Tone = ""
	Header Tone = "1"    // bold
	Notice Tone = "33"   // yellow: it will want a person soon
	Alarm  Tone = "1;31" // bold red: it wants a person now
)

// A Table aligns columns on a page. Rows are printed by Flush.
type Table struct {
	// Optional is how many columns, from the right, a narrow terminal may leave
	// out. The last column of the others is wrapped.
	Optional int

	page Page
	rows []row
}

type row struct {
	tone  Tone
	cells []string
}

// Table begins a table.
func (p Page) Table() *Table { return &Table{page: p} }

// Row adds a row.
func (t *Table) Row(cells ...string) { t.Toned(Plain, cells...) }

// Toned adds a row with a tone.
func (t *Table) Toned(tone Tone, cells ...string) {
	r := row{tone: tone}
	for _, c := range cells {
		r.cells = append(r.cells, OneLine(c))
	}
	t.rows = append(t.rows, r)
}

const (
	gap       = 2  // columns between two cells
	leastWrap = 12 // the fewest columns of wrapped text
)

// Flush prints the table.
func (t *Table) Flush() error {
	var widths []int
	for _, r := range t.rows {
		for i, c := range r.cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(c))
		}
	}
	for range t.Optional {
		if !t.page.Terminal() || total(widths) <= t.page.width {
			break
		}
		widths = widths[:len(widths)-1]
	}
	last := len(widths) - 1
	if last < 0 {
		return nil
	}
	var b strings.Builder
	write := t.write
	if t.page.Terminal() && total(widths) > t.page.width {
		widths[last] -= total(widths) - t.page.width
		if widths[last] < leastWrap {
			write = t.stack
		}
	}
	for _, r := range t.rows {
		write(&b, r, widths)
	}
	_, err := io.WriteString(t.page.w, b.String())
	return err
}

// write writes one row, with the last column wrapped below itself.
func (t *Table) write(b *strings.Builder, r row, widths []int) {
	last := len(widths) - 1
	indent := total(widths) - widths[last]
	cells := r.cells[:min(len(r.cells), len(widths))]
	var line strings.Builder
	for i, c := range cells {
		if i < last {
			line.WriteString(c + strings.Repeat(" ", widths[i]-columns(c)+gap))
			continue
		}
		for n, part := range wrap(c, widths[last]) {
			if n > 0 {
				line.WriteString("\n" + strings.Repeat(" ", indent))
			}
			line.WriteString(part)
		}
	}
	t.color(b, r.tone, line.String())
}

// stack writes one row on a terminal that is too narrow for columns: each cell
// below the one before, those after the first indented.
func (t *Table) stack(b *strings.Builder, r row, widths []int) {
	var lines []string
	for i, c := range r.cells[:min(len(r.cells), len(widths))] {
		indent := strings.Repeat(" ", min(i, 1)*2*gap)
		if strings.TrimSpace(c) == "" {
			continue
		}
		for _, part := range wrap(c, max(t.page.width-len(indent), 1)) {
			lines = append(lines, indent+part)
		}
	}
	t.color(b, r.tone, strings.Join(lines, "\n"))
}

// color writes the lines of one row.
func (t *Table) color(b *strings.Builder, tone Tone, lines string) {
	for text := range strings.SplitSeq(lines, "\n") {
		text = strings.TrimRight(text, " ")
		if t.page.color && tone != Plain && text != "" {
			text = "\x1b[" + string(tone) + "m" + text + "\x1b[0m"
		}
		b.WriteString(text + "\n")
	}
}

// total is the width of a row of columns with their gaps.
func total(widths []int) int {
	n := gap * (len(widths) - 1)
	for _, w := range widths {
		n += w
	}
	return n
}

// wrap breaks s at blanks into lines of at most most columns. A longer word
// gets a line that is too long.
func wrap(s string, most int) []string {
	if columns(s) <= most {
		return []string{s}
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) <= most:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// columns is how many columns of a terminal s takes. Wide characters, such as
// Chinese ones, take two. Marks above and below others take none.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case r >= 0x1100 && wide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

func wide(r rune) bool {
	kind := width.LookupRune(r).Kind()
	return kind == width.EastAsianWide || kind == width.EastAsianFullwidth
}
