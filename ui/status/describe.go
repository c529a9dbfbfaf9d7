package status

import (
	"cmp"
	"strings"
	"time"

	"curfew/auth"
)

// Action is the one thing an account offers as its main button.
type Action string

// The actions. Labels for people are in [View.ActionLabel].
const (
	NoAction     Action = ""
	SignIn       Action = "sign-in"        // SignInRequest{Force: Again}
	CancelSignIn Action = "cancel-sign-in" // the session that was there stays
	Unlock       Action = "unlock"         // have the keychain ask for what it needs
)

// A Ring is one countdown drawn as a ring: what is left of an allowance.
type Ring struct {
	Fraction float64 // 0 empty to 1 full
	Value    string  // "14 of 20", "23 days"; "–" when unknown
	Caption  string  // "refreshes left", "until Tue 15 Dec, 09:41"
}

// A View is one account in words, for a place with room. No field is longer
// than a screen can take, and Name, Title and the ring's values are never empty.
type View struct {
	Name    string  // the account
	Subject string  // who is signed in; may be empty
	Title   string  // two or three words: "Signed in", "Keychain locked"
	Detail  string  // one or two sentences; what it means and what to do
	Urgency Urgency // which colour, and what comes first

	Action      Action
	ActionLabel string // "Sign in again"; empty for NoAction

	Refreshes Ring
	Age       Ring

	AccessToken string // "fresh for 41:07", "expired", "none"
	NextRefresh string // "when a program asks", "today, 14:02"
	LastUsed    string // "2 min ago by curl", "never"
	EndsBy      string // "20 refreshes (ours)"; empty without a session
	Forecast    string // "At today's pace the refreshes end first, Thu 10 Dec, 16:40"; may be empty
	Warnings    []string

	Takers []Taker // the programs that took tokens, the latest first
	Past   Past    // how the last session was spent; zero while there is one
}

// A Taker is a program that took tokens.
type Taker struct {
	Name string // "curl"
	Ago  string // "2 min ago"
}

// Past is a session that has ended. A field is empty where nothing is known.
type Past struct {
	SignedIn string // "Tue 10 Nov, 09:41"
	Ended    string // "today, 09:36"
	Lived    string // "12 days"
	Spent    string // "20 of 20 refreshes"
}

// takersShown is how many of the programs that took tokens are named.
const takersShown = 8

// Describe says all there is to say about one account.
func Describe(s auth.Snapshot, now time.Time) View {
	v := View{
		Name:        Name(s),
		Subject:     Clip(s.Subject, nameRunes),
		Title:       title(s),
		Detail:      detail(s, now),
		Urgency:     UrgencyOf(s, now),
		Refreshes:   refreshRing(s),
		Age:         ageRing(s, now),
		AccessToken: accessWords(s, now),
		NextRefresh: nextRefresh(s, now),
		LastUsed:    Ago(s.LastUsedAt, now),
		EndsBy:      endsBy(s, now),
		Forecast:    forecast(s, now),
	}
	v.Action, v.ActionLabel = action(s)
	if by := Clip(s.LastUsedBy, nameRunes); by != "" && !s.LastUsedAt.IsZero() {
		v.LastUsed = Tr("%s by %s", v.LastUsed, by)
	}
	for _, taker := range s.TookTokens[:min(len(s.TookTokens), takersShown)] {
		if name := Clip(taker.Program, nameRunes); name != "" {
			v.Takers = append(v.Takers, Taker{name, Ago(taker.At, now)})
		}
	}
	if !HasSession(s) && !s.SignedInAt.IsZero() {
		_, most := refreshes(s)
		used := min(max(s.RefreshesUsed, 0), most)
		v.Past = Past{SignedIn: When(s.SignedInAt, now), Ended: When(s.EndedAt, now), Spent: Trn(most, "%d of %d refresh", "%d of %d refreshes", used, most)}
		if lived := s.EndedAt.Sub(s.SignedInAt); !s.EndedAt.IsZero() && lived > 0 {
			v.Past.Lived = Coarse(lived)
			if n := wholeDays(min(lived, auth.BuiltIn.MaxAge)); n >= 3 {
				v.Past.Lived = Trn(n, "%d day", "%d days", n)
			}
		}
	}
	for _, w := range s.Warnings {
		// What the message says already is not said twice.
		if strings.HasPrefix(sentence(s.Message), strings.TrimSuffix(sentence(w), ".")) {
			continue
		}
		if w = said(w); w != "" {
			v.Warnings = append(v.Warnings, w)
		}
	}
	return v
}

