//go:build linux

package main

import (
	"io"
	"testing"

	"curfew/ui/terminal/mantest"
)

func TestMan(t *testing.T) { mantest.Pages(t, command(io.Discard)) }
