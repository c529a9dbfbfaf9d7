package auth

import (
	"slices"
	"testing"
	"time"
)

func TestDueWarnings(t *testing.T) {
	const day = 24 * time.Hour
	// A session 10 days old, in use, with nothing to say about it.
	at := func(age time.Duration, change func(*WarningFacts)) WarningFacts {
		f := WarningFacts{
			Now: planEpoch.Add(age), SignedInAt: planEpoch, EndsAt: planEpoch.Add(30 * day),
			RefreshesLeft: 12, MaxRefreshes: 20, LastRefreshAt: planEpoch.Add(age - time.Minute), ActiveAt: planEpoch.Add(age - time.Minute),
		}
		if change != nil {
			change(&f)
		}
		return f
	}
	left := func(n int) func(*WarningFacts) { return func(f *WarningFacts) { f.RefreshesLeft = n } }
	away := func(refreshed time.Duration, n int) func(*WarningFacts) {
		return func(f *WarningFacts) {
			f.RefreshesLeft = n
			f.LastRefreshAt = f.Now.Add(-refreshed)
			f.ActiveAt = f.Now.Add(-refreshed)
		}
	}
	gone := func(f *WarningFacts) { f.ActiveAt = planEpoch }
	server := func(ends time.Duration) func(*WarningFacts) {
		return func(f *WarningFacts) { f.ServerEndsAt = planEpoch.Add(ends) }
	}
	idle := func(left time.Duration) func(*WarningFacts) {
		return func(f *WarningFacts) { f.MaxIdle, f.IdleEndsAt = 14*day, f.Now.Add(left); gone(f) }
	}
	type said struct{ id, words string }
	type list = []said
	tests := []struct {
		name  string
		facts WarningFacts
		fired []string
		want  list
	}{
		{"nothing to say", at(10*day, nil), nil, nil},
		{"6 left", at(10*day, left(6)), nil, nil},
		{"5 left", at(10*day, left(5)), nil, list{{"refreshes-5", "5 of 20 refreshes are left. Signing in again brings 20 new ones."}}},
		{"5 left, said", at(10*day, left(5)), []string{"refreshes-5"}, nil},
		{"4 left, 5 was never said", at(10*day, left(4)), nil, list{{"refreshes-5", "4 of 20 refreshes are left. Signing in again brings 20 new ones."}}},
		{"2 left", at(10*day, left(2)), []string{"refreshes-5"}, list{{"refreshes-2", "2 of 20 refreshes are left. Signing in again brings 20 new ones."}}},
		{"2 left, the others were never said", at(10*day, left(2)), nil, list{{"refreshes-2", "2 of 20 refreshes are left. Signing in again brings 20 new ones."}}},
		{"1 left, 2 was said, 5 never", at(10*day, left(1)), []string{"refreshes-2"}, nil},
		{"none left", at(10*day, left(0)), []string{"refreshes-5", "refreshes-2"}, list{{"refreshes-0", "The last of 20 refreshes is used. The current token works until it expires; then you need to sign in again."}}},
		{"5 left, nobody there", at(10*day, away(11*time.Hour, 5)), nil, nil},
		{"5 left, nobody there for long", at(10*day, away(12*time.Hour, 5)), nil, list{{"refreshes-5", "5 of 20 refreshes are left. Signing in again brings 20 new ones."}}},
		{"5 of 5 at the sign-in", at(time.Hour, func(f *WarningFacts) { f.RefreshesLeft, f.MaxRefreshes = 5, 5 }), nil, nil},
		{"none of 1", at(time.Hour, func(f *WarningFacts) { f.RefreshesLeft, f.MaxRefreshes = 0, 1 }), nil, list{{"refreshes-0", "The last of 1 refreshes is used. The current token works until it expires; then you need to sign in again."}}},
		{"right after a sign-in", at(59*time.Second, func(f *WarningFacts) { f.RefreshesLeft = 0 }), nil, nil},

		{"more than 3 days", at(27*day-1, nil), nil, nil},
		{"3 days", at(27*day, nil), nil, list{{"ends-3d", "This sign-in ends in 3 days. Signing in again starts a new one."}}},
		{"3 days, nobody there", at(27*day+12*time.Hour-1, gone), nil, nil},
		{"2 and a half, nobody there", at(27*day+12*time.Hour, gone), nil, list{{"ends-3d", "This sign-in ends in 2 days. Signing in again starts a new one."}}},
		{"24 hours", at(29*day, nil), []string{"ends-3d"}, list{{"ends-24h", "This sign-in ends in 24 hours. Signing in again starts a new one."}}},
		{"20 hours, nothing was said", at(29*day+4*time.Hour, nil), nil, list{{"ends-24h", "This sign-in ends in 20 hours. Signing in again starts a new one."}}},
		{"1 hour", at(30*day-time.Hour, nil), []string{"ends-24h"}, list{{"ends-1h", "This sign-in ends in 60 minutes. Signing in again starts a new one."}}},
		{"all said", at(30*day-time.Minute, nil), []string{"ends-1h"}, nil},

		{"the provider ends it first", at(time.Hour, server(20*day)), nil, list{{"server-end", "The provider ends this sign-in in 20 days, before its 30 days have passed."}}},
		{"the provider ends it later", at(time.Hour, server(40*day)), nil, nil},
		{"the provider's end is near", at(17*day, server(20*day)), []string{"server-end"}, list{{"ends-3d", "The provider ends this sign-in in 3 days. Signing in again starts a new one."}}},
		{"a provider's day does not begin with a warning of its end", at(time.Hour, server(day)), []string{"server-end"}, nil},
		{"but ends with one", at(23*time.Hour, server(day)), []string{"server-end"}, list{{"ends-1h", "The provider ends this sign-in in 60 minutes. Signing in again starts a new one."}}},

		{"idle for long", at(10*day, idle(13*time.Hour)), nil, nil},
		{"idle for too long", at(10*day, idle(12*time.Hour)), nil, list{{"idle", "This sign-in ends in 12 hours if nothing uses it until then."}}},
		{"idle, said", at(10*day, idle(time.Hour)), []string{"idle"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got list
			for _, w := range DueWarnings(test.facts, test.fired) {
				got = append(got, said{w.ID, w.Message})
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}
