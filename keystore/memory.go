package keystore

import (
	"context"
	"sync"
)

// A MemoryKeychain is a keychain that ends with the process, for a machine
// that has none: sessions live as long as the agent does. It is safe for
// concurrent use. Give its Store a state directory that ends with the process
// too, because what an earlier one left is ErrChanged.
type MemoryKeychain struct{ items sync.Map }

// NewMemoryKeychain makes an empty keychain.
func NewMemoryKeychain() *MemoryKeychain { return &MemoryKeychain{} }

// Get returns an item.
func (m *MemoryKeychain) Get(service, user string) (string, error) {
	if value, ok := m.items.Load(service + "/" + user); ok {
		return value.(string), nil
	}
	return "", ErrNotFound
}

// Set stores an item.
func (m *MemoryKeychain) Set(service, user, value string) error {
	m.items.Store(service+"/"+user, value)
	return nil
}

// Delete removes an item.
func (m *MemoryKeychain) Delete(service, user string) error {
	if _, ok := m.items.LoadAndDelete(service + "/" + user); !ok {
		return ErrNotFound
	}
	return nil
}

// Probe lets calls proceed.
func (*MemoryKeychain) Probe(context.Context) error { return nil }

// Unlock has nothing to do.
func (*MemoryKeychain) Unlock(context.Context) error { return nil }
