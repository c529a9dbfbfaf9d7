package main

import (
	"fmt"
	"strconv"
	"time"

	"curfew/auth"
)

// spanFlag is a time span: "90s", "30d", or a number of seconds. Below zero it
// was not given.
type spanFlag time.Duration

const notGiven spanFlag = -1

func (f spanFlag) duration() time.Duration { return time.Duration(f) }

// Type names the flag's value in the help.
func (f *spanFlag) Type() string { return "span" }

// String returns the span as Set reads it.
func (f *spanFlag) String() string {
	const day = 24 * time.Hour
	switch d := f.duration(); {
	case d < 0:
		return ""
	case d >= day && d%day == 0:
		return strconv.Itoa(int(d/day)) + "d"
	default:
		return d.String()
	}
}

// Set reads a span.
func (f *spanFlag) Set(s string) error {
	d, err := auth.ParseSpan(s)
	if n, numErr := strconv.ParseUint(s, 10, 31); numErr == nil {
		d, err = time.Duration(n)*time.Second, nil
	} else if zero, zeroErr := time.ParseDuration(s); zeroErr == nil && zero == 0 {
		d, err = 0, nil
	}
	if err != nil {
		return fmt.Errorf("%q is not a time span such as 60s, 15m or 30d", s)
	}
	*f = spanFlag(d)
	return nil
}
