package display

import "context"

// FollowLook does nothing: macOS has one size of words, and scales the
// screen.
func FollowLook(context.Context, func(scale float32), func(on bool)) {}
