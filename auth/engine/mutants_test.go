package engine

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	plant   = flag.Bool("mutants", false, "plant every mutant and see which test catches it")
	planted = flag.String("mutant", "", "plant only those whose bug matches this")
)

// A mutant is one bug, planted in one place.
type mutant struct {
	bug  string
	file string // below the root of the module
	old  string // what the file holds, exactly once
	new  string
	// The tests that are to catch it: a package, and which of its tests.
	pkg, run string
}

// The bugs that would break a promise. Few tests are named for each on purpose:
// a promise has its own test.
var mutants = []mutant{
	{"a line of the ledger is not synced", "keystore/disk.go",
		`return d.tried("sync", name, f.Sync())`, `return nil`,
		"./cmd/curfew", "TestOrderOfARefresh"},
	{"no durable count before the request", "auth/engine/cycle.go",
		"\trec, err := m.store.Reserve(ctx, a.rec.ID)\n", "\trec, err := *a.rec, error(nil)\n",
		"./auth/engine", "TestNoRequestWithoutReserve|TestSignInServeRefreshEnd"},
	{"a request leaves although the count could not be written", "auth/engine/cycle.go",
		"\tif err != nil {\n\t\treturn a.recordFailed(ctx, err)\n\t}\n\ta.setRecord(rec)\n",
		"\tif err == nil {\n\t\ta.setRecord(rec)\n\t}\n",
		"./auth/engine", "TestNoRequestWithoutReserve"},
	{"served before it is saved", "auth/engine/cycle.go",
		"\tif err := a.save(ctx); err != nil {\n", "\ta.m.mu.Lock()\n\ta.access, a.facts = u.token, u.facts\n\ta.failFlightLocked(nil)\n\ta.m.mu.Unlock()\n\tif err := a.save(ctx); err != nil {\n",
		"./auth/engine", "TestNothingServedBeforeSaved"},
	{"a count is given back though a request may have left", "auth/engine/cycle.go",
		"e.Class == oauth.NotSent && !a.sent)", "e.Class == oauth.NotSent)",
		"./auth/engine", "TestCrashThenOffline|TestThrottledThenOffline"},
	{"a crash in a cycle is forgotten", "auth/engine/load.go",
		"a.sent, a.facts.OutcomeUnknown = true, true", "a.sent = false",
		"./auth/engine", "TestCrashThenOffline|TestCrashStrict"},
	{"each retry is counted again", "auth/engine/cycle.go",
		"\tcase oauth.Unknown:\n\t\tn :=", "\tcase oauth.Unknown:\n\t\tif rec, err := a.m.store.Commit(ctx, a.rec.ID, nil, nil, a.facts.encode(a.use)); err == nil {\n\t\t\ta.setRecord(rec)\n\t\t}\n\t\tn :=",
		"./auth/engine", "TestOutages|TestSim$"},
	{"two refreshes where many ask", "auth/engine/account.go",
		"\t\top = a.refresh\n", "\t\top = func(ctx context.Context) { a.cycle(ctx); a.refresh(ctx) }\n",
		"./auth/engine", "TestManyCallersOneRefresh"},
	{"any error that speaks of a grant ends the session", "auth/oauth/errors.go",
		"\tcase code == deadCode || says(lists.dead, code, words):\n", "\tcase strings.Contains(code, \"grant\"):\n",
		"./auth/oauth", "."},
	{"a useless answer bars nothing", "auth/engine/cycle.go",
		"\t\ta.retry = a.m.afterUseless(a.facts)\n", "\t\ta.retry = retry{err: failure.Protocol(a.facts.Useless.Why)}\n",
		"./auth/engine", "TestUselessAnswers"},
	{"a restart forgets useless answers", "auth/engine/load.go",
		"\t\ta.retry = m.afterUseless(facts)\n", "",
		"./auth/engine", "TestUselessAnswers"},
	{"a damaged session is nobody's", "keystore/peek.go",
		"\t\tpeeked.owner = owner\n", "\t\t_ = owner\n",
		"./auth/engine", "TestHurtSession"},
	{"a dead token is not asked about once more", "auth/engine/cycle.go",
		"c := &cycle{a: a}", "c := &cycle{a: a, confirmed: true}",
		"./auth/engine", "TestDeadIsConfirmed"},
	{"a 21st refresh", "auth/session.go",
		"return max(0, l.MaxRefreshes-max(", "return max(0, l.MaxRefreshes+1-max(",
		"./auth/engine", "TestSignInServeRefreshEnd"},
	{"over at 30 days, not after them", "auth/session.go",
		"case !now.After(at):", "case now.Before(at):",
		"./auth/...", "TestThirtyDays|TestOver|TestSession"},
	{"the age is not looked at between two tries", "auth/engine/cycle.go",
		"if reason := a.over(); reason != \"\" {", "if reason := a.over(); false {",
		"./auth/engine", "TestSuspendBetweenTries"},
	{"only the wall clock counts", "auth/engine/clock/clock.go",
		"now := a.At.Add(m.boot - a.Boot)", "now := m.since(a)",
		"./auth/engine/...", "TestClockTurned|TestClockLives"},
	{"a server moves the time of another's session", "auth/engine/account.go",
		"own := m.clock.Another()", "own := m.clock",
		"./auth/engine", "TestClockOfAnotherServer"},
	{"a sign-in does not hear the server's time", "auth/engine/clock/clock.go",
		"		r.Now = server\n", "		_ = server\n",
		"./auth/engine/...", "TestClockWrongAtSignIn|TestClockLives"},
	{"after a reboot the wall clock alone ends a session", "auth/engine/clock/clock.go",
		"Sure: m.id == \"\"}", "Sure: true}",
		"./auth/engine/...", "TestClockLives"},
	{"a wait that a wrong clock noted holds on", "auth/engine/account.go",
		"		a.forgetFutureLocked(t.Now)\n", "",
		"./auth/engine", "TestClockAheadAtBoot|TestClockLives"},
	{"a start without waiting for the stored session costs a refresh", "auth/engine/load.go",
		"a.flight, f.again = nil, true", "a.flight, f.again = nil, false",
		"./auth/engine", "TestLockedKeychain"},
	{"the tombstone is not written", "keystore/session.go",
		"\tif t.ended != \"\" || t.keys != nil && t.ledger.ended != \"\" {\n\t\treturn nil\n\t}\n", "\tif true {\n\t\treturn nil\n\t}\n",
		"./auth/engine", "TestSignOut|TestSignOutOffline"},
	{"a tombstone is not looked at", "auth/engine/load.go",
		"case rec.Ended != \"\" || !newest:", "case !newest:",
		"./auth/engine", "TestSignOut|TestSignOutOffline"},
	{"a server that is late gets the token again at once", "auth/engine/cycle.go",
		"c.last == nil && !late(e) && n", "c.last == nil && n",
		"./auth/engine", "TestLateServerIsNotProvoked"},
	{"a server is not waited for", "auth/engine/cycle.go",
		"refreshLimit = 90 * time.Second", "refreshLimit = 8 * time.Second",
		"./auth/engine", "TestSlowStrictServer"},
	{"an old refresh token's end stays", "auth/engine/facts.go",
		"\tf.Bounds.EndsAt, f.Slide = b.EndsAt, 0\n", "\tf.Bounds.EndsAt, f.Slide = earlier(was.EndsAt, b.EndsAt), 0\n",
		"./auth/engine", "TestRefreshTokenSlides"},
	{"a revocation is sent though it may reach a newer session", "auth/engine/revoke.go",
		"\tcase !spared:\n", "\tcase !spared || reach == \"\":\n",
		"./auth/engine", "TestRevocationReachesFurther"},
	{"a token that a newer session has is revoked", "auth/engine/revoke.go",
		"\tif same {\n", "\tif false {\n",
		"./auth/engine", "TestSameTokenIsNotRevoked"},
	{"what a revocation took along is forgotten", "auth/engine/journal/journal.go",
		"\tj.reach[server] = reach\n", "",
		"./auth/engine", "TestReachIsLearned"},
	{"a late sign-out ends the session of a later sign-in", "auth/engine/revoke.go",
		"\t\t\t\tspared = spared || !known\n", "\t\t\t\t_ = known\n",
		"./auth/engine", "TestLateSignOutSparesTheNext"},
	{"a late sign-out ends the session of a sign-in under way", "auth/engine/revoke.go",
		"case m.signsInAt(r.facts.Bound):", "case false:",
		"./auth/engine", "TestLateSignOutDuringSignIn"},
	{"a revocation after a restart ends a session that is not loaded yet", "auth/engine/signout.go",
		"\t\t\t\tlive[rec.ID] = f\n", "\t\t\t\t_ = f\n",
		"./auth/engine", "TestLateRevocationAtStart"},
	{"a client secret goes to another server", "auth/engine/revoke.go",
		"		c.ClientSecretKeychain = false\n", "",
		"./auth/engine", "TestClientSecretOfTheNext"},
	{"a token is served after a sign-out was asked for", "auth/engine/token.go",
		"\tcase a.leaving > 0:\n", "\tcase false:\n",
		"./auth/engine", "TestSignOutBehindHangingRefresh"},
	{"a sign-out behind a refresh is lost in a crash", "auth/engine/signout.go",
		"\ta.tombstone(ctx)\n", "\t_ = a\n",
		"./auth/engine", "TestSignOutBehindHangingRefresh"},
	{"the configuration of a removed account is not kept with its session", "auth/engine/signout.go",
		"\ta.noteRemoval(ctx)\n", "",
		"./auth/engine", "TestRemoveOfflineRestart"},
	{"a refused revocation is tried again", "auth/oauth/client.go",
		"\t\tfailed.Class = HeldBack // no refresh", "\t\t_ = HeldBack // no refresh",
		"./auth/...", "TestRefusedRevocation|TestAttacks"},
	{"a refused sign-in leaves a session at the server", "auth/engine/signin.go",
		"\t\ta.revokeGrant(grant) // refused", "\t\t// refused",
		"./auth/engine", "TestRefusedSignInIsRevoked"},
	{"the old slot is not deleted", "keystore/session.go",
		"\tif _, err := s.keychain.clearSlot(ctx, slot(t.id, t.ledger.now().Gen+1)); err != nil {", "\tif err := error(nil); err != nil {",
		"./keystore", "."},
	{"the high-water item is ignored", "keystore/session.go",
		"\tif err := t.ledger.legal(h); err != nil {", "\tif err := t.ledger.legal(h); false {",
		"./auth/engine", "TestRestoredPairs"},
	{"the count is the keychain's alone", "keystore/ledger.go",
		"\tfor _, s := range l.steps {\n\t\tused = max(used, s.Used)\n\t}\n", "\tused = l.steps[0].Used\n",
		"./keystore", "TestUsedIsTheLarger"},
	{"a keychain that was put back is believed", "keystore/ledger.go",
		"\tcase h.Seq < k:\n\t\treturn fmt.Errorf(", "\tcase h.Seq < k:\n\t\treturn nil\n\tcase h.Seq < k-1:\n\t\treturn fmt.Errorf(",
		"./auth/engine", "TestRestoredPairs"},
	{"what Reserve saw of the keychain is believed for ever", "keystore/session.go",
		"|| time.Since(t.counted) > aMoment {", "{",
		"./keystore", "TestSecretLooksAgain"},
	{"a lock of the keychain is not heard", "keystore/keychain/dbus.go",
		"\t\t\t\tk.forget(true)\n", "",
		"./keystore", "TestGnomeChanges"},
	{"a planted link is followed", "keystore/disk.go",
		"\tf, err := d.open(name, flag)\n", "\tf, err := d.OpenFile(name, flag, 0o600)\n",
		"./keystore", "TestPlanted"},
	{"an item that cannot be deleted keeps all others", "keystore/session.go",
		"\t\t\tif cannotAsk(err) {\n", "\t\t\tif true {\n",
		"./keystore", "TestUndeletable"},
	{"the keys are fetched after the answer", "auth/oauth/token.go",
		"\tc.warmKeys(ctx, m)\n", "",
		"./auth/oauth", "."},
	{"a lost answer that comes late brings a fresh token", "auth/oauth/token.go",
		"\t\tleft = tighten(left, exp.Sub(serverTime))\n", "",
		"./auth/engine", "TestLostAnswerGrewOld|TestSim$"},
	{"a page in a browser may ask the agent", "auth/agent/server.go",
		"if origin || referer || r.Host != client.Host {", "if (origin || referer || r.Host != client.Host) && false {",
		"./auth/agent", "."},
	{"a callback with any state is taken", "auth/oauth/listener.go",
		"[]byte(now.state.Reveal())) != 1:", "[]byte(now.state.Reveal())) > 1:",
		"./auth/oauth", "TestAttacks"},
	{"a start page works twice", "auth/oauth/start.go",
		"again, to := page.used && !known, d.to\n", "again, to := false && !known, d.to\n",
		"./auth/oauth", "TestStartPage"},
	{"an answer from any browser is taken", "auth/oauth/listener.go",
		"case wanted && (!fromUs", "case wanted && false && (!fromUs",
		"./auth/oauth", "TestStartPage"},
	{"a session without a refresh token has refreshes", "auth/session.go",
		"	if s.NoRefresh {\n		return 0\n	}\n", "",
		"./auth/engine", "TestNoRefreshToken"},
	{"the key of a session is not kept", "auth/engine/pair/pair.go",
		"return join(token, key.Secret())", "return join(token, auth.Secret{})",
		"./auth/engine", "TestDPoP"},
	{"an ID token that has expired is handed out", "auth/engine/token.go",
		"case left <= 0:", "case false:",
		"./auth/engine", "TestIDToken"},
	{"a crash forgets what a refresh was for", "auth/engine/target.go",
		"\t\tmeta = a.encodeLocked(a.facts)\n", "",
		"./auth/engine", "TestRefreshForAnotherCrash"},
	{"a resource that is refused ends the session", "auth/engine/cycle.go",
		"if a.facts.namesAnother() && (e.Class == oauth.HeldBack || e.Class == oauth.Dead) {", "if false {",
		"./auth/engine", "TestRefreshForAnotherRefused"},
	{"a lost answer for another resource becomes the session's own", "auth/engine/target.go",
		"if a.facts.For = nil; a.facts.OutcomeUnknown {", "if a.facts.For = nil; false {",
		"./auth/engine", "TestRefreshForAnotherRefused"},
	{"a token for another resource becomes the session's own", "auth/engine/cycle.go",
		"bad != nil || asked != nil {", "bad != nil {",
		"./auth/engine", "TestRefreshForAnother"},
	{"each caller exchanges the token again", "auth/engine/exchange/exchange.go",
		"return held, false, nil", "break",
		"./auth/engine", "TestExchange"},
	{"a token file stays when its session has ended", "auth/agent/tokenfile/tokenfile.go",
		"s.EndsAt.IsZero() { // no session\n\t\tf.remove()", "s.EndsAt.IsZero() { // no session",
		"./auth/agent/tokenfile", "TestKept"},
	{"a token file is written over a file of the person's", "auth/agent/tokenfile/file.go",
		"if _, err := dir.Lstat(name); err == nil {", "if _, err := dir.Lstat(name); err == nil && false {",
		"./auth/agent/tokenfile", "TestLeftBehind"},
	{"a proof without the server's nonce", "auth/oauth/token.go",
		"return code == \"use_dpop_nonce\"", "return code == \"use_dpop_nonce\" && false",
		"./auth/engine", "TestDPoP"},
	{"a connection of another user is taken for ours", "auth/oauth/peer/peer_linux.go",
		"return (field[7] == own || field[7] == \"0\") && field[9] != \"0\"\n", "return field[7] == own || true\n",
		"./auth/oauth/...", "TestOwnConnection"},
	{"a refresh token follows discovery to any host", "auth/oauth/token.go",
		"\treturn from.Token == \"\" ||", "\treturn true || from.Token == \"\" ||",
		"./auth/oauth", "TestEndpointMoves"},
	{"an ID token is read only where the scope says so", "auth/oauth/token.go",
		"\tif a.idToken.IsZero() || from.Subject == \"\" && !m.canVerify() {\n", "\tif a.idToken.IsZero() || !grantsOpenID(grant) {\n",
		"./auth/oauth", "TestIDTokenOfAnother"},
	{"a time beyond all years is taken for one", "auth/oauth/json.go",
		"!(seconds >= 1 && seconds <= most)", "!(seconds >= 1)",
		"./auth/oauth", "TestSideFaults|FuzzMetadata"},
	{"the server makes a 21st refresh", "auth/authserver/token.go",
		"if v.count >= max(0, s.cfg.MaxRefreshes) {", "if v.count > max(0, s.cfg.MaxRefreshes) {",
		"./auth/authserver", "."},
	{"the server takes a token twice", "auth/authserver/token.go",
		"\tcase t.ID == v.current:\n", "\tcase t.ID == v.current || v.count > 0:\n",
		"./auth/authserver", "."},
}

