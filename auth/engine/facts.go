package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"curfew/auth"
	"curfew/auth/engine/binding"
	"curfew/auth/engine/clock"
	"curfew/auth/oauth"
	"curfew/auth/oauth/dpop"
	"curfew/keystore"
)

// This file is what the Manager knows of a session in addition to what the
// store counts.

// facts is what the Manager keeps with a session in addition to the token. The
// store authenticates it, and it holds no secret.
type facts struct {
	Version         int             `json:"v"`
	Bound           binding.Binding `json:"bound"` // whom the refresh token may be sent to
	Identity        oauth.Identity  `json:"identity"`
	Endpoints       oauth.Endpoints `json:"endpoints,omitzero"` // that the refresh token went to last
	Scope           []string        `json:"scope,omitempty"`
	AccessExpiresAt time.Time       `json:"access_expires_at,omitzero"`
	AccessLifetime  time.Duration   `json:"access_lifetime"`
	LastRefreshAt   time.Time       `json:"last_refresh_at,omitzero"`
	Bounds          auth.Bounds     `json:"bounds"`
	Slide           time.Duration   `json:"slide,omitempty"` // by how much a refresh puts off the refresh token's end; 0: it does not
	Clock           clock.Anchor    `json:"clock"`
	Use             use             `json:"use"`                       // as of the last time it was written down; account.use is newer
	OutcomeUnknown  bool            `json:"outcome_unknown,omitempty"` // the open cycle had an answer that got lost
	Useless         useless         `json:"useless,omitzero"`
	NoRefresh       bool            `json:"no_refresh,omitempty"` // the session's secret is its access token
	TokenType       string          `json:"token_type,omitempty"` // empty: Bearer
	Warned          []string        `json:"warned,omitempty"`     // the warnings given, by id
	For             *auth.Exchange  `json:"for,omitempty"`        // what the open cycle asks for; nil: the session's own token
	Removed         *auth.Account   `json:"removed,omitempty"`    // the account's configuration, when it was removed
}

// origin is what a token of the session, which is bound to key, was got from.
func (f facts) origin(key dpop.Key) oauth.Origin {
	return oauth.Origin{Identity: f.Identity, Endpoints: f.Endpoints, NoRefresh: f.NoRefresh, Key: key}
}

// factsVersion is the format of facts. It grows when an older program would
// misread what a newer one keeps, not when it may overlook it.
const factsVersion = 1

// maxScope bounds the granted scope that is kept, in bytes. The room for facts
// in the store is limited, and a long scope must not cost a session.
const maxScope = 8 << 10

// use is what programs do with an account. Unlike the other facts it changes
// with every request.
type use struct {
	LastActivity time.Time    `json:"last_activity"` // the last token handed out, refresh or sign-in
	LastUsedBy   string       `json:"last_used_by,omitempty"`
	Takers       []auth.Taker `json:"takers,omitempty"` // newest first; replaced, never changed in place
	Demand       auth.Demand  `json:"demand"`
}

// maxTakers is how many of the programs that took tokens are remembered.
const maxTakers = 8

// recordTaker notes that a program got a token.
func (u *use) recordTaker(program string, at time.Time) {
	takers := []auth.Taker{{Program: program, At: truncateUTC(at)}}
	for _, t := range u.Takers {
		if t.Program != program && len(takers) < maxTakers {
			takers = append(takers, t)
		}
	}
	u.LastActivity, u.LastUsedBy, u.Takers = at, program, takers
}

// apply takes over what an answer says. What an answer leaves out stays.
func (f *facts) apply(g oauth.Grant) {
	f.AccessLifetime, f.AccessExpiresAt, f.TokenType = g.ExpiresIn, g.ExpiresAt, g.TokenType
	if g.Scope != nil && len(strings.Join(g.Scope, " ")) <= maxScope {
		f.Scope = g.Scope
	}
	if name := f.Identity.Display; g.Identity.Subject != "" || g.Identity.Display != "" {
		known := g.Identity.Subject == f.Identity.Subject && name != ""
		f.Identity = g.Identity
		if known && (f.Identity.Display == "" || f.Identity.Display == f.Identity.Subject) {
			f.Identity.Display = name // ID tokens of refreshes often leave the name out
		}
	}
	if g.Endpoints.Token != "" {
		f.Endpoints = g.Endpoints
	}
	f.applyBounds(g)
}

// applyBounds takes over what an answer says of the session's end. What it
// says of the session itself only tightens. What it says of its refresh token
// is that token's: a new token's end replaces the old one's, even if it is
// unknown.
func (f *facts) applyBounds(g oauth.Grant) {
	earlier := func(x, y time.Time) time.Time {
		if x.IsZero() || !y.IsZero() && y.Before(x) {
			return y
		}
		return x
	}
	was, b := f.Bounds, g.Bounds
	f.Bounds = auth.Bounds{
		EndsAt:       was.EndsAt,
		OriginalIat:  earlier(was.OriginalIat, b.OriginalIat),
		RefreshCount: max(was.RefreshCount, b.RefreshCount),
	}
	if g.RefreshToken.IsZero() && b.EndsAt.IsZero() {
		return
	}
	f.Bounds.EndsAt, f.Slide = b.EndsAt, 0
	if !was.EndsAt.IsZero() && clock.Apart(b.EndsAt, was.EndsAt) && b.EndsAt.After(was.EndsAt) {
		f.Slide = b.EndsAt.Sub(g.ReceivedAt)
	}
}

// encodeLocked makes facts of the account's session, with the use up to now,
// into what the store keeps.
func (a *account) encodeLocked(f facts) []byte {
	f.Removed = a.removed
	return f.encode(a.use)
}

func (f facts) encode(u use) []byte {
	f.Version, f.Use = factsVersion, u
	b, err := json.Marshal(f)
	if err != nil { // a time that JSON cannot hold; where the token may be sent to must not be lost
		b, _ = json.Marshal(facts{Version: factsVersion, Bound: f.Bound, NoRefresh: f.NoRefresh,
			Identity: oauth.Identity{Issuer: f.Identity.Issuer, Subject: f.Identity.Subject}})
	}
	return b
}

func (f *facts) decode(b []byte) error {
	*f = facts{}
	var kept struct {
		Version int `json:"v"`
	}
	if json.Unmarshal(b, &kept) == nil && kept.Version > factsVersion { // the rest may differ in kind
		return fmt.Errorf("%w: the facts of the session have format %d", keystore.ErrVersion, kept.Version)
	}
	return json.Unmarshal(b, f)
}
