package display

import (
	"context"

	"golang.org/x/sys/windows/registry"
)

// FollowLook calls text once with the scale of words that the person wants
// ("Text size" in the settings); 1 is usual. A change takes effect in the next
// window.
func FollowLook(_ context.Context, text func(scale float32), _ func(on bool)) {
	key, err := registry.OpenKey(registry.CURRENT_USER, `Software\Microsoft\Accessibility`, registry.QUERY_VALUE)
	if err != nil {
		return // never changed
	}
	defer key.Close()
	if percent, _, err := key.GetIntegerValue("TextScaleFactor"); err == nil {
		text(textScale(float64(percent) / 100))
	}
}
