package look_test

import (
	"fmt"

	"fyne.io/fyne/v2/test"

	"curfew/ui/window/look"
)

// A card is made once. From then on it is told what to show.
func Example() {
	test.NewApp().Settings().SetTheme(look.NewTheme(look.Dark))
	defer test.NewApp()

	number := look.NewText("", look.SizeNumber, look.Ink).Strong()
	what := look.NewText("of 20 refreshes left", look.SizeTitle, look.Ink).Strong()
	segments := look.NewSegments()
	card := look.NewCard(look.Column(look.GapSmall, look.Aligned(look.Baseline, look.Row(look.GapSmall, number, what)), segments))

	for left := 14; left > 12; left-- {
		number.Say(fmt.Sprint(left))
		segments.Set(left, 20, look.OK)
		fmt.Println(number.Words(), what.Words(), card.MinSize().Width > what.MinSize().Width)
	}
	// Output:
	// 14 of 20 refreshes left true
	// 13 of 20 refreshes left true
}
