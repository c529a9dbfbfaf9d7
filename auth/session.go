package auth

import "time"

// Limits are the hard limits of a session. They can only be tightened.
type Limits struct {
	MaxAge       time.Duration
	MaxRefreshes int
	MaxIdle      time.Duration // 0: off
}

// BuiltIn are the limits that nothing can loosen: 30 days since sign-in, 20
// refreshes.
var BuiltIn = Limits{MaxAge: 30 * 24 * time.Hour, MaxRefreshes: 20}
