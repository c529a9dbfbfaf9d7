// Empty-window is the least that a window of Fyne is: one label. TestRest measures
// the window of Curfew next to it.
package main

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"
)

func main() {
	w := app.NewWithID("curfew.empty").NewWindow("Empty window")
	w.SetContent(container.NewCenter(widget.NewLabel("One label in a window, and nothing else")))
	w.Resize(fyne.NewSize(900, 700))
	w.ShowAndRun()
}
