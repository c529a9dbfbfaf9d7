package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"curfew/auth"
)

// status is the HTTP status of a kind. Programs branch on the "error" field;
// the status is for those that look at nothing else.
func status(k auth.Kind) int {
	switch k {
	case auth.KindBadRequest:
		return http.StatusBadRequest
	case auth.KindUnknown:
		return http.StatusNotFound
	case auth.KindSignInNeeded, auth.KindRefused:
		return http.StatusForbidden
	case auth.KindUnavailable, auth.KindKeychain, auth.KindNotRunning:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// decodeStrict reads exactly one JSON value of known fields.
func decodeStrict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, end := d.Token(); end == io.EOF {
			return nil
		}
		err = errors.New("something follows the JSON object")
	}
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return e
	}
	return auth.Fail(auth.KindBadRequest, auth.Say("request_unreadable", jsonWords(err)), auth.Text{})
}

// jsonWords says what is wrong with JSON, without the names of Go's types.
func jsonWords(err error) string {
	bad, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case ok && bad.Field != "":
		return bad.Field + " cannot be a JSON " + bad.Value
	case ok:
		return "it is a JSON " + bad.Value + ", not an object"
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "a JSON object is missing or cut off"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}
