//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"curfew/auth"
	"curfew/auth/agent/client"
	"curfew/keystore/kctest"
)

// TestOIDCToken: Debian's oidc-token, as it is, gets tokens of Curfew. Fifty at
// once, when the token is too short, cost one refresh.
func TestOIDCToken(t *testing.T) {
	kctest.Need(t, "oidc-token")
	w := newShop(t)
	issuer := w.issuer(t, 12*time.Second)
	w.open(t, "quick")
	w.prepare(t, "", "")
	shell := func(script string) string {
		t.Helper()
		out, err := w.shell(t, "", "quick", script)
		if err != nil {
			t.Fatal(err, out)
		}
		return strings.TrimSpace(out)
	}
	now := func() (s auth.Snapshot) {
		t.Helper()
		if err := json.Unmarshal([]byte(shell("curfew status quick --json")), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	shell(fmt.Sprintf("curfew add quick --issuer %s --client-id curfew --refresh on-demand && person curfew login quick --no-browser", issuer))
	said := shell("curfew helper oidc-agent")
	if again := shell("curfew helper oidc-agent"); said != again || !strings.HasPrefix(said, "OIDC_SOCK='/") {
		t.Errorf("it says %s, then %s", said, again)
	}
	t.Cleanup(func() {
		socket := strings.Split(said, "'")[1]
		c, err := client.Dial(context.Background(), socket)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if p, err := client.PeerOf(c.(*net.UnixConn)); err != nil || syscall.Kill(p.PID, syscall.SIGTERM) != nil {
			t.Error("it goes on:", p, err)
		}
	})
	oidc := said + "; "

	first := shell(oidc + "oidc-token quick")
	if !strings.HasPrefix(first, "ey") || first != shell(oidc+"oidc-token "+issuer) || first != shell("curfew token quick --best") {
		t.Errorf("oidc-token prints %s", first)
	}
	if !w.judge("quick", first) {
		t.Error("the server refuses that")
	}
	if got := shell(oidc + "oidc-add --loaded; oidc-token -e -i quick"); !strings.Contains(got, "quick") || !strings.Contains(got, issuer+"/") {
		t.Error(got)
	}
	if less := shell(oidc + "oidc-token -s openid --aud " + issuer + "/api quick"); less == first || !strings.HasPrefix(less, "ey") {
		t.Error("for an audience:", less)
	}
	before := now()
	time.Sleep(time.Until(before.AccessExpiresAt.Add(-5 * time.Second))) // until it has less than half of its life
	out := shell(oidc + "for i in {1..50}; do oidc-token quick & done; wait")
	tokens := map[string]int{}
	for token := range strings.FieldsSeq(out) {
		tokens[token]++
	}
	if after := now(); len(tokens) != 1 || tokens[first] > 0 || len(strings.Fields(out)) != 50 || after.RefreshesUsed != before.RefreshesUsed+1 {
		t.Errorf("%d different tokens, %d refreshes", len(tokens), after.RefreshesUsed-before.RefreshesUsed)
	}
	out, err := w.shell(t, "", "quick", oidc+"oidc-token gone")
	if err == nil || !strings.Contains(out, "Error: gone is not signed in") || !strings.Contains(out, "curfew login gone") {
		t.Errorf("signed out: %v\n%s", err, out)
	}
	if out, err := w.shell(t, "", "quick", oidc+"oidc-token none"); err == nil || !strings.Contains(out, "No account configured with that short name") {
		t.Errorf("unknown: %v\n%s", err, out)
	}
	w.canary(t)
}
