package keystore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

const suffixNamed = ".secret"

// A named secret's file holds the file half of its key and the ID under which
// the keychain has the rest. Putting a new value makes new halves and a new
// ID, so replacing the file is the one instant at which the value changes.
type named struct {
	Version int    `json:"v"`
	Name    string `json:"name"`
	ID      string `json:"id"`
	Half    string `json:"half"`
}

// namedFile is where a named secret is; names may hold what file names may not.
func namedFile(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16]) + suffixNamed
}

func (s *Store) readNamed(file string) (n named, err error) {
	data, err := s.disk.read(file, 64<<10)
	if err != nil {
		return n, err
	}
	if err := json.Unmarshal(data, &n); err != nil {
		return n, fmt.Errorf("%w: %s is no named secret", ErrCorrupt, file)
	}
	if n.Version > formatVersion {
		return n, fmt.Errorf("%w: %s has format %d", ErrVersion, file, n.Version)
	}
	if n.Version < 1 || !validID(n.ID) || namedFile(n.Name) != file {
		return n, fmt.Errorf("%w: %s is no named secret", ErrCorrupt, file)
	}
	return n, nil
}

// lockNamed waits until no other call works on named secrets.
func (s *Store) lockNamed(ctx context.Context) error {
	select {
	case s.named <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// PutSecret keeps one named secret that is no session (a client secret), in
// clear nowhere, under halves of its own. It replaces an earlier value or, on
// error, leaves it.
func (s *Store) PutSecret(ctx context.Context, name string, value []byte) error {
	if err := checkSizes(value, []byte(name)); err != nil {
		return err
	}
	if err := s.lockNamed(ctx); err != nil {
		return err
	}
	defer func() { <-s.named }()
	s.keychain.askAgain() // a person has just typed it
	file := namedFile(name)
	old, err := s.readNamed(file)
	if errors.Is(err, ErrVersion) || err != nil && temporary(err) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	id := rand.Text()
	// Whatever happens, one of the two is left over: noted now, and sorted out by
	// which of them the file names (see scan).
	for _, id := range []string{id, old.ID} {
		if id == "" {
			continue
		}
		if err := s.disk.replace(id+suffixGone, nil); err != nil {
			return err
		}
	}
	if err := s.writeNamed(ctx, file, name, id, value); err != nil {
		// When even reading the file back fails, both notes stay for the next scan.
		if now, e := s.readNamed(file); errors.Is(e, fs.ErrNotExist) || e == nil && now.ID == old.ID {
			s.leftOver(id, old.ID)
			s.sweep(ctx)
		}
		return err
	}
	s.leftOver(old.ID, id)
	s.sweep(ctx)
	return nil
}

// leftOver settles which of two IDs has items to delete; either may be "".
func (s *Store) leftOver(gone, live string) {
	if live != "" {
		if err := s.disk.remove(live + suffixGone); err != nil {
			s.log.Warn("cannot tidy up the state directory", "error", err)
		}
	}
	if gone != "" {
		s.mu.Lock()
		s.gone[gone] = true
		s.mu.Unlock()
	}
}

func (s *Store) writeNamed(ctx context.Context, file, name, id string, value []byte) error {
	fileHalf, keychainHalf := newHalf(), newHalf()
	n := named{formatVersion, name, id, b64.EncodeToString(fileHalf)}
	item := b64.EncodeToString(keychainHalf)
	k, err := deriveKeys(id, keychainHalf, fileHalf)
	if err != nil {
		return err
	}
	if err := s.keychain.set(ctx, itemKey(id), item); err != nil {
		return err
	}
	if err := s.keychain.writeSlot(ctx, namedSlot(id), 1, k.sealText(1, purposeNamed, value)); err != nil {
		return err
	}
	if err := s.keychain.flush(ctx); err != nil {
		return err
	}
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	defer clear(data)
	return s.disk.replace(file, data)
}

// GetSecret returns a named secret, or ErrNotFound. ErrChanged: it is known,
// but the keychain does not have it any more.
func (s *Store) GetSecret(ctx context.Context, name string) ([]byte, error) {
	if err := s.lockNamed(ctx); err != nil {
		return nil, err
	}
	defer func() { <-s.named }()
	n, err := s.readNamed(namedFile(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: no secret of that name is kept", ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	fileHalf, err := decodeHalf(n.Half)
	if err != nil {
		return nil, fmt.Errorf("%w: the file half of its key is malformed", ErrCorrupt)
	}
	item, err := s.keychain.get(ctx, itemKey(n.ID))
	if err != nil {
		return nil, changed("the key", err)
	}
	keychainHalf, err := decodeHalf(item)
	if err != nil {
		return nil, fmt.Errorf("%w: the keychain's half of its key is malformed", ErrTampered)
	}
	k, err := deriveKeys(n.ID, keychainHalf, fileHalf)
	if err != nil {
		return nil, err
	}
	sealed, err := s.keychain.readSlot(ctx, namedSlot(n.ID), 1)
	if err != nil {
		return nil, changed("the sealed secret", err)
	}
	value, err := k.openText(1, purposeNamed, sealed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTampered, err)
	}
	return value, nil
}

// DeleteSecret removes a named secret; one that is not there is no error.
func (s *Store) DeleteSecret(ctx context.Context, name string) error {
	if err := s.lockNamed(ctx); err != nil {
		return err
	}
	defer func() { <-s.named }()
	file := namedFile(name)
	n, err := s.readNamed(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, ErrCorrupt):
		return s.disk.wipe(file)
	case err != nil:
		return err
	}
	if err := s.disk.replace(n.ID+suffixGone, nil); err != nil {
		return err
	}
	if err := s.disk.wipe(file); err != nil {
		return err
	}
	s.leftOver(n.ID, "")
	s.sweep(ctx)
	return nil
}
