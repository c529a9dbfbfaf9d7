package window

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"fyne.io/fyne/v2"
)

// What a screen reader is told, where Fyne has one to tell: built with its tag
// "accessibility" on Windows and macOS, and nowhere on Linux yet. Its roles are
// four; it knows no states, so the words say them.

var (
	_ fyne.Accessible = (*button)(nil)
	_ fyne.Accessible = (*entry)(nil)
	_ fyne.Accessible = (*choice)(nil)
	_ fyne.Accessible = (*check)(nil)
	_ fyne.Accessible = (*accountList)(nil)
	_ fyne.Accessible = (*accountRow)(nil)
)

// named is name and value, or whichever there is.
func named(name, value string) string {
	if name == "" || value == "" {
		return name + value
	}
	return name + ": " + value
}

// onOff says the state of what is called name.
func onOff(name string, on bool) string {
	if on {
		return tr("%s: on", name)
	}
	return tr("%s: off", name)
}

// sentences joins what is not empty.
func sentences(all ...string) string {
	var said []string
	for _, s := range all {
		if s != "" {
			said = append(said, s)
		}
	}
	return strings.Join(said, ". ")
}

// AccessibilityLabel returns the words, or the name of a sign.
func (b *button) AccessibilityLabel() string { return cmp.Or(b.name, b.Text) }

// AccessibilityLabel says what is asked for, and what was answered.
func (e *entry) AccessibilityLabel() string {
	switch {
	case e.Text == "":
		return named(e.name, e.PlaceHolder)
	case e.Password: // nobody reads it aloud
		return named(e.name, strings.Repeat("•", utf8.RuneCountInString(e.Text)))
	}
	return named(e.name, e.Text)
}

// AccessibilityRole says that this holds text: Fyne has none for a field.
func (e *entry) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// AccessibilityLabel says what is chosen of what.
func (c *choice) AccessibilityLabel() string {
	if c.Selected == "" {
		return named(c.name, c.PlaceHolder)
	}
	return named(c.name, c.Selected)
}

// AccessibilityRole says that the choice can be pressed.
func (c *choice) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// AccessibilityLabel says what is on or off.
func (c *check) AccessibilityLabel() string { return onOff(c.Text, c.Checked) }

// AccessibilityRole says that the check can be pressed.
func (c *check) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// AccessibilityLabel says what the list is of.
func (l *accountList) AccessibilityLabel() string { return tr("Accounts") }

// AccessibilityRole says that the list holds something.
func (l *accountList) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleContainer }

// AccessibilityLabel says what a person reads in the row.
func (r *accountRow) AccessibilityLabel() string { return named(r.title.Words(), r.line.Words()) }

// AccessibilityRole says that the row can be pressed.
func (r *accountRow) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }
