// Package assets holds what is compiled into the programs: their name and
// their icons.
package assets

// Who the program is, to a desktop and to a person. FyneApp.toml at the top of
// the repository says the same; a test keeps the two equal.
const (
	AppID   = "io.github.curfew.Curfew"
	Name    = "Curfew"
	Version = "0.1.0"
	Build   = 1
)
