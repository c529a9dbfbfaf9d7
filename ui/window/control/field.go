package control

import (
	"strconv"
	"strings"

	"fyne.io/fyne/v2"

	"curfew/ui/window/look"
)

// A Field is one question of a form: what, the answer, and below it a hint
// that gives way to a complaint.
type Field struct {
	Root  *fyne.Container
	Entry *Entry         // to type into; nil for a choice and a check
	Input fyne.Focusable // *Entry, *Choice or *Check
	Hint  string         // shown by the next Complain("")

	frame *Frame
	label *look.Text
	below *look.Text
}

// NewField returns a field to type into; Enter in it submits.
func NewField(f *Frame, label, hint, example string, submit func()) *Field {
	e := NewEntry(f, label, example)
	field := FieldOf(f, label, hint, e)
	field.Entry = e
	e.OnChanged = func(string) { field.Complain("") }
	e.OnSubmitted = func(string) { submit() }
	return field
}

// FieldOf returns a field with input, which the label is the name of.
func FieldOf[T interface {
	fyne.CanvasObject
	fyne.Focusable
}](f *Frame, label, hint string, input T) *Field {
	field := &Field{frame: f, Input: input, Hint: hint, below: look.NewPara(hint, look.SizeCaption, look.Dim), label: look.NewLine(label, look.SizeText, look.Ink).Strong()}
	field.label.Hidden, field.below.Hidden = label == "", hint == ""
	field.Root = look.Column(4, field.label, input, field.below)
	return field
}

// Say changes what is asked.
func (f *Field) Say(label string) {
	f.label.Say(label)
	f.Entry.Name = label
}

// Value returns the answer.
func (f *Field) Value() string {
	switch input := f.Input.(type) {
	case *Check:
		return strconv.FormatBool(input.Checked)
	case *Choice:
		return input.Value()
	}
	return f.Entry.Text
}

// Set changes the answer.
func (f *Field) Set(value string) {
	switch input := f.Input.(type) {
	case *Check:
		input.ShowValue(value == strconv.FormatBool(true))
	case *Choice:
		input.ShowValue(value)
	default:
		f.Entry.SetText(value)
	}
}

// Complain shows a complaint in the place of the hint; "" brings the hint back.
func (f *Field) Complain(words string) {
	if words == "" {
		f.become(f.Hint, look.Dim)
	} else {
		f.become(words, look.Bad)
	}
}

// Checks has the field say, while somebody types, what is wrong with the answer or
// that it looks right.
func (f *Field) Checks(complaint func(text string) string) {
	f.Entry.OnChanged = func(text string) {
		words := ""
		if text = strings.TrimSpace(text); text != "" {
			words = complaint(text)
		}
		if f.Complain(words); words == "" && text != "" {
			f.become(tr("Looks right."), look.OK)
		}
	}
}

func (f *Field) become(words string, color fyne.ThemeColorName) {
	f.frame.moved = f.frame.moved || f.below.Words() != words // it may have more lines
	f.below.Set(words, color)
	f.frame.Show(f.below, words != "")
	f.Root.Refresh() // it may be as high as before, and its hint no longer
	f.frame.Place()
}
