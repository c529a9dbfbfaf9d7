package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"curfew/auth/config"

	"curfew/auth"
)

// This file is what both ends must agree on.

const (
	host          = "curfew"         // the only Host that is served
	programHeader = "Curfew-Program" // who asks, in words, for the log
	maxBody       = 64 << 10         // of a request
	maxAnswer     = 4 << 20          // of an answer, and of one line of a watch
	heartbeat     = 15 * time.Second // between lines of a watch, at most
	defaultEvents = 100
	maxEvents     = 1000
)

// Version answers GET /v1/version.
type Version struct {
	Version string `json:"version"`
	PID     int    `json:"pid"`
}

// A Check is one line of `curfew doctor`.
type Check struct {
	Name    string `json:"name"` // "config", "keychain" ...
	OK      bool   `json:"ok"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // what to do, when not OK
}

type tokenRequest struct {
	MinValid minValid `json:"min_valid"`
}

// minValid is a duration: a JSON number of seconds, or a string as
// time.ParseDuration reads it. unset stands for the agent's default.
type minValid time.Duration

const unset = minValid(-1)

func (m minValid) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(m).Seconds(), 'f', -1, 64), nil
}

func (m *minValid) UnmarshalJSON(b []byte) error {
	bad := failure(auth.KindBadRequest, "min_valid is neither a number of seconds from 0 to 86400 nor a duration", `say 60, or "90s"`)
	var text string
	if json.Unmarshal(b, &text) == nil {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 || d > 24*time.Hour {
			return bad
		}
		*m = minValid(d)
		return nil
	}
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(seconds >= 0 && seconds <= 86400) {
		return bad
	}
	*m = minValid(seconds * float64(time.Second))
	return nil
}

// TokenAnswer is the one answer that carries a secret: that of POST .../token
// and of `curfew token --json`. Never log it.
type TokenAnswer struct {
	AccessToken string    `json:"access_token"`
	TokenType   string    `json:"token_type"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	ExpiresIn   int64     `json:"expires_in"`      // whole seconds, as of the answer
	Scope       string    `json:"scope,omitempty"` // space separated, as in RFC 6749 section 5.1
}

// NewTokenAnswer reveals t.
func NewTokenAnswer(t auth.Token, now time.Time) TokenAnswer {
	return TokenAnswer{
		AccessToken: t.AccessToken.Reveal(),
		TokenType:   t.TokenType,
		ExpiresAt:   t.ExpiresAt.UTC().Truncate(time.Second),
		ExpiresIn:   max(0, int64(t.ExpiresAt.Sub(now)/time.Second)),
		Scope:       strings.Join(t.Scope, " "),
	}
}

func (a TokenAnswer) token() auth.Token {
	return auth.Token{
		AccessToken: auth.NewSecret(a.AccessToken),
		TokenType:   a.TokenType,
		ExpiresAt:   a.ExpiresAt,
		Scope:       strings.Fields(a.Scope),
	}
}

type pauseRequest struct {
	Paused bool `json:"paused"`
}

// settingsMessage is an [auth.General] in the words of config.toml: what
// GET /v1/settings answers, whole, and PUT takes. What a PUT leaves out stays as
// it is: who means to silence the warnings must not loosen a limit by it.
type settingsMessage struct {
	Limits   limitsMessage     `json:"limits"`
	Warnings auth.WarningLevel `json:"warnings"`
}

type limitsMessage struct {
	MaxAge       string  `json:"max_age"`
	MaxRefreshes int     `json:"max_refreshes"`
	MaxIdle      *string `json:"max_idle"` // null: off
}

func newSettingsMessage(g auth.General) *settingsMessage {
	m := &settingsMessage{limitsMessage{MaxAge: auth.FormatSpan(g.Limits.MaxAge), MaxRefreshes: g.Limits.MaxRefreshes}, g.Warnings}
	if g.Limits.MaxIdle > 0 {
		m.Limits.MaxIdle = new(auth.FormatSpan(g.Limits.MaxIdle))
	}
	return m
}

// general reads m, and refuses what config.toml could not say.
func (m settingsMessage) general() (auth.General, error) {
	g := auth.General{Limits: auth.Limits{MaxRefreshes: m.Limits.MaxRefreshes}, Warnings: m.Warnings}
	for _, span := range []struct {
		key  string
		text *string
		into *time.Duration
	}{{"max_age", &m.Limits.MaxAge, &g.Limits.MaxAge}, {"max_idle", m.Limits.MaxIdle, &g.Limits.MaxIdle}} {
		if span.text == nil {
			continue
		}
		d, err := auth.ParseSpan(*span.text)
		if err != nil {
			return g, failure(auth.KindBadRequest, span.key+": "+err.Error(), "")
		}
		*span.into = d
	}
	return g, config.CheckGeneral(g)
}

type secretRequest struct {
	ClientSecret string `json:"client_secret"`
}

// failure makes an error of the local API.
func failure(k auth.Kind, message, hint string) *auth.Error {
	return &auth.Error{Kind: k, Message: message, Hint: hint}
}

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
	return failure(auth.KindBadRequest, "the request cannot be read: "+strings.TrimPrefix(err.Error(), "json: "), "")
}
