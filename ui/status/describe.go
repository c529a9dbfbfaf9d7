package status

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"curfew/auth"
)

// Action is the one thing an account offers as its main button.
type Action string

// The actions. Labels for people are in [View.ActionLabel].
const (
	NoAction     Action = ""
	SignIn       Action = "sign-in"        // SignInRequest{Force: NeedsForce}
	CancelSignIn Action = "cancel-sign-in" // the session that was there stays
	Unlock       Action = "unlock"         // make the keychain ask for its password
)

// A View is one account in words, for a place with room. No field is longer
// than a screen can take, and Name, Title and the ring's values are never empty.
type View struct {
	Name    string  // the account
	Subject string  // who is signed in; may be empty
	Title   string  // two or three words: "Signed in", "Keychain locked"
	Detail  string  // one or two sentences; what it means and what to do
	Advice  string  // what helps a session that has stopped, unless Detail says it; may be empty
	Urgency Urgency // which colour, and what comes first

	Action      Action
	ActionLabel string // "Sign in again"; empty for NoAction

	Lead, Other    Count // the countdown that will end the session, and the other
	Refreshes, Age Count // the same two, but for the last token
	Outlook        Outlook

	AccessToken string // "valid for 41:07", "expired", "none"
	NextRefresh string // "when a tool asks", "today, 14:02"
	LastUsed    string // "2 min ago by curl", "not yet"; tools, not our own programs
	Warnings    []string

	Takers []Taker // the programs that took tokens, the latest first
	Past   Past    // how the last session was spent; zero while there is one
}

// A Taker is a program that took tokens.
type Taker struct {
	Name string // "curl"
	Ago  string // "2 min ago"
}

// Past is a session that has ended. Unknown fields are empty.
type Past struct {
	SignedIn string // "Tue 10 Nov, 09:41"
	Ended    string // "today, 09:36"
	Lived    string // "12 days"
	Spent    string // "20 of 20 used", of the refreshes
}

// takersShown is how many of the programs that took tokens are named.
const takersShown = 8

// Describe puts everything about one account into words.
func Describe(s auth.Snapshot, now time.Time) View {
	v := View{
		Name:        Name(s),
		Subject:     Clip(s.Subject, nameRunes),
		Title:       title(s),
		Detail:      detail(s, now),
		Urgency:     UrgencyOf(s, now),
		Refreshes:   refreshCount(s),
		Age:         ageCount(s, now),
		Outlook:     outlook(s, now),
		AccessToken: accessWords(s, now),
		NextRefresh: nextRefresh(s, now),
		LastUsed:    lastUsed(s, now),
	}
	if v.Urgency == Attention {
		v.Advice = stoppedAdvice(s)
	}
	v.Lead, v.Other = hero(s, now)
	v.Action, v.ActionLabel = action(s)
	for _, taker := range tools(s)[:min(len(tools(s)), takersShown)] {
		v.Takers = append(v.Takers, Taker{Clip(taker.Program, nameRunes), Ago(taker.At, now)})
	}
	if !HasSession(s) && !s.SignedInAt.IsZero() {
		v.Past = Past{SignedIn: When(s.SignedInAt, now), Ended: When(s.EndedAt, now), Spent: spent(s)}
		if lived := s.EndedAt.Sub(s.SignedInAt); !s.EndedAt.IsZero() && lived > 0 {
			v.Past.Lived = Coarse(lived)
			if n := wholeDays(min(lived, auth.BuiltIn.MaxAge)); n >= 3 {
				v.Past.Lived = Trn(n, "%d day", "%d days", n)
			}
		}
	}
	for _, w := range warnings(s) {
		// What the message says already is not said twice.
		if strings.HasPrefix(sentence(s.Message), strings.TrimSuffix(sentence(w.Message), ".")) {
			continue
		}
		if words := translateSentence(w); words != "" {
			v.Warnings = append(v.Warnings, words)
		}
	}
	return v
}

// ourPrograms are the names of Curfew's own front ends in the list of takers.
var ourPrograms = []string{"curfew-tray", "curfew-window"}

// isTool reports whether a program is a tool. One of our own, with which a person
// copies a token, is none.
func isTool(program string) bool { return program != "" && !slices.Contains(ourPrograms, program) }

// tools are the tools that took tokens, the latest first.
func tools(s auth.Snapshot) []auth.Taker {
	return slices.DeleteFunc(slices.Clone(s.TookTokens), func(t auth.Taker) bool { return !isTool(t.Program) || Clip(t.Program, nameRunes) == "" })
}

// lastUsed says when a tool took the last token. A sign-in does not count, nor
// does a token that a person copied.
func lastUsed(s auth.Snapshot, now time.Time) string {
	for _, taker := range s.TookTokens {
		if name := Clip(taker.Program, nameRunes); !slices.Contains(ourPrograms, taker.Program) {
			return Tr("%s by %s", Ago(taker.At, now), cmp.Or(name, Tr("a tool")))
		}
	}
	return Tr("not yet")
}

// Tools names at most n tools that took tokens, the latest first, such as "curl
// and git" or "curl, git and more". It is "" if there are none.
func Tools(s auth.Snapshot, n int) string {
	var names []string
	for _, taker := range tools(s) {
		names = append(names, Clip(taker.Program, nameRunes))
	}
	switch more := len(names) > n; {
	case len(names) == 0:
		return ""
	case more:
		return Tr("%s and more", strings.Join(names[:n], ", "))
	case len(names) == 1:
		return names[0]
	}
	last := len(names) - 1
	return Tr("%s and %s", strings.Join(names[:last], ", "), names[last])
}

// Loss says what is lost without a session: who gets no tokens.
func Loss(s auth.Snapshot) string {
	if names := Tools(s, 2); names != "" {
		return Trn(len(tools(s)), "%s gets no tokens until you sign in again.", "%s get no tokens until you sign in again.", names)
	}
	return Tr("Programs get no tokens until you sign in again.")
}

// WhyEnded says in a sentence why a session ended: "All 20 refreshes are used."
func WhyEnded(s auth.Snapshot) string { return sentence(whyEnded(s)) }

// spent says what a session used of its refreshes.
func spent(s auth.Snapshot) string {
	_, most := refreshes(s)
	used := max(s.RefreshesUsed, 0)
	if s.Reason == auth.ByToken { // it had none
		return ""
	}
	return Tr("%d of %d used", used, max(most, used))
}

// warnings are those of s. An older agent has no texts for them.
func warnings(s auth.Snapshot) []auth.Text {
	if len(s.WarningTexts) == len(s.Warnings) {
		return s.WarningTexts
	}
	var all []auth.Text
	for _, w := range s.Warnings {
		all = append(all, auth.Words(w))
	}
	return all
}

// NeedsForce reports whether a sign-in would follow a session, live or ended. Then
// the server should ask the person to sign in again (SignInRequest.Force). It
// should not reuse a sign-in that the browser still remembers.
func NeedsForce(s auth.Snapshot) bool {
	return HasSession(s) || s.State == auth.Ended && s.Reason != auth.ByUser
}

// SignInLabel is the label of the button that signs in. It depends on whether this
// is the first sign-in, another one, or one that is running.
func SignInLabel(s auth.Snapshot) string {
	switch {
	case SigningIn(s):
		return Tr("Open sign-in page again")
	case NeedsForce(s):
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
	case !HasSession(s) && s.State != auth.SignedOut && s.State != auth.Ended: // unknown here
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
			return Tr("Keychain unavailable")
		}
		return Tr("Keychain locked")
	case auth.Suspect:
		return Tr("Check the clock")
	case auth.Ended:
		if s.Reason == auth.ByUser {
			return Tr("Signed out")
		}
		return Tr("Session ended")
	}
	return Tr("Unknown state")
}

