package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"curfew/auth"
	"curfew/ui/tray"
)

// memory is a tray.Memory in the state directory. If there is no such directory,
// it lasts as long as the tray.
type memory struct {
	path   string // "" if it is not saved
	logger *slog.Logger

	mu       sync.Mutex
	accounts map[string]remembered
}

// remembered is what is kept of one account.
type remembered struct {
	Told     time.Time `json:"told,omitzero"`     // the end of the last session whose end was shown
	Tomorrow time.Time `json:"tomorrow,omitzero"` // when to show the notice again
}

func openMemory(logger *slog.Logger) *memory {
	m := &memory{logger: logger, accounts: make(map[string]remembered)}
	dir, err := auth.StateDir()
	if err != nil {
		logger.Warn("shown notices will be forgotten", "err", err)
		return m
	}
	m.path = filepath.Join(dir, "tray.json")
	if b, err := os.ReadFile(m.path); err == nil && json.Unmarshal(b, &m.accounts) != nil || m.accounts == nil {
		m.accounts = make(map[string]remembered)
	}
	return m
}

func (m *memory) Told(account string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.accounts[account].Told
}

func (m *memory) Tomorrow(account string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.accounts[account].Tomorrow
}

func (m *memory) SetTomorrow(account string, at time.Time) {
	m.change(account, func(r *remembered) { r.Tomorrow = at.Round(0) })
}

// wasShown notes that the desktop has shown n. The end of a session is shown once.
func (m *memory) wasShown(n tray.Notice) {
	if n.Over {
		m.change(n.Account, func(r *remembered) { r.Told = n.Ended })
	}
}

// sayAgain makes the tray show n again, if it is still true. It acts as if the
// person had postponed n until now.
func (m *memory) sayAgain(n tray.Notice) {
	if n.Account != "" && n.Title != "" && n.Allow == "" { // a program waits for a minute only
		m.SetTomorrow(n.Account, time.Now())
	}
}

func (m *memory) change(account string, f func(*remembered)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.accounts[account]
	f(&r)
	m.accounts[account] = r
	if m.path == "" {
		return
	}
	b, err := json.Marshal(m.accounts)
	if err == nil {
		err = auth.ReplaceFile(m.path, b)
	}
	if err != nil {
		m.logger.Warn("shown notices not saved", "err", err)
	}
}
