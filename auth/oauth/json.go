package oauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// object is a JSON object as an honest server sends it: no key twice at any
// depth, and nothing after it. Keys are compared exactly. The matching of
// encoding/json ignores case and takes the last of two keys, so two readers of
// one answer could see different tokens.
type object map[string]json.RawMessage

// The ways in which a body is not an object. With errAmbiguous the object is
// readable, without the keys that came twice.
var (
	errNotObject = errors.New("not a JSON object")
	errAmbiguous = errors.New("a JSON object with duplicate keys or data after it")
)

// parseObject reads data as an object.
func parseObject(data []byte) (object, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // as editors on Windows leave it
	dec := json.NewDecoder(bytes.NewReader(data))
	var whole json.RawMessage
	if err := dec.Decode(&whole); err != nil {
		return nil, errNotObject
	}
	var o object
	if err := json.Unmarshal(whole, &o); err != nil || o == nil {
		return nil, errNotObject
	}
	twice, nested := duplicateKeys(whole)
	for _, key := range twice {
		delete(o, key)
	}
	trailing := len(bytes.TrimSpace(data[dec.InputOffset():])) > 0
	if len(twice) > 0 || nested || trailing {
		return o, errAmbiguous
	}
	return o, nil
}

// duplicateKeys returns the keys that come twice at the top of a valid
// document, and whether any come twice deeper down.
func duplicateKeys(valid []byte) (top []string, nested bool) {
	type level struct {
		keys map[string]bool // nil in an array
		next bool            // the next string is a key
	}
	var stack []level
	dec := json.NewDecoder(bytes.NewReader(valid))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if err != nil {
			return top, nested || !errors.Is(err, io.EOF)
		}
		here := len(stack) - 1
		if key, ok := token.(string); ok && here >= 0 && stack[here].next {
			if stack[here].keys[key] {
				if here == 0 {
					top = append(top, key)
				} else {
					nested = true
				}
			}
			stack[here].keys[key] = true
			stack[here].next = false
			continue
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, level{map[string]bool{}, true})
			continue
		case json.Delim('['):
			stack = append(stack, level{})
			continue
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:here]
			here--
		}
		if here >= 0 && stack[here].keys != nil { // a value has ended
			stack[here].next = true
		}
	}
}

// has reports whether key is there and not null.
func (o object) has(key string) bool {
	raw, ok := o[key]
	return ok && string(raw) != "null"
}

// str returns a string member. ok is false when it is missing, null or
// something else.
func (o object) str(key string) (value string, ok bool) {
	if !o.has(key) || json.Unmarshal(o[key], &value) != nil {
		return "", false
	}
	return value, true
}

// strs returns a member that is an array of strings; nil when it is anything else.
func (o object) strs(key string) (values []string) {
	if json.Unmarshal(o[key], &values) != nil {
		return nil
	}
	return values
}

// oneOrMany returns a member that is a string or an array of strings.
func (o object) oneOrMany(key string) []string {
	if s, ok := o.str(key); ok {
		return []string{s}
	}
	return o.strs(key)
}

// objects returns a member that is an object, or an array of them.
func (o object) objects(key string) (all []object) {
	var list []json.RawMessage
	if json.Unmarshal(o[key], &list) != nil {
		list = []json.RawMessage{o[key]}
	}
	for _, raw := range list {
		if inner, err := parseObject(raw); err == nil {
			all = append(all, inner)
		}
	}
	return all
}

// text returns a member that is a string or a number, as text.
func (o object) text(key string) string {
	if s, ok := o.str(key); ok {
		return s
	}
	var n json.Number
	if json.Unmarshal(o[key], &n) == nil {
		return n.String()
	}
	return ""
}

// yes reports whether a member is true.
func (o object) yes(key string) bool { return string(o[key]) == "true" }

// seconds returns a member that counts seconds: a number (a fraction is cut
// off) or a string of digits, with a point at most. A missing or null member is 0;
// found tells them apart. Numbers beyond an int32 become its largest value.
func (o object) seconds(key string) (seconds int64, found bool, err error) {
	if !o.has(key) {
		return 0, false, nil
	}
	text := string(o[key])
	if quoted, ok := o.str(key); ok {
		if quoted = strings.TrimSpace(quoted); quoted == "" || strings.Trim(quoted, "0123456789.") != "" {
			return 0, true, errors.New(key + " is not a number")
		}
		text = quoted
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, true, errors.New(key + " is not a number")
	}
	return int64(max(math.MinInt32, min(math.Trunc(f), math.MaxInt32))), true, nil
}

// unixTime returns a member that says a time: in seconds since 1970, or in words
// (RFC 3339). What would be beyond the year 9999 counts milliseconds.
func (o object) unixTime(key string) (time.Time, bool) {
	const most = 253402300799
	text := o.text(key)
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), at.Unix() >= 1
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if seconds > most {
		seconds /= 1000
	}
	if err != nil || !(seconds >= 1 && seconds <= most) {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0).UTC(), true
}
