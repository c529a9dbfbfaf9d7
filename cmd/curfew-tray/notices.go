package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"slices"
	"strings"

	"curfew/ui/tray"
)

// The names of what can be clicked in a notification. They go to the desktop and
// come back from it. A click on the notification itself is actOpen.
const (
	actSignIn   = "sign-in"
	actTomorrow = "tomorrow"
	actAllow    = "allow"
	actAlways   = "allow-always"
	actDeny     = "deny"
	actOpen     = "default"
)

// acts are the verbs of the answers.
var acts = map[string]tray.Verb{actSignIn: tray.SignIn, actTomorrow: tray.Tomorrow, actAllow: tray.Allow, actAlways: tray.AllowAlways, actDeny: tray.Deny}

// A button is one of a notification.
type button struct{ action, label string }

// buttonsOf lists the buttons of a notification.
func buttonsOf(n tray.Notice) []button {
	all := []button{{actSignIn, n.Action}, {actTomorrow, n.Later}, {actAllow, n.Allow}, {actAlways, n.Always}, {actDeny, n.Deny}}
	return slices.DeleteFunc(all, func(b button) bool { return b.label == "" })
}

// clickOn is the row of the menu that a click means.
func clickOn(action, account string) tray.ID {
	verb, answer := acts[action]
	switch {
	case account == "":
		return tray.ID{Verb: tray.Open}
	case answer:
		return tray.ID{Verb: verb, Account: account}
	}
	return tray.ID{Verb: tray.OpenAccount, Account: tray.AccountOf(account)}
}

// A toast is a notification as Windows reads it.
// https://learn.microsoft.com/windows/apps/design/shell/tiles-and-notifications/toast-schema
type toast struct {
	XMLName  xml.Name      `xml:"toast"`
	Launch   string        `xml:"launch,attr"` // comes back from a click on the toast itself
	Scenario string        `xml:"scenario,attr,omitempty"`
	Binding  toastBinding  `xml:"visual>binding"`
	Actions  []toastAction `xml:"actions>action"`
}

type toastBinding struct {
	Template string   `xml:"template,attr"`
	Text     []string `xml:"text"` // the first is the title
}

type toastAction struct {
	Content   string `xml:"content,attr"`
	Arguments string `xml:"arguments,attr"` // comes back from a click on the button
}

// toastXML writes n as Windows reads it. A notice that a session has ended stays
// on the screen until somebody has seen it.
func toastXML(n tray.Notice) (string, error) {
	t := toast{
		Launch:  toastArguments(actOpen, n.Account),
		Binding: toastBinding{"ToastGeneric", []string{n.Title, n.Body}},
	}
	for _, b := range buttonsOf(n) {
		t.Actions = append(t.Actions, toastAction{b.label, toastArguments(b.action, n.Account)})
	}
	if n.Over {
		t.Scenario = "reminder"
	}
	text, err := xml.Marshal(t)
	return string(text), err
}

func toastArguments(action, account string) string { return action + " " + account }

// toastClick reads what comes back from a click on a toast.
func toastClick(arguments string) (click tray.ID, ok bool) {
	action, account, ok := strings.Cut(arguments, " ")
	if _, known := acts[action]; !known && action != actOpen {
		return tray.ID{}, false
	}
	return clickOn(action, account), ok
}

// toastTag names the toast of an account. A toast replaces one with the same
// name. Older Windows accepts names of 16 characters.
func toastTag(account string) string {
	sum := sha256.Sum256([]byte(account))
	return hex.EncodeToString(sum[:8])
}
