package auth

import "time"

// ConsentAsk is the value of an account's setting consent for which a person is
// asked before a program gets a token. Without it none is asked.
const ConsentAsk = "ask"

// An Ask is a program that waits until a person says whether it may have tokens.
type Ask struct {
	ID      string    `json:"id"`
	Program string    `json:"program"`
	Caller  Caller    `json:"caller"`
	At      time.Time `json:"at"`
}

// Answer is what a person says to an [Ask].
type Answer string

// The answers. Both of the last two are for the terminal that the program was
// started in; without one, for the program.
const (
	AllowAlways Answer = "always"
	AllowToday  Answer = "12h"
	Deny        Answer = "deny"
)

// A Permit is an answer that is remembered.
type Permit struct {
	ID       string    `json:"id"`
	Program  string    `json:"program"`            // its file, or what it claims to be where the system does not say
	Terminal string    `json:"terminal,omitempty"` // only there
	Until    time.Time `json:"until,omitzero"`     // zero: always
	Denied   bool      `json:"denied,omitempty"`
}

// Subject is whom a [Permit] is for: the program that connected, or what started
// the program of ours that did.
func (c Caller) Subject() string {
	path := c.Executable
	if c.speaks() && len(c.Parents) > 0 {
		path = c.Parents[0]
	}
	switch {
	case path == "":
		return c.Claimed
	case c.Container != "":
		return path + " in " + c.Container
	}
	return path
}