// keychainLocked reports whether the keychain is locked. It may also be unavailable,
// be silent, or have been denied by the person.
func keychainLocked(s auth.Snapshot) bool { return s.Message == "" || s.MessageID == auth.LockedID }

// detail prefers the engine's sentence, which knows the case. For every state it
// has another one.
func detail(s auth.Snapshot, now time.Time) string {
	if SigningIn(s) {
		if s.SignIn != nil && s.SignIn.Phase == auth.PhaseExchange {
			return Tr("Browser sign-in finished; saving the session.")
		}
		if AtKeychain(s) {
			return Tr("The keychain asks for its password. The sign-in page opens after that.")
		}
		return Tr("Continue in your browser. You can reopen the page or cancel safely.")
	}
	if s.State == auth.Ended { // fixed words, the same on the wire and on screen
		switch s.Reason {
		case auth.ByAge:
			return Translate(auth.Say("ended_age"))
		case auth.ByRefreshes:
			return Translate(auth.Say("ended_refreshes"))
		}
	}
	words := translateSentence(s.Text())
	if n, _ := refreshes(s); words == "" || s.State == auth.Active && n > 0 && nearEnd(s, now) { // the end matters more than the valid token
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
	return s.SignIn != nil && s.SignIn.Phase == auth.PhaseFailed && s.SignIn.ID != auth.CancelledID
}

// SignInFailure says why the last sign-in failed, or "" if it did not.
func SignInFailure(s auth.Snapshot) string {
	if !SignInFailed(s) {
		return ""
	}
	why := translateSentence(s.SignIn.Text)
	if why == "" {
		return ""
	}
	return Tr("The last sign-in failed: %s", why)
}

func stateDetail(s auth.Snapshot, now time.Time) string {
	switch s.State {
	case auth.SignedOut:
		return Tr("Sign in once, in your own browser. Then your tools get tokens from Curfew.")
	case auth.Active:
		if n, _ := refreshes(s); n == 0 && !s.NoRefresh {
			return Tr("This is the last access token of the session. Sign in again before it expires.")
		}
		if nearEnd(s, now) {
			if age, known := ageLeft(s, now); known && age < time.Hour {
				return Tr("The session ends in %s. Sign in again now, and your tools notice nothing.", Coarse(age))
			}
			return Tr("The session ends soon. Sign in again when it suits you.")
		}
		return Tr("Your tools get tokens without asking you.")
	case auth.Stale:
		return Tr("The access token has expired. The next tool that asks gets a new one.")
	case auth.Refreshing:
		return Tr("A new access token is on its way.")
	case auth.Waiting:
		return Tr("The server cannot be reached or asks to wait. Nothing is lost.")
	case auth.Held:
		return Tr("The server refuses to refresh this session. Sign in again, or check the account's settings.")
	case auth.Locked:
		return Tr("The keychain is locked or does not answer. Unlock it, and Curfew continues.")
	case auth.Suspect:
		return Tr("This computer's clock looks wrong. Set the time, and Curfew continues.")
	case auth.Ended:
		if s.Reason == auth.ByUser {
			return Tr("You signed out. Sign in whenever you need tokens.")
		}
		return sentence(Tr("sign in again: %s", whyEnded(s)))
	}
	return Tr("The agent is newer than this program. Restart Curfew to bring both to one version.")
}

// stoppedAdvice is what helps a session that needs a person, besides its button.
func stoppedAdvice(s auth.Snapshot) string {
	switch {
	case s.Message == "": // the words for the state have it
		return ""
	case s.State == auth.Held:
		return Tr("Sign in again, or check the account's settings.")
	case s.State == auth.Suspect:
		return Tr("Set the time, and Curfew continues.")
	}
	return Tr("Once it is unlocked, Curfew continues.")
}

func accessWords(s auth.Snapshot, now time.Time) string {
	left, known := accessLeft(s, now)
	switch {
	case !HasSession(s):
		return Tr("none")
	case s.State == auth.Stale, !known, left == 0:
		return Tr("expired")
	}
	return Tr("valid for %s", Fine(left))
}

// CanCopy reports whether there is an access token to copy, or one to be had.
func CanCopy(s auth.Snapshot, now time.Time) bool {
	left, _ := accessLeft(s, now)
	switch s.State {
	case auth.Active, auth.Refreshing:
		return true
	case auth.Waiting, auth.Held, auth.SigningIn: // what is replaced works until then
		return HasSession(s) && left > 0
	case auth.Stale:
		return RefreshesLeft(s) > 0
	}
	return false
}

// TokenLine describes the access token without a countdown, so that it changes
// only with the token: "Access token valid until 15:11".
func TokenLine(s auth.Snapshot, now time.Time) string {
	left, known := accessLeft(s, now)
	switch {
	case !HasSession(s):
		return Tr("No access token")
	case s.State == auth.Stale, !known, left == 0:
		return Tr("Access token expired")
	case s.AccessExpiresAt.IsZero():
		return Tr("Access token valid")
	}
	until := s.AccessExpiresAt.In(now.Location())
	switch life := time.Duration(s.AccessLifetime) * time.Second; {
	case !sameDay(until, now):
		return Tr("Access token valid until %s", When(until, now))
	case life > 0 && life < 10*time.Minute: // a minute of its end says little
		return Tr("Access token valid until %s", until.Format("15:04:05"))
	}
	return Tr("Access token valid until %s", until.Format("15:04"))
}

func nextRefresh(s auth.Snapshot, now time.Time) string {
	left, _ := refreshes(s)
	switch {
	case !HasSession(s):
		return Tr("none")
	case s.State == auth.Refreshing:
		return Tr("now")
	case left == 0 && !s.NoRefresh:
		return Tr("none left")
	case s.Paused && !s.NoRefresh:
		return Tr("paused; when a tool asks")
	}
	at, why := When(s.NextRefreshAt, now), Clip(Translate(s.NextText()), 2*nameRunes)
	switch {
	case at != "" && why != "" && s.State != auth.Waiting:
		return Tr("%s (%s)", at, why)
	case why != "" && s.State != auth.Waiting:
		return why
	}
	return cmp.Or(at, Tr("when a tool asks"))
}

// Event returns what happened in words, and what of them stays in one piece: the
// program at their end, with the word before it.
func Event(e auth.Event) (words, tail string) {
	words = eventWords(e)
	return words, tailOf(words, Clip(e.Program, 40))
}

// eventWords is the engine's sentence for an event, or one of ours.
func eventWords(e auth.Event) string {
	if slices.Contains(ourPrograms, e.Program) { // a person did it, there
		switch {
		case e.Text.ID == "event_token":
			return Tr("token copied")
		case e.Text.ID == "event_refreshed_for" && len(e.Text.Args) == 2:
			return Translate(auth.Say("event_refreshed", e.Text.Args[1]))
		}
	}
	if words := Clip(Translate(e.Text), 200); words != "" {
		return words
	}
	who := ""
	if program := Clip(e.Program, 40); program != "" {
		who = Tr(" for %s", program)
	}
	switch e.Kind {
	case auth.EventSignIn:
		return Tr("signed in")
	case auth.EventRefresh:
		return Tr("refreshed, %d used%s", e.Count, who)
	case auth.EventToken:
		return Tr("token%s", who)
	case auth.EventEnd:
		return Tr("the session ended")
	case auth.EventSignOut:
		return Tr("signed out")
	case auth.EventConfig:
		return Tr("settings changed")
	}
	return string(e.Kind)
}

// tailOf returns the program at the end of words with the word before it, as
// in "for curl"; "" where there is none.
func tailOf(words, program string) string {
	head, ok := strings.CutSuffix(words, program)
	if !ok || program == "" {
		return ""
	}
	before := strings.Fields(head)
	if len(before) == 0 {
		return ""
	}
	return before[len(before)-1] + " " + program
}
