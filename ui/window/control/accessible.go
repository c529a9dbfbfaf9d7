package control

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
	_ fyne.Accessible = (*Button)(nil)
	_ fyne.Accessible = (*Entry)(nil)
	_ fyne.Accessible = (*Choice)(nil)
	_ fyne.Accessible = (*Check)(nil)
)

// Named is name and value, or whichever there is.
func Named(name, value string) string {
	if name == "" || value == "" {
		return name + value
	}
	return name + ": " + value
}

// AccessibilityLabel returns the words, or the name of a sign.
func (b *Button) AccessibilityLabel() string { return cmp.Or(b.name, b.Text) }

// AccessibilityLabel says what is asked for, and what was answered.
func (e *Entry) AccessibilityLabel() string {
	switch {
	case e.Text == "":
		return Named(e.Name, e.PlaceHolder)
	case e.Password: // nobody reads it aloud
		return Named(e.Name, strings.Repeat("•", utf8.RuneCountInString(e.Text)))
	}
	return Named(e.Name, e.Text)
}

// AccessibilityRole says that this holds text: Fyne has none for a field.
func (e *Entry) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// AccessibilityLabel says what is chosen of what.
func (c *Choice) AccessibilityLabel() string {
	if c.Selected == "" {
		return Named(c.Name, c.PlaceHolder)
	}
	return Named(c.Name, c.Selected)
}

// AccessibilityRole says that the choice can be pressed.
func (c *Choice) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// AccessibilityLabel says what is on or off.
func (c *Check) AccessibilityLabel() string {
	if c.Checked {
		return tr("%s: on", c.Text)
	}
	return tr("%s: off", c.Text)
}

// AccessibilityRole says that the check can be pressed.
func (c *Check) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }
