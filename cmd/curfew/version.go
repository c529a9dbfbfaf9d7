package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"curfew/assets"
	"curfew/auth/agent/client"
	"curfew/ui/terminal"
)

// build is what `curfew version --json` prints. Commit and Date are "" in a
// program that was not built from a repository; Modified says that it had
// changes which are in no commit.
type build struct {
	Version  string `json:"version"`
	API      int    `json:"api"` // the version of what --json prints
	Commit   string `json:"commit"`
	Date     string `json:"date"`
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	Platform string `json:"platform"`
}

// newBuild reads what the go command left in a program.
func newBuild(settings []debug.BuildSetting) build {
	b := build{
		Version: assets.Version, API: client.API, Go: runtime.Version(),
		OS: runtime.GOOS, Arch: runtime.GOARCH, Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Date = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (p *program) versionCommand() *cobra.Command {
	return p.addJSON(&cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  terminal.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			var settings []debug.BuildSetting
			if info, ok := debug.ReadBuildInfo(); ok {
				settings = info.Settings
			}
			b := newBuild(settings)
			if p.json {
				return p.printJSON(b, false)
			}
			return p.say("curfew %s (%s %s)", b.Version, b.Go, b.Platform)
		},
	})
}
