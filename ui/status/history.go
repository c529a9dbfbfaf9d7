package status

import (
	"slices"
	"time"

	"curfew/auth"
)

// This file says what happened to an account, from its events. They are oldest first.

// An Entry is an event in words, or several of a kind.
type Entry struct {
	Stamp, Words string
	Tail         string // what of Words stays in one piece
	Bad          bool
}

// History puts the newest events into at most so many lines, newest first. The tokens
// that one program took in a row are one line.
func History(events []auth.Event, now time.Time, most int) []Entry {
	var lines []Entry
	for i := len(events) - 1; i >= 0 && len(lines) < most; i-- {
		e, times := events[i], 1
		for ; e.Kind == auth.EventToken && i > 0 && events[i-1].Kind == auth.EventToken && events[i-1].Program == e.Program; i-- {
			times++
		}
		words, tail := Event(e)
		if times > 1 {
			words, tail = Tr("%s, %d times", words, times), ""
		}
		lines = append(lines, Entry{Stamp(e.At, now), words, tail, e.Kind == auth.EventError})
	}
	return lines
}

// WithoutTokens leaves out the tokens handed out.
func WithoutTokens(events []auth.Event) []auth.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e auth.Event) bool { return e.Kind == auth.EventToken })
}

// Used reports whether a tool has taken a token of the account, in this session or
// before.
func Used(s auth.Snapshot, events []auth.Event) bool {
	return len(tools(s)) > 0 || slices.ContainsFunc(events, func(e auth.Event) bool { return e.Kind == auth.EventToken && isTool(e.Program) })
}

// A Runway is a session from its sign-in to its end.
type Runway struct {
	Start, End time.Time
	Now        time.Time
	Over       bool        // Now is when it ended
	Spent      []time.Time // the refreshes, oldest first
	Until      time.Time   // the forecast's end, where that is not the last
}

// RunwayOf reads the runway of s from its events. It reports false if s has no session.
func RunwayOf(s auth.Snapshot, events []auth.Event, now time.Time) (r Runway, ok bool) {
	over := s.State == auth.Ended
	if over && !s.SignedInAt.IsZero() { // of a session that has ended only what was spent is known
		s.EndsAt = s.SignedInAt.Add(auth.BuiltIn.MaxAge)
		if !s.EndedAt.IsZero() {
			now = s.EndedAt.In(now.Location())
		}
	}
	if s.SignedInAt.IsZero() || !s.EndsAt.After(s.SignedInAt) {
		return Runway{}, false
	}
	r = Runway{Start: s.SignedInAt, End: s.EndsAt, Now: now, Over: over}
	if r.Now.Before(r.Start) {
		r.Now = r.Start
	}
	if r.Now.After(r.End) {
		r.Now = r.End
	}
	for _, e := range events {
		// The log also holds the sessions before this one, and an event
		// may be newer than the snapshot.
		if e.Kind == auth.EventRefresh && e.Count > 0 && e.Count <= s.RefreshesUsed && !e.At.Before(r.Start) && !e.At.After(r.Now) {
			r.Spent = append(r.Spent, e.At)
		}
	}
	slices.SortFunc(r.Spent, time.Time.Compare)
	until := s.Forecast.EndsAt
	if s.RefreshesLeft <= 0 {
		until = s.AccessExpiresAt // there is no other token to come
	} else if s.Forecast.HistoryDays < 1 {
		until = time.Time{}
	}
	if !over && until.After(r.Now) && until.Before(r.End) {
		r.Until = until
	}
	return r, true
}
