package kctest

import (
	"context"
	"maps"
	"sync"
)

// A Keychain is a keychain in memory whose calls a test can watch, delay and
// fail. It is safe for concurrent use.
type Keychain struct {
	notFound, isLocked error // what it says; this package cannot import keystore

	mu     sync.Mutex // guards all below
	items  map[string]string
	locked bool
	calls  int
	before func(Call) error
	after  func(Call) error
	ticks  map[chan struct{}]bool
}

// A Call is one call, as hooks see it.
type Call struct {
	N     int    // 1 for the first call ever
	Op    string // such as "probe", "unlock" or "flush"
	User  string // the item's name
	Value string // what set writes
}

// NewKeychain makes an empty, unlocked keychain. It takes keystore.ErrNotFound
// and keystore.ErrLocked.
func NewKeychain(notFound, locked error) *Keychain {
	return &Keychain{notFound: notFound, isLocked: locked, items: map[string]string{}, ticks: map[chan struct{}]bool{}}
}

// Before installs a hook that runs before each call; an error takes the
// call's place, and a hook that blocks makes the keychain hang.
func (k *Keychain) Before(f func(Call) error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.before = f
}

// After installs a hook that runs after each call that worked; an error hides
// that it did.
func (k *Keychain) After(f func(Call) error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.after = f
}

// SetLocked locks or unlocks it.
func (k *Keychain) SetLocked(locked bool) {
	k.mu.Lock()
	k.locked = locked
	k.mu.Unlock()
	k.tick()
}

// Items returns a copy of all items of all services, by name.
func (k *Keychain) Items() map[string]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.items)
}

// SetItems replaces all items.
func (k *Keychain) SetItems(items map[string]string) {
	k.mu.Lock()
	k.items = maps.Clone(items)
	k.mu.Unlock()
	k.tick()
}

// call runs f between the hooks, which run unlocked so that they may block or look.
func (k *Keychain) call(op, user, value string, f func() error) error {
	k.mu.Lock()
	k.calls++
	c, before, after := Call{k.calls, op, user, value}, k.before, k.after
	k.mu.Unlock()
	if before != nil {
		if err := before(c); err != nil {
			return err
		}
	}
	k.mu.Lock()
	err := f()
	k.mu.Unlock()
	if err == nil && after != nil {
		err = after(c)
	}
	return err
}

// usableLocked reports whether items can be reached. The caller holds mu.
func (k *Keychain) usableLocked() error {
	if k.locked {
		return k.isLocked
	}
	return nil
}

// Get returns an item.
func (k *Keychain) Get(service, user string) (value string, err error) {
	err = k.call("get", user, "", func() error {
		if err := k.usableLocked(); err != nil {
			return err
		}
		v, ok := k.items[service+"/"+user]
		if !ok {
			return k.notFound
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
func (k *Keychain) Set(service, user, value string) error {
	return k.call("set", user, value, func() error {
		if err := k.usableLocked(); err != nil {
			return err
		}
		k.items[service+"/"+user] = value
		return nil
	})
}

// Delete removes an item.
func (k *Keychain) Delete(service, user string) error {
	return k.call("delete", user, "", func() error {
		if err := k.usableLocked(); err != nil {
			return err
		}
		if _, ok := k.items[service+"/"+user]; !ok {
			return k.notFound
		}
		delete(k.items, service+"/"+user)
		return nil
	})
}

// Probe reports that it is locked, while it is locked.
func (k *Keychain) Probe(context.Context) error {
	return k.call("probe", "", "", k.usableLocked)
}

// Unlock unlocks it without asking anybody.
func (k *Keychain) Unlock(context.Context) error {
	was := false
	err := k.call("unlock", "", "", func() error { was, k.locked = k.locked, false; return nil })
	if was {
		k.tick()
	}
	return err
}

// Flush does nothing, which a hook may prevent.
func (k *Keychain) Flush(context.Context) error {
	return k.call("flush", "", "", func() error { return nil })
}

// Watch runs f whenever somebody locked, unlocked or replaced the keychain, until ctx ends.
func (k *Keychain) Watch(ctx context.Context, f func()) {
	c := make(chan struct{}, 1)
	k.mu.Lock()
	k.ticks[c] = true
	k.mu.Unlock()
	for {
		select {
		case <-c:
			f()
		case <-ctx.Done():
			k.mu.Lock()
			delete(k.ticks, c)
			k.mu.Unlock()
			return
		}
	}
}

func (k *Keychain) tick() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := range k.ticks {
		select {
		case c <- struct{}{}:
		default: // one is on its way
		}
	}
}
