// Package engine owns the sessions. It signs in, refreshes, hands out tokens
// and signs out.
//
// Its one hard idea: the [Manager] saves before it serves. A refresh is counted
// durably before its request leaves. A new refresh token is durable before
// anybody gets the access token that came with it. Each account has one
// goroutine, and only that changes its session in memory and in the store.
package engine
