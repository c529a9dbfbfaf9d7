//go:build linux

package kctest

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"
)

func TestUnlockedKilledLocked(t *testing.T) {
	began := time.Now()
	s := New(t)
	s.Unlocked("pw")
	t.Logf("ready after %v", time.Since(began))
	if got := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); got != s.Address {
		t.Errorf("the process uses %s", got)
	}
	if !strings.HasPrefix(s.Keyrings(), s.Dir) || os.Getenv("XDG_DATA_HOME")+"/keyrings" != s.Keyrings() {
		t.Errorf("keyrings in %s", s.Keyrings())
	}
	if err := keyring.Set("service", "user", "value"); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	s.Unlocked("pw")
	if got := strings.TrimSpace(s.SecretTool("", "lookup", "service", "service", "username", "user")); got != "value" {
		t.Errorf("after a kill: %q", got)
	}
	s.Lock()
	if _, err := keyring.Get("service", "user"); err == nil {
		t.Error("it can be read while locked")
	}
	s.Kill()
	s.Locked()
	if _, err := keyring.Get("service", "user"); err == nil {
		t.Error("it can be read in a locked one")
	}
	s.Kill()
	s.Unlocked("pw")
	if got, err := keyring.Get("service", "user"); err != nil || got != "value" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestFake(t *testing.T) {
	s := New(t)
	f := s.Fake(Faults{})
	if err := keyring.Set("service", "user", "value"); err != nil {
		t.Fatal(err)
	}
	if got, err := keyring.Get("service", "user"); err != nil || got != "value" || f.Items() != 1 {
		t.Errorf("%q, %v", got, err)
	}
	f.Set(Faults{DeclineWrite: true, DeclineDrop: true})
	if err := keyring.Set("service", "user", "other"); err != nil {
		t.Errorf("go-keyring tells the truth now: %v", err)
	}
	if err := keyring.Delete("service", "user"); err != nil {
		t.Errorf("go-keyring tells the truth now: %v", err)
	}
	if got, err := keyring.Get("service", "user"); err != nil || got != "value" || f.Prompts() != 2 {
		t.Errorf("%q, %v, %d prompts", got, err, f.Prompts())
	}
}
