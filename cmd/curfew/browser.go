package main

import (
	"fmt"
	"net/url"

	ui "curfew/ui/desktop"
)

// openBrowser opens address in the person's browser and returns at once. The
// channel gives the failure, or nil when the opener has ended, which may be
// never. Only a web address is opened: an opener would also start what a file:
// or javascript: address names. command is the browser of the account, if it
// has one.
func openBrowser(address string, command []string) (<-chan error, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("the agent returned an invalid web address: %q", address)
	}
	failed := make(chan error, 1)
	go func() { failed <- ui.RunBrowser(u.String(), command...) }()
	return failed, nil
}
