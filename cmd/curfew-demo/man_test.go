//go:build linux

package main

import (
	"testing"

	"curfew/ui/terminal/mantest"
)

func TestMan(t *testing.T) { mantest.Pages(t, new(program).root().Commands()...) }
