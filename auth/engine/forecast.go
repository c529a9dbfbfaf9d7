package engine

import (
	"context"
	"slices"
	"time"

	"curfew/auth"
)

// forecastInputLocked is what a forecast is made from: a copy, since making
// one takes a while.
func (a *account) forecastInputLocked(now time.Time) auth.ForecastInput {
	in := auth.ForecastInput{PlanInput: a.planInputLocked(auth.Local(now)), MaxAge: a.m.limits.MaxAge, MaxIdle: a.m.limits.MaxIdle}
	in.Demand.Requests = slices.Clone(in.Demand.Requests)
	in.EndsAt, in.EndsBy = a.sessionLocked().EndsAt(a.m.limits.Absolute())
	return in
}

// makeForecast makes a new forecast.
func (a *account) makeForecast(context.Context) {
	a.m.mu.Lock()
	now := a.clock.Now()
	in := a.forecastInputLocked(now)
	a.m.mu.Unlock()
	f := auth.ForecastSnapshot(in)
	f.EndsAt, f.EarliestAt, f.LatestAt = truncateUTC(f.EndsAt), truncateUTC(f.EarliestAt), truncateUTC(f.LatestAt)
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.forecast, a.forecastAt = f, now
	a.m.publishLocked()
}