// Again reports whether a sign-in would follow a session, live or ended. Then
// the server should ask for the person anew (SignInRequest.Force) instead of
// passing on a sign-in that the browser still remembers.
func Again(s auth.Snapshot) bool {
	return HasSession(s) || s.State == auth.Ended && s.Reason != auth.ByUser
}

// SignInLabel names the sign-in of an account as its state makes it: the
// first one, one more, or the page of the one that runs.
func SignInLabel(s auth.Snapshot) string {
	switch {
	case SigningIn(s):
		return Tr("Open sign-in page again")
	case Again(s):
		return Tr("Sign in again")
	}
	return Tr("Sign in")
}

func action(s auth.Snapshot) (Action, string) {
	switch {
	case SigningIn(s):
		return CancelSignIn, Tr("Cancel sign-in")
	case s.State == auth.Locked: // a sign-in could not be kept
		return Unlock, Tr("Unlock")
	case s.State == auth.Suspect: // nor be dated
		return NoAction, ""
	}
	return SignIn, SignInLabel(s)
}

func title(s auth.Snapshot) string {
	if SigningIn(s) {
		return Tr("Signing in")
	}
	switch s.State {
	case auth.SignedOut:
		return Tr("Signed out")
	case auth.Active, auth.Stale:
		return Tr("Signed in")
	case auth.Refreshing:
		return Tr("Refreshing")
	case auth.Waiting:
		return Tr("Waiting for the server")
	case auth.Held:
		return Tr("Refused by the server")
	case auth.Locked:
		if !keychainLocked(s) {
			return Tr("No way into the keychain")
		}
		return Tr("Keychain locked")
	case auth.Suspect:
		return Tr("Check the clock")
	case auth.Ended:
		if s.Reason == auth.ByUser {
			return Tr("Signed out")
		}
		return Tr("Session over")
	}
	return Tr("Unknown state")
}

// keychainLocked reports whether a lock is what keeps us from the keychain, not a
// person who said no, or a keychain that is away or does not answer.
func keychainLocked(s auth.Snapshot) bool { return s.Message == "" || s.Message == auth.MessageLocked }

// detail prefers the engine's own sentence, which knows the case at hand, and
// has one of its own for every state.
func detail(s auth.Snapshot, now time.Time) string {
	if SigningIn(s) {
		if s.SignIn != nil && s.SignIn.Phase == auth.PhaseExchange {
			return Tr("The browser is done; Curfew saves the new session.")
		}
		return Tr("Go on in your browser. The page can be opened again, and nothing is lost by cancelling.")
	}
	if s.State == auth.Ended { // fixed words, the same on the wire and on screen
		switch s.Reason {
		case auth.ByAge:
			return Said(auth.MessageAge)
		case auth.ByRefreshes:
			return Said(auth.MessageRefreshes)
		}
	}
	words := said(s.Message)
	if n, _ := refreshes(s); words == "" || s.State == auth.Active && n > 0 && nearEnd(s, now) { // that the token is good is no news then
		words = stateDetail(s, now)
	}
	if wait, ok := left(s.NextRefreshAt, 0, now); ok && s.State == auth.Waiting {
		words = Tr("%s Next try in %s.", words, seconds(wait))
	}
	if why := SignInFailure(s); why != "" {
		words += " " + why
	}
	return words
}

// SignInFailed reports whether the last sign-in failed, and was not cancelled.
func SignInFailed(s auth.Snapshot) bool {
	return s.SignIn != nil && s.SignIn.Phase == auth.PhaseFailed && s.SignIn.Message != auth.MessageCancelled
}

// SignInFailure says why the last sign-in failed; "": it did not.
func SignInFailure(s auth.Snapshot) string {
	if !SignInFailed(s) {
		return ""
	}
	why := said(s.SignIn.Message)
	if why == "" {
		return ""
	}
	return Tr("The last sign-in failed: %s", why)
}

func stateDetail(s auth.Snapshot, now time.Time) string {
	switch s.State {
	case auth.SignedOut:
		return Tr("Sign in once, in your own browser, and programs can have tokens.")
	case auth.Active:
		if n, _ := refreshes(s); n == 0 {
			return Tr("This is the last access token of the session. Sign in again before it ends.")
		}
		if nearEnd(s, now) {
			return Tr("The session ends soon. Sign in again when it suits you.")
		}
		return Tr("Programs get tokens without asking you.")
	case auth.Stale:
		return Tr("The access token has expired. The next program that asks gets a new one.")
	case auth.Refreshing:
		return Tr("A new access token is on its way.")
	case auth.Waiting:
		return Tr("The server cannot be reached or asks to wait. Nothing is lost.")
	case auth.Held:
		return Tr("The server refuses to refresh this session. Sign in again, or check the account's settings.")
	case auth.Locked:
		return Tr("The keychain is locked or does not answer. Unlock it, and Curfew goes on by itself.")
	case auth.Suspect:
		return Tr("The clock of this computer cannot be right. Set the time, and Curfew goes on by itself.")
	case auth.Ended:
		if s.Reason == auth.ByUser {
			return Tr("You signed out. Sign in whenever you need tokens.")
		}
		return sentence(Tr("sign in again: %s", over(s)))
	}
	return Tr("The agent is newer than this program. Restart Curfew to bring both to one version.")
}

