//go:build !linux

package main

import (
	"context"
	"runtime"

	"curfew/auth/agent/client"
)

// openers are what github.com/cli/browser uses; on Windows and macOS it is
// part of the system.
var openers = map[string][]string{
	"darwin":  {"open"},
	"windows": {"rundll32"},
	"freebsd": {"xdg-open"},
}[runtime.GOOS]

func hasDesktop() bool { return true }

func checkTray(context.Context) client.Check {
	return client.Check{Name: "tray", OK: true, Message: "this system has one"}
}
