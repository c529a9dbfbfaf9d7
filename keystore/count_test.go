package keystore

import (
	"errors"
	"testing"
	"time"

	"curfew/keystore/kctest"
)

// Whichever of ledger and keychain counted more is right, in a Reserve that
// the keychain failed and in a Refund that it has not heard of.
func TestUsedIsTheLarger(t *testing.T) {
	kc := newKeychain()
	s, err := Open(Config{Dir: scratch(t) + "/state", Keychain: kc})
	must(t, err)
	defer s.Close(t.Context())
	rec, err := s.Create(t.Context(), "work", time.Now(), []byte("rt-0"), nil, nil)
	must(t, err)
	rec, err = s.Load(t.Context(), rec.ID) // waits until the keychain follows
	must(t, err)
	fail := func(c kctest.Call) error {
		if c.Op == "set" {
			return ErrTimeout
		}
		return nil
	}
	kc.Before(fail)
	rec, err = s.Reserve(t.Context(), rec.ID)
	if !errors.Is(err, ErrTimeout) || rec.Used != 1 || rec.Pending {
		t.Errorf("a Reserve that only the ledger has: %v, used %d, pending %v", err, rec.Used, rec.Pending)
	}
	kc.Before(nil)
	rec, err = s.Reserve(t.Context(), rec.ID)
	if err != nil || rec.Used != 1 || !rec.Pending {
		t.Errorf("the same Reserve completed: %v, used %d, pending %v", err, rec.Used, rec.Pending)
	}
	kc.Before(fail)
	rec, err = s.Refund(t.Context(), rec.ID)
	if err != nil || rec.Used != 1 || rec.Pending {
		t.Errorf("a Refund that only the ledger has: %v, used %d, pending %v", err, rec.Used, rec.Pending)
	}
	kc.Before(nil)
	rec, err = s.Load(t.Context(), rec.ID)
	if err != nil || rec.Used != 0 {
		t.Errorf("the Refund completed: %v, used %d", err, rec.Used)
	}
}
