// Package terminal is how Curfew's programs speak to a terminal and to the
// scripts that call them.
//
// Its one hard idea: only the answer goes to standard output. Everything else
// goes to standard error as "curfew: what is wrong" and "hint: what to do". These
// are in lower case and have no full stop. The messages of the session model
// ([auth.MessageAge], [auth.MessageRefreshes]) keep their exact words. No secret
// is ever in an argument, in the environment or in a message.
package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"curfew/auth"
)

// Code is a program's exit code. Scripts rely on it.
type Code int

// The exit codes.
const (
	OK           Code = 0
	Failed       Code = 1
	Usage        Code = 2 // a command, flag, name or setting is wrong
	SignInNeeded Code = 3 // limit reached, revoked, never signed in
	Unavailable  Code = 4 // offline, throttled: try again later
	Refused      Code = 5 // consent denied, policy, client refused
	Keychain     Code = 6 // keychain locked or unavailable
	NoAgent      Code = 7 // the agent is not running and cannot be started
)

// CodeOf maps the engine's kinds to exit codes.
func CodeOf(k auth.Kind) Code {
	switch k {
	case auth.KindBadRequest, auth.KindUnknown:
		return Usage
	case auth.KindSignInNeeded:
		return SignInNeeded
	case auth.KindUnavailable:
		return Unavailable
	case auth.KindRefused:
		return Refused
	case auth.KindKeychain:
		return Keychain
	case auth.KindNotRunning:
		return NoAgent
	default:
		return Failed
	}
}

// Silent is the error of a command that has already reported its errors.
type Silent Code

// Error names the exit code.
func (e Silent) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// Report writes to w what went wrong and what to do. It returns the exit code.
func Report(w io.Writer, err error) Code {
	if err == nil {
		return OK
	}
	if silent, ok := errors.AsType[Silent](err); ok {
		return Code(silent)
	}
	e, ok := errors.AsType[*auth.Error](err)
	if !ok {
		e = &auth.Error{Kind: auth.KindFailed, Message: err.Error()}
		if errors.Is(err, context.Canceled) {
			e.Message = "stopped"
		}
	}
	fmt.Fprintln(w, "curfew: "+OneLine(e.Message))
	if e.Hint != "" {
		fmt.Fprintln(w, "hint: "+OneLine(e.Hint))
	}
	return CodeOf(e.Kind)
}

// OneLine keeps text from elsewhere on one line and takes out escape sequences.
func OneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// JSON prints v as the answer, on one line if it is one of several.
func JSON(w io.Writer, v any, oneOfMany bool) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if !oneOfMany {
		e.SetIndent("", "  ")
	}
	return e.Encode(v)
}

// Span is the value of a flag that takes a time span, such as "90s" or "30d". A
// bare number is of seconds.
type Span time.Duration

// NotGiven is the [Span] of a flag that was not given.
const NotGiven Span = -1

// Duration returns the span.
func (f Span) Duration() time.Duration { return time.Duration(f) }

// Type names the flag's value in the help.
func (f *Span) Type() string { return "SPAN" }

// String returns the span as Set reads it.
func (f *Span) String() string {
	if f.Duration() < 0 {
		return ""
	}
	return auth.FormatSpan(f.Duration())
}

// Set reads a span.
func (f *Span) Set(s string) error {
	d, err := auth.ParseSpan(s)
	if n, numErr := strconv.ParseUint(s, 10, 31); numErr == nil {
		d, err = time.Duration(n)*time.Second, nil
	} else if zero, zeroErr := time.ParseDuration(s); zeroErr == nil && zero == 0 {
		d, err = 0, nil
	}
	if err != nil {
		return fmt.Errorf("%q is not a time span such as 60s, 15m or 30d", s)
	}
	*f = Span(d)
	return nil
}
