package tray

import (
	"strings"

	"curfew/auth"
	"curfew/ui/status"
)

// Programs that wait for a person's consent.

// askKey names a question in an [ID] and in a [Notice]: the account, a colon, and
// the question. No account has a colon in its name.
func askKey(account, ask string) string { return account + ":" + ask }

// AccountOf returns the account that an [ID] or a [Notice] is about.
func AccountOf(key string) string {
	account, _, _ := strings.Cut(key, ":")
	return account
}

// shownAsks is how many questions the menu has room for. The window has all.
const shownAsks = 3

// asks are the rows of the menu for programs that wait.
func asks(all []auth.Snapshot) []Item {
	var rows []Item
	for _, s := range all {
		for _, a := range s.Asks {
			if len(rows) == shownAsks {
				return append(rows, separator("asks"))
			}
			words, key := status.AskingOf(s, a), askKey(s.Name, a.ID)
			rows = append(rows, Item{ID: ID{AskLine, key}, Label: status.Clip(words.Title, noteRunes), Enabled: true, Children: []Item{
				{ID: ID{Note, key}, Label: status.Clip(words.Detail, noteRunes), Enabled: true, Hidden: words.Detail == ""},
				{ID: ID{Allow, key}, Label: status.Tr("Allow for 12 h"), Enabled: true},
				{ID: ID{AllowAlways, key}, Label: words.Always, Enabled: true},
				{ID: ID{Deny, key}, Label: status.Tr("Deny"), Enabled: true},
			}})
		}
	}
	if len(rows) > 0 {
		rows = append(rows, separator("asks"))
	}
	return rows
}

// askNotices compares questions with those that have a notice. It returns the
// notices for new ones, and those that remove the notices of old ones.
func askNotices(before map[string]bool, all []auth.Snapshot) ([]Notice, map[string]bool) {
	var found []Notice
	after := map[string]bool{}
	for _, s := range all {
		for _, a := range s.Asks {
			key := askKey(s.Name, a.ID)
			if after[key] = true; before[key] {
				continue
			}
			words := status.AskingOf(s, a)
			found = append(found, Notice{
				Account: key, Title: words.Title, Body: strings.TrimSpace(words.Detail + "\n" + words.Cost),
				Allow: status.Tr("Allow for 12 h"), Always: words.Always, Deny: status.Tr("Deny"),
			})
		}
	}
	for key := range before {
		if !after[key] {
			found = append(found, Notice{Account: key})
		}
	}
	return found, after
}

// answers are what the verbs say.
var answers = map[Verb]auth.Answer{Allow: auth.AllowToday, AllowAlways: auth.AllowAlways, Deny: auth.Deny}
