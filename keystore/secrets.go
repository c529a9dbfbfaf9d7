package keystore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A named secret is kept as a session is, with its name in place of the
// account's and without cycles. This prefix keeps the two apart.
const namedPrefix = "\x00"

// PutSecret keeps a secret that belongs to no session, for instance a client
// secret, under a name. It replaces an earlier value or, on error, leaves it.
func (s *Store) PutSecret(ctx context.Context, name string, value []byte) error {
	earlier, unlock, err := s.lockNamed(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	at := s.clock().Truncate(time.Millisecond)
	for _, id := range earlier { // a crash may leave both: the later one counts
		if old, _ := s.Peek(id); !at.After(old.StartedAt) {
			at = old.StartedAt.Add(time.Millisecond)
		}
	}
	if _, err := s.add(ctx, namedPrefix+name, at, value, nil, nil); err != nil {
		return fmt.Errorf("the secret cannot be kept: %w", err)
	}
	for _, id := range earlier {
		if err := s.Erase(ctx, id); err != nil {
			s.log.Warn("an earlier secret stays in the state directory for now", "error", err)
		}
	}
	return nil
}

// GetSecret returns a named secret, or ErrNotFound. ErrChanged means that it is
// known, but the keychain does not have it any more.
func (s *Store) GetSecret(ctx context.Context, name string) ([]byte, error) {
	ids, unlock, err := s.lockNamed(ctx, name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if len(ids) == 0 {
		return nil, fmt.Errorf("%w: no secret of that name is kept", ErrNotFound)
	}
	return s.Secret(ctx, ids[len(ids)-1])
}

// DeleteSecret removes a named secret. One that is not there is no error.
func (s *Store) DeleteSecret(ctx context.Context, name string) error {
	ids, unlock, err := s.lockNamed(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	for _, id := range ids {
		err = errors.Join(err, s.Erase(ctx, id))
	}
	return err
}

// lockNamed waits until no other call works on named secrets, and returns the
// records of this one. The last of them counts; the others could not be erased.
func (s *Store) lockNamed(ctx context.Context, name string) (ids []string, unlock func(), err error) {
	select {
	case s.naming <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.secrets[name] {
		if s.sessions[id] != nil {
			ids = append(ids, id)
		}
	}
	s.secrets[name] = ids
	return slices.Clone(ids), func() { <-s.naming }, nil
}

// adoptNamed notes which of the records found are named secrets, and erases
// those that a crash kept from being erased when they were replaced.
func (s *Store) adoptNamed() error {
	latest := map[string]Record{}
	var replaced []string
	for id := range s.sessions {
		r, _ := s.Peek(id)
		name, ok := strings.CutPrefix(r.Account, namedPrefix)
		if !ok {
			continue
		}
		if other, ok := latest[name]; ok {
			if other.StartedAt.After(r.StartedAt) {
				r, other = other, r
			}
			replaced = append(replaced, other.ID)
		}
		latest[name] = r
		s.secrets[name] = []string{r.ID}
	}
	var err error
	for _, id := range replaced {
		delete(s.sessions, id)
		err = errors.Join(err, s.eraseFiles(id))
	}
	return err
}
