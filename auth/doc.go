// Package auth is the engine: the rules of a session, the plan that spends
// its refreshes, and the Manager that owns every session and goroutine.
//
// Its one hard idea: twenty refreshes and thirty days are a budget that
// nothing can extend. The rules (session.go) and the plan (plan.go) are pure
// functions of facts and a time; the Manager saves before it serves.
package auth
