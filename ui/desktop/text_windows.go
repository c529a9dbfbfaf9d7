package desktop

import (
	"context"

	"golang.org/x/sys/windows/registry"
)

// FollowTextScale calls tell with how much larger than usual the person wants
// words ("Text size" of the settings), 1 being usual. It does so once: a change
// holds from the next window on.
func FollowTextScale(_ context.Context, tell func(scale float32)) {
	key, err := registry.OpenKey(registry.CURRENT_USER, `Software\Microsoft\Accessibility`, registry.QUERY_VALUE)
	if err != nil {
		return // never changed
	}
	defer key.Close()
	if percent, _, err := key.GetIntegerValue("TextScaleFactor"); err == nil {
		tell(textScale(float64(percent) / 100))
	}
}
