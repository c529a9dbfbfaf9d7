package keystore

import (
	"context"
	"maps"
	"sync"
)

// A MemoryKeychain is a keychain that ends with the process. It serves a
// machine that has none, where sessions live as long as the agent does, and
// the tests. It is safe for concurrent use. Give its Store a state directory
// that ends with the process too: what an earlier one left is ErrChanged.
type MemoryKeychain struct {
	mu     sync.Mutex // guards all below
	items  map[string]string
	locked bool
	calls  int
	before func(KeychainCall) error
	after  func(KeychainCall) error
	ticks  map[chan struct{}]bool
}

// A KeychainCall is one call, as fault hooks see it.
type KeychainCall struct {
	N     int    // 1 for the first call ever
	Op    string // "probe", "unlock", "get", "set", "delete", "flush"
	User  string // the item's name
	Value string // what set writes
}

// NewMemoryKeychain makes an empty, unlocked keychain.
func NewMemoryKeychain() *MemoryKeychain {
	return &MemoryKeychain{items: map[string]string{}, ticks: map[chan struct{}]bool{}}
}

// Before installs a hook that runs before each call; an error takes the
// call's place, and a hook that blocks makes the keychain hang.
func (m *MemoryKeychain) Before(f func(KeychainCall) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.before = f
}

// After installs a hook that runs after each call that worked; an error hides
// that it did.
func (m *MemoryKeychain) After(f func(KeychainCall) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.after = f
}

// SetLocked locks or unlocks it.
func (m *MemoryKeychain) SetLocked(locked bool) {
	m.mu.Lock()
	m.locked = locked
	m.mu.Unlock()
	m.tick()
}

// Items returns a copy of all items of all services, by name.
func (m *MemoryKeychain) Items() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.items)
}

// SetItems replaces all items.
func (m *MemoryKeychain) SetItems(items map[string]string) {
	m.mu.Lock()
	m.items = maps.Clone(items)
	m.mu.Unlock()
	m.tick()
}

// call runs f between the hooks, which run unlocked so that they may block or look.
func (m *MemoryKeychain) call(op, user, value string, f func() error) error {
	m.mu.Lock()
	m.calls++
	c, before, after := KeychainCall{m.calls, op, user, value}, m.before, m.after
	m.mu.Unlock()
	if before != nil {
		if err := before(c); err != nil {
			return err
		}
	}
	m.mu.Lock()
	err := f()
	m.mu.Unlock()
	if err == nil && after != nil {
		err = after(c)
	}
	return err
}

// usableLocked reports whether items can be reached. The caller holds mu.
func (m *MemoryKeychain) usableLocked() error {
	if m.locked {
		return ErrLocked
	}
	return nil
}

// Get returns an item.
func (m *MemoryKeychain) Get(service, user string) (value string, err error) {
	err = m.call("get", user, "", func() error {
		if err := m.usableLocked(); err != nil {
			return err
		}
		v, ok := m.items[service+"/"+user]
		if !ok {
			return ErrNotFound
		}
		value = v
		return nil
	})
	if err != nil {
		return "", err
	}
	return value, nil
}

// Set stores an item.
func (m *MemoryKeychain) Set(service, user, value string) error {
	return m.call("set", user, value, func() error {
		if err := m.usableLocked(); err != nil {
			return err
		}
		m.items[service+"/"+user] = value
		return nil
	})
}

// Delete removes an item.
func (m *MemoryKeychain) Delete(service, user string) error {
	return m.call("delete", user, "", func() error {
		if err := m.usableLocked(); err != nil {
			return err
		}
		if _, ok := m.items[service+"/"+user]; !ok {
			return ErrNotFound
		}
		delete(m.items, service+"/"+user)
		return nil
	})
}

// Probe reports ErrLocked while it is locked.
func (m *MemoryKeychain) Probe(context.Context) error {
	return m.call("probe", "", "", m.usableLocked)
}

// Unlock unlocks it without asking anybody.
func (m *MemoryKeychain) Unlock(context.Context) error {
	was := false
	err := m.call("unlock", "", "", func() error { was, m.locked = m.locked, false; return nil })
	if was {
		m.tick()
	}
	return err
}

// Flush does nothing, which a hook may prevent.
func (m *MemoryKeychain) Flush(context.Context) error {
	return m.call("flush", "", "", func() error { return nil })
}

// Watch runs f whenever somebody locked, unlocked or replaced the keychain, until ctx ends.
func (m *MemoryKeychain) Watch(ctx context.Context, f func()) {
	c := make(chan struct{}, 1)
	m.mu.Lock()
	m.ticks[c] = true
	m.mu.Unlock()
	for {
		select {
		case <-c:
			f()
		case <-ctx.Done():
			m.mu.Lock()
			delete(m.ticks, c)
			m.mu.Unlock()
			return
		}
	}
}

func (m *MemoryKeychain) tick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.ticks {
		select {
		case c <- struct{}{}:
		default: // one is on its way
		}
	}
}
