//go:build !unix

package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"curfew/auth"
)

var errUpgraded = errors.New("the program was replaced by another version")

// watchProgram: a program that runs cannot be replaced on this system.
func watchProgram(context.Context, *slog.Logger, string, time.Duration, func() []auth.Snapshot) error {
	return nil
}

const settleTime = 0

func becomeNew(string) error { return errors.ErrUnsupported }

const noFollow = 0
