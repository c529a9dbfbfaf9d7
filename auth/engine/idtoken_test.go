package engine

import (
	"strings"
	"testing"
	"time"

	"curfew/auth"
)

// idToken asks for the ID token.
func (w *world) idToken(minValid time.Duration) (auth.Token, error) {
	r := patient(minValid, "test")
	r.ID = true
	return w.m.Token(w.t.Context(), "work", r)
}

// The ID token is that of the last answer that had one, also after a restart.
// It costs no extra refresh, and none is handed out that has expired.
func TestIDToken(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		first, err := w.idToken(-1)
		must(t, err)
		if access := w.mustToken(); first.IDToken.IsZero() || !first.AccessToken.IsZero() || first.Value() == access.Value() ||
			strings.Contains(first.IDToken.Reveal(), "\n") || first.ExpiresIn <= 14*time.Minute || !first.ExpiresAt.Equal(access.ExpiresAt) {
			t.Errorf("%+v next to %+v", first, access)
		}
		w.restart()
		again, err := w.idToken(-1)
		must(t, err)
		if w.mustToken(); again.IDToken.Reveal() != first.IDToken.Reveal() || w.net.refreshes() != 0 {
			t.Errorf("another ID token after a restart, %d refreshes", w.net.refreshes())
		}

		// A refresh that is due brings another.
		time.Sleep(15 * time.Minute)
		second, err := w.idToken(-1)
		must(t, err)
		if second.IDToken.Reveal() == first.IDToken.Reveal() || w.net.refreshes() != 1 {
			t.Errorf("the same ID token after %d refreshes", w.net.refreshes())
		}

		// Without one in the answer the last one stays, until it has expired.
		w.net.twist = func(answer map[string]any) { delete(answer, "id_token") }
		must(t, w.refreshes("work"))
		kept, err := w.idToken(-1)
		must(t, err)
		if kept.IDToken.Reveal() != second.IDToken.Reveal() {
			t.Error("another ID token than the last that came")
		}
		must(t, w.refreshes("work"))
		time.Sleep(8 * time.Minute)
		_, err = w.idToken(10 * time.Minute)
		w.wantError(err, auth.KindUnavailable, "")
		spent := w.net.refreshes()
		time.Sleep(2 * time.Minute)
		must(t, w.refreshes("work"))
		time.Sleep(6 * time.Minute)
		_, err = w.idToken(-1)
		w.wantError(err, auth.KindUnavailable, "")
		best := patient(-1, "test")
		best.ID, best.Best = true, true
		_, err = w.m.Token(t.Context(), "work", best)
		w.wantError(err, auth.KindUnavailable, "")
		if w.net.refreshes() > spent+1 {
			t.Errorf("%d refreshes for an ID token that has expired", w.net.refreshes()-spent)
		}
		if _, err := w.m.SignOut(t.Context(), "work"); err != nil {
			t.Error(err)
		}
		_, err = w.idToken(-1)
		w.wantError(err, auth.KindSignInNeeded, auth.ByUser)
	})
	play(t, func(w *world) { w.plain = true }, func(t *testing.T, w *world) {
		w.signIn()
		_, err := w.idToken(-1)
		w.wantError(err, auth.KindRefused, "")
	})
}
