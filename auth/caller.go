package auth

import (
	"path/filepath"
	"strings"
)

// A Caller is the program that asked for a token. The kernel vouches for all of
// it but Claimed. It says which programs ran, not what they were up to: a shell
// or an interpreter does what its script says.
type Caller struct {
	Claimed    string   `json:"claimed,omitempty"`    // what it says it is
	Executable string   `json:"executable,omitempty"` // its file; empty: the system does not say
	Parents    []string `json:"parents,omitempty"`    // the files of what started it, the nearest first
	Terminal   string   `json:"terminal,omitempty"`   // such as "pts/3"
	Session    string   `json:"session,omitempty"`    // what is the same for all programs of a terminal, until it is closed
	Container  string   `json:"container,omitempty"`  // where it runs, if not with the agent: the paths are those there
}

// IsCommandLine reports whether the caller is the command line, which asks for
// whatever started it.
func (c Caller) IsCommandLine() bool { return filepath.Base(c.Executable) == "curfew" }

// LacksStarter reports whether c has no name before it is known what started it:
// the command line asks for that, and says for what, but may say it cut off.
func (c Caller) LacksStarter() bool {
	return c.IsCommandLine() && (c.Claimed == "" || len(c.Claimed) == maxComm)
}

// speaks reports whether the caller is a program of ours that asks for others,
// and says for which.
func (c Caller) speaks() bool {
	return c.IsCommandLine() || filepath.Base(c.Executable) == "curfew-proxy"
}

// Name is what the caller is called in a list: by its file, or as it claims where
// that is all there is. A program of ours is believed, since it is no harder to run
// than to imitate.
func (c Caller) Name() string {
	starter := ""
	if c.IsCommandLine() && len(c.Parents) > 0 {
		starter = filepath.Base(c.Parents[0])
	}
	switch {
	case starter != "" && (c.Claimed == "" || c.calledItself(starter)):
		return starter
	case c.Executable == "", c.Claimed != "" && c.speaks():
		return c.Claimed
	}
	return filepath.Base(c.Executable)
}

// maxComm is how much of its name a process of Linux keeps, in bytes.
const maxComm = 15

// calledItself reports whether the caller claims to be name. A claim may be cut as
// the names of processes are.
func (c Caller) calledItself(name string) bool {
	return c.Claimed == name || len(c.Claimed) == maxComm && strings.HasPrefix(name, c.Claimed)
}

// TokenText says that a program got a token. c may be the zero Caller.
func TokenText(program string, c Caller) Text {
	switch {
	case program == "":
		return Say("event_token_unknown")
	case c.Claimed != "" && !c.calledItself(program):
		return Say("event_token_claimed", program, c.Claimed)
	}
	return Say("event_token", program)
}
