package main

import (
	"runtime/debug"
	"testing"
)

func TestBuild(t *testing.T) {
	b := newBuild([]debug.BuildSetting{{Key: "CGO_ENABLED", Value: "0"}, {Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-11-27T20:00:00Z"}, {Key: "vcs.modified", Value: "true"}})
	if b.Commit != "abc" || b.Date != "2026-11-27T20:00:00Z" || !b.Modified || b.Platform != b.OS+"/"+b.Arch {
		t.Errorf("%+v", b)
	}
}
