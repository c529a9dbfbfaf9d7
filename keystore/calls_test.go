//go:build linux

package keystore

import (
	"crypto/rand"
	"fmt"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	ss "github.com/zalando/go-keyring/secret_service"

	"curfew/keystore/kctest"
)

// aRefresh is what one refresh does in the store, until the keychain has followed.
func aRefresh(t testing.TB, s *Store, id string) (waited time.Duration) {
	t.Helper()
	began := time.Now()
	_, err := s.Reserve(t.Context(), id)
	must(t, err)
	_, err = s.Secret(t.Context(), id)
	must(t, err)
	_, err = s.Commit(t.Context(), id, token(900, "refresh"), token(900, "access"), nil)
	must(t, err)
	waited = time.Since(began)
	followed(t, s, id)
	return waited
}

// accounts signs n accounts in, in a store that hears of changes, as an agent's does.
func accounts(t testing.TB, n int) (*Store, string) {
	t.Helper()
	s := openGnome(t, filepath.Join(t.TempDir(), "state"))
	ticks := s.Changes(t.Context())
	<-ticks // it listens
	id := ""
	for i := range n {
		r, err := s.Create(t.Context(), fmt.Sprint("account ", i), time.Now(), token(900, "refresh"), token(900, "access"), nil)
		must(t, err)
		id = r.ID
	}
	followed(t, s, id)
	return s, id
}

// TestCallsOfARefresh counts what a refresh asks of the Secret Service. That is
// little, and as much with a hundred accounts as with one.
func TestCallsOfARefresh(t *testing.T) {
	const limit = 45
	var one map[string]int
	for _, n := range []int{1, 100} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			session := kctest.New(t)
			if n == 1 {
				session.Unlocked("pw")
			} else {
				session.Fake(kctest.Faults{}) // which writes no file, and so is quick to fill
			}
			s, id := accounts(t, n)
			calls := session.Calls()
			followed(t, s, id)
			before := calls() // of what Load adds to aRefresh
			aRefresh(t, s, id)
			got := calls()
			sum := 0
			for method := range got {
				got[method] -= before[method]
				sum += got[method]
			}
			t.Logf("%d calls: %v", sum, got)
			if sum > limit {
				t.Errorf("%d calls, at most %d", sum, limit)
			}
			if one == nil {
				one = got
			}
			if !maps.Equal(got, one) {
				t.Errorf("%v, not as with one account", got)
			}
			must(t, s.Close(t.Context()))
		})
	}
}

// BenchmarkRefresh is a refresh in the keychain and in the state directory,
// without the server. What a caller waits for is apart from what comes after.
func BenchmarkRefresh(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n, " accounts"), func(b *testing.B) {
			session := kctest.New(b)
			session.Unlocked("pw")
			s, id := accounts(b, n)
			var waited time.Duration
			for b.Loop() {
				waited += aRefresh(b, s, id)
			}
			b.ReportMetric(float64(waited.Microseconds())/1000/float64(b.N), "ms-waited/op")
		})
	}
}

// BenchmarkKeyring is the floor of BenchmarkRefresh, whose caller waits for one
// such call: a secret is replaced over D-Bus. Nothing of Curfew takes part. The
// keyring has nothing else, or as many items of as many bytes as a hundred accounts
// have.
func BenchmarkKeyring(b *testing.B) {
	sizes := []int{67, 43, 1244} // a high-water item, half a key, a sealed token
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n*len(sizes), " items"), func(b *testing.B) {
			session := kctest.New(b)
			session.Unlocked("pw")
			conn, err := dbus.Connect(session.Address)
			must(b, err)
			defer conn.Close()
			call := func(path dbus.ObjectPath, method string, args ...any) *dbus.Call {
				c := conn.Object(ssName, path).Call(method, 0, args...)
				must(b, c.Err)
				return c
			}
			var none dbus.Variant
			var opened, ours, prompt dbus.ObjectPath
			must(b, call(ssPath, ssService+".OpenSession", "plain", dbus.MakeVariant("")).Store(&none, &opened))
			secret := func(size int) ss.Secret {
				return ss.Secret{Session: opened, Parameters: []byte{}, Value: token(size, "foreign"), ContentType: "text/plain"}
			}
			for i := range n * len(sizes) {
				properties := map[string]dbus.Variant{ssItem + ".Label": dbus.MakeVariant("foreign"),
					ssItem + ".Attributes": dbus.MakeVariant(map[string]string{"service": "foreign", "username": fmt.Sprint(rand.Text(), i)})}
				must(b, call(ssLogin, ssCollection+".CreateItem", properties, secret(sizes[i%len(sizes)]), true).Store(&ours, &prompt))
			}
			for b.Loop() {
				call(ours, ssItem+".SetSecret", secret(sizes[0]))
			}
		})
	}
}