// TestMutants plants bugs one at a time, in the compiler's view of the files
// only, and wants each to be caught by the tests named. That is `make
// mutants`; without -mutants it only checks that every bug can still be
// planted.
func TestMutants(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	caught := 0
	var rows []string
	for _, m := range mutants {
		path := filepath.Join(root, m.file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), m.old); n != 1 {
			t.Errorf("%q: %s holds %d times, not once: %s", m.bug, m.file, n, m.old)
			continue
		}
		if !*plant || !strings.Contains(m.bug, *planted) {
			continue
		}
		by, err := m.catch(t, root, path, strings.Replace(string(text), m.old, m.new, 1))
		if err != nil {
			t.Errorf("%q: %v", m.bug, err)
			by = "**nothing**"
		} else {
			caught++
		}
		row := fmt.Sprintf("| %s | `%s` | %s |", m.bug, m.file, by)
		rows = append(rows, row)
		fmt.Println(row)
	}
	if *plant {
		t.Logf("%d of %d planted bugs caught", caught, len(rows))
	}
}

var failedTest = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)

// catch runs the tests with the bug planted and says which of them failed.
func (m mutant) catch(t *testing.T, root, path, text string) (by string, err error) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.go")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: bad}})
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	for file, data := range map[string][]byte{bad: []byte(text), list: overlay} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return "", err
		}
	}
	run := func(args ...string) ([]byte, error) {
		c := exec.CommandContext(t.Context(), "go", args...)
		c.Dir = root
		c.Env = append(os.Environ(), "GOFLAGS=-overlay="+list) // also for what a test builds
		return c.CombinedOutput()
	}
	if out, err := run("build", "./"+filepath.Dir(m.file)); err != nil {
		return "", fmt.Errorf("it does not compile: %v\n%s", err, out)
	}
	began := time.Now()
	out, err := run("test", "-vet=off", "-count=1", "-timeout=5m", "-run", m.run, "-skip", "TestMutants", m.pkg)
	if err == nil {
		return "", fmt.Errorf("no test of %s caught it", m.pkg)
	}
	var names []string
	for _, f := range failedTest.FindAllStringSubmatch(string(out), -1) {
		names = append(names, "`"+f[1]+"`")
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return "", fmt.Errorf("the tests did not run: %v\n%s", err, out)
	}
	t.Logf("%q: caught after %.0f s", m.bug, time.Since(began).Seconds())
	if len(names) > 3 {
		names = append(names[:3], fmt.Sprintf("and %d more", len(names)-3))
	}
	return strings.Join(names, ", "), nil
}
