package auth

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Text is what the engine says to a person. It has the sentence's ID, what
// goes into it, and the English of both. Front ends say it in the person's
// language by its ID and Args. Programs may branch on the ID, because the
// English may change.
//
// A text without an ID is somebody else's words, for example a server's.
type Text struct {
	Message string `json:"message"`
	ID      string `json:"message_id,omitempty"`
	Args    Args   `json:"message_args,omitempty"`
}

// Args are what goes into a sentence, in the order of its English format. Each
// is a string or an int, or a [Text] for a phrase within the sentence.
type Args []any

// Say makes the sentence called id of the table in messages.go. The args are
// strings, ints, texts and errors, which stand for their words.
func Say(id string, args ...any) Text {
	t := Text{ID: id}
	var english []any
	for _, a := range args {
		switch v := a.(type) {
		case Text:
			english = append(english, v.Message)
			if v.ID == "" {
				a = v.Message
			}
			t.Args = append(t.Args, a)
			continue
		case error:
			a = v.Error()
		case string, int:
		default:
			a = fmt.Sprint(v)
		}
		t.Args, english = append(t.Args, a), append(english, a)
	}
	t.Message = fmt.Sprintf(messages()[id], english...)
	return t
}

// Words makes a text of words that are not the engine's own.
func Words(words string) Text { return Text{Message: words} }

// Format returns the English format of a sentence, with verbs of package fmt;
// "" for one that this version does not know.
func Format(id string) string { return messages()[id] }

// Formats yields the id and the English format of every sentence.
func Formats(yield func(id, format string) bool) {
	for id, format := range messages() {
		if !yield(id, format) {
			return
		}
	}
}

// Sentence gives the English a capital and a full stop.
func (t Text) Sentence() Text {
	if t.Message == "" {
		return t
	}
	r, n := utf8.DecodeRuneInString(t.Message)
	t.Message = string(unicode.ToUpper(r)) + t.Message[n:]
	if !strings.HasSuffix(t.Message, ".") && !strings.HasSuffix(t.Message, "?") {
		t.Message += "."
	}
	return t
}

// UnmarshalJSON reads arguments back as [Say] makes them.
func (a *Args) UnmarshalJSON(b []byte) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	*a = nil
	for _, r := range raw {
		var any any
		_ = json.Unmarshal(r, &any) // it is part of what was read above
		switch v := any.(type) {
		case float64:
			if v != math.Trunc(v) || math.Abs(v) > math.MaxInt32 {
				return fmt.Errorf("%s is not the argument of a message", r)
			}
			*a = append(*a, int(v))
		case string:
			*a = append(*a, v)
		default:
			var t Text
			if err := json.Unmarshal(r, &t); err != nil {
				return err
			}
			*a = append(*a, t)
		}
	}
	return nil
}

// SpanText says d to the second, or coarser when it is long.
func SpanText(d time.Duration) Text {
	up := func(unit time.Duration) int { return int((d + unit - 1) / unit) }
	switch {
	case d < time.Minute:
		return Say("span_seconds", up(time.Second))
	case d < time.Hour:
		return Say("span_minutes", up(time.Minute))
	case d < 48*time.Hour:
		return Say("span_hours", int(d/time.Hour))
	}
	return Say("span_days", int(d/(24*time.Hour)))
}

// ShortDuration says d in English words: to the second, or coarser when it is long.
func ShortDuration(d time.Duration) string { return SpanText(d).Message }
