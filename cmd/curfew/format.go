package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/terminal"
)

const formatHelp = "print in a `FORMAT` for a bar or a prompt: waybar, starship, or a text with {name}, {short}, {urgency} and the fields of --json"

// writeFormat prints accounts, those in need first, for a bar or a prompt.
func writeFormat(w io.Writer, format string, all []auth.Snapshot, now time.Time) error {
	all = status.Sort(all, now)
	switch format {
	case "waybar":
		return terminal.JSON(w, waybar(all, now), true)
	case "starship":
		_, err := fmt.Fprintln(w, status.IconText(all, now))
		return err
	}
	for _, s := range all {
		line, err := fillTemplate(format, s, now)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w, terminal.OneLine(line)); err != nil {
			return err
		}
	}
	return nil
}

// waybar is what Waybar's custom modules read: see waybar-custom(5).
func waybar(all []auth.Snapshot, now time.Time) any {
	bar := struct {
		Text       string `json:"text"`
		Tooltip    string `json:"tooltip"`
		Class      string `json:"class"`
		Percentage int    `json:"percentage"`
	}{Text: status.IconText(all, now), Tooltip: status.Tooltip(all, now, 0), Class: status.Calm.String(), Percentage: 100}
	least := 1.0
	for i, s := range all {
		if i == 0 { // the one that wants a person most
			bar.Class = status.UrgencyOf(s, now).String()
		}
		if status.HasSession(s) {
			least = min(least, status.LeastLeft(s, now))
		}
	}
	bar.Percentage = int(math.Round(100 * least))
	return bar
}

// blank is compiled when a text is filled in, not at the start of each command.
var blank = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{[a-z_]+\}`) })

// fillTemplate puts the facts of an account into a text.
func fillTemplate(text string, s auth.Snapshot, now time.Time) (string, error) {
	facts := map[string]any{}
	b, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(b, &facts)
	}
	if err != nil {
		return "", err
	}
	facts["short"], facts["line"], facts["urgency"] = status.Short(s, now), status.Line(s, now), status.UrgencyOf(s, now).String()
	var unknown string
	filled := blank().ReplaceAllStringFunc(text, func(name string) string {
		name = strings.Trim(name, "{}")
		switch v := facts[name].(type) {
		case string:
			return v
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64)
		case bool:
			return strconv.FormatBool(v)
		}
		if !strings.HasSuffix(name, "_at") && name != "reason" { // a time that is not known is left out
			unknown = name
		}
		return ""
	})
	if unknown != "" {
		return "", &auth.Error{Kind: auth.KindBadRequest, Message: fmt.Sprintf("there is no {%s}", unknown), Hint: "see the fields: curfew status " + s.Name + " --json"}
	}
	return filled, nil
}
