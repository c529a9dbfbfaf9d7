package main

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"

	"github.com/cli/browser"

	"curfew/auth/agent"
)

// openBrowser opens address in the person's browser and returns at once; the
// channel gives the failure, or nil when the opener has ended, which may be
// never. It is a web address or nothing is run: an opener would as well start
// what a file: or javascript: address names.
func openBrowser(address string) (<-chan error, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("the agent gave an address that is none: %q", address)
	}
	failed := make(chan error, 1)
	go func() { failed <- runOpener(u.String()) }()
	return failed, nil
}

// runOpener honours $BROWSER (commands separated by colons, %s for the
// address, as xdg-open reads it), then takes the system's opener. Whatever
// the opener prints goes nowhere: standard output is for the answer.
func runOpener(address string) error {
	for command := range strings.SplitSeq(os.Getenv("BROWSER"), ":") {
		args := strings.Fields(command)
		if len(args) == 0 {
			continue
		}
		placed := false
		for i := range args {
			if strings.Contains(args[i], "%s") {
				args[i], placed = strings.ReplaceAll(args[i], "%s", address), true
			}
		}
		if !placed {
			args = append(args, address)
		}
		c := exec.Command(args[0], args[1:]...)
		c.SysProcAttr = agent.Detached() // or Ctrl-C would end the person's browser as well
		if c.Run() == nil {
			return nil
		}
	}
	browser.Stdout, browser.Stderr = nil, nil
	return browser.OpenURL(address)
}

// hasOpener says whether there is anything to open a browser with.
func hasOpener() bool {
	if os.Getenv("BROWSER") != "" {
		return true
	}
	for _, name := range openers {
		if _, err := exec.LookPath(name); err == nil {
			return true
		}
	}
	return false
}
