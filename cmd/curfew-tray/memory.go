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

// memory is the tray.Memory that is kept in the state directory. Without the
// directory it lasts as long as the tray.
type memory struct {
	path   string // "": nowhere
	logger *slog.Logger

	mu       sync.Mutex
	accounts map[string]remembered
}

// remembered is what is kept of one account.
type remembered struct {
	Told     time.Time `json:"told,omitzero"`     // when the session ended whose end was shown
	Tomorrow time.Time `json:"tomorrow,omitzero"` // when to show the notice again
}

func openMemory(logger *slog.Logger) *memory {
	m := &memory{logger: logger, accounts: make(map[string]remembered)}
	dir, err := auth.StateDir()
	if err != nil {
		logger.Warn("what was told will be forgotten", "err", err)
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

// wasShown notes that the desktop has taken n: the end of a session is shown once.
func (m *memory) wasShown(n tray.Notice) {
	if n.Over {
		m.change(n.Account, func(r *remembered) { r.Told = n.Ended })
	}
}

// sayAgain has n said again, if it is still true: as if the person had wanted
// to hear of it later, and it were later.
func (m *memory) sayAgain(n tray.Notice) {
	if n.Account != "" && n.Title != "" {
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
		err = os.MkdirAll(filepath.Dir(m.path), 0o700)
	}
	if err == nil {
		err = os.WriteFile(m.path+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(m.path+".new", m.path)
	}
	if err != nil {
		m.logger.Warn("what was told is not kept", "err", err)
	}
}
