package main

import (
	"runtime"

	"github.com/spf13/cobra"

	"curfew/assets"
)

func (p *program) versionCommand() *cobra.Command {
	return p.addJSON(&cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if p.json {
				return p.printJSON(map[string]string{"version": assets.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH}, false)
			}
			return p.say("curfew %s (%s %s/%s)", assets.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	})
}