func refreshRing(s auth.Snapshot) Ring {
	left, most := refreshes(s)
	if !HasSession(s) {
		left = 0
	}
	return Ring{
		Fraction: float64(left) / float64(most),
		Value:    Tr("%d of %d", left, most),
		Caption:  Tr("refreshes left"),
	}
}

func ageRing(s auth.Snapshot, now time.Time) Ring {
	left, ok := ageLeft(s, now)
	switch {
	case !HasSession(s):
		return Ring{Value: Tr("–"), Caption: Tr("no session")}
	case !ok:
		return Ring{Value: Tr("–"), Caption: Tr("end unknown")}
	}
	r := Ring{Fraction: min(float64(left)/float64(allowance(s)), 1), Caption: Tr("left of this session")}
	if n := wholeDays(left); n >= 3 {
		r.Value = Trn(n, "%d day", "%d days", n)
	} else {
		r.Value = Fine(left)
	}
	if !s.EndsAt.IsZero() {
		r.Caption = Tr("until %s", When(s.EndsAt, now))
	}
	return r
}

func accessWords(s auth.Snapshot, now time.Time) string {
	left, known := accessLeft(s, now)
	switch {
	case !HasSession(s):
		return Tr("none")
	case s.State == auth.Stale, !known, left == 0:
		return Tr("expired")
	}
	return Tr("fresh for %s", Fine(left))
}

// TokenLine says how the access token stands without counting down, so that
// it changes with the token only: "Access token good until 15:11".
func TokenLine(s auth.Snapshot, now time.Time) string {
	left, known := accessLeft(s, now)
	switch {
	case !HasSession(s):
		return Tr("No access token")
	case s.State == auth.Stale, !known, left == 0:
		return Tr("Access token expired")
	case s.AccessExpiresAt.IsZero():
		return Tr("Access token good")
	}
	until := s.AccessExpiresAt.In(now.Location())
	switch life := time.Duration(s.AccessLifetime) * time.Second; {
	case !sameDay(until, now):
		return Tr("Access token good until %s", When(until, now))
	case life > 0 && life < 10*time.Minute: // a minute of its end says little
		return Tr("Access token good until %s", until.Format("15:04:05"))
	}
	return Tr("Access token good until %s", until.Format("15:04"))
}

func nextRefresh(s auth.Snapshot, now time.Time) string {
	left, _ := refreshes(s)
	switch {
	case !HasSession(s):
		return Tr("none")
	case s.State == auth.Refreshing:
		return Tr("now")
	case left == 0:
		return Tr("none left")
	case s.Paused:
		return Tr("paused; when a program asks")
	}
	if why := Clip(Said(s.NextReason), 2*nameRunes); why != "" && s.State != auth.Waiting {
		return why
	}
	return cmp.Or(When(s.NextRefreshAt, now), Tr("when a program asks"))
}

func endsBy(s auth.Snapshot, now time.Time) string {
	if !HasSession(s) {
		return ""
	}
	switch s.LimitedBy {
	case auth.LimitRefreshes:
		_, most := refreshes(s)
		return Trn(most, "%d refresh (ours)", "%d refreshes (ours)", most)
	case auth.LimitAge:
		return Tr("%s (ours)", days(allowance(s)))
	case auth.LimitIdle:
		return Tr("time without use (ours)")
	case auth.LimitServer:
		if s.EndsAt.IsZero() {
			return Tr("the server's own limit")
		}
		return Tr("the server's own limit, %s", When(s.EndsAt, now))
	}
	return ""
}

func forecast(s auth.Snapshot, now time.Time) string {
	f := s.Forecast
	if !HasSession(s) || f.EndsAt.IsZero() {
		return ""
	}
	at := When(f.EndsAt, now)
	switch f.By {
	case auth.LimitRefreshes:
		return Tr("At today's pace the refreshes end first, %s", at)
	case auth.LimitAge:
		return Tr("At today's pace the days end first, %s", at)
	case auth.LimitIdle:
		return Tr("At today's pace it ends for want of use, %s", at)
	case auth.LimitServer:
		return Tr("At today's pace the server ends it first, %s", at)
	}
	return Tr("At today's pace the session ends %s", at)
}
