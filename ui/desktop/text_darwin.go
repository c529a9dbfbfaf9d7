package desktop

import "context"

// FollowTextScale does nothing: macOS has one size of words, and scales the
// screen.
func FollowTextScale(context.Context, func(scale float32)) {}
