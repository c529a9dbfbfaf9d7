package client

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"curfew/auth"
)

// This file is what both ends must agree on.

const (
	Host          = "curfew"         // the only Host that is served
	ProgramHeader = "Curfew-Program" // the caller, in words, for the log
	BusHeader     = "Curfew-Bus"     // the caller's D-Bus session, for an agent that has none
	VersionHeader = "Curfew-Version" // of the agent, in every answer
	ConfigHeader  = "Curfew-Config"  // why not all of config.toml holds, if that is so
	MaxRequest    = 64 << 10         // of a request
	MaxAnswer     = 4 << 20          // of an answer, and of one line of a watch
	Heartbeat     = 15 * time.Second // between lines of a watch, at most
	DefaultEvents = 100
	MaxEvents     = 1000
	MaxBus        = 1 << 10 // bytes of a BusHeader

	// MaxConfigProblem is the longest ConfigHeader, in bytes before they are escaped.
	MaxConfigProblem = 1 << 10

	// Plain is the Accept header of a client that wants a token as `curfew token`
	// prints it. The answer has this type too.
	Plain = "text/plain"
)

// API is the version of the local API and of what --json prints. docs/api.md
// describes it. Within a version fields are only added.
const API = 1

// Version answers GET /v1/version.
type Version struct {
	Version string `json:"version"`
	PID     int    `json:"pid"`
	API     int    `json:"api"`
}

// A Check is one line of `curfew doctor`.
type Check struct {
	Name    string `json:"name"` // "config", "keychain" ...
	OK      bool   `json:"ok"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // what to do, when not OK
}

type TokenRequest struct {
	MinValid Span `json:"min_valid"` // AnyValidity: the agent's default
	Best     bool `json:"best,omitempty"`
	MaxWait  Span `json:"max_wait,omitempty"` // 0: the agent's default

	DPoP     *auth.ProofRequest `json:"dpop,omitempty"`
	Exchange *auth.Exchange     `json:"exchange,omitempty"` // for another token, with less power
	ID       bool               `json:"id,omitempty"`       // the ID token instead
}

// Span is a duration: a JSON number of seconds, or a string as
// time.ParseDuration reads it.
type Span time.Duration

const AnyValidity = Span(auth.AnyValidity)

func (m Span) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(m).Seconds(), 'f', -1, 64), nil
}

func (m *Span) UnmarshalJSON(b []byte) error {
	bad := auth.Fail(auth.KindBadRequest, auth.Say("min_valid_bad"), auth.Say("hint_min_valid"))
	var text string
	if json.Unmarshal(b, &text) == nil {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 || d > 24*time.Hour {
			return bad
		}
		*m = Span(d)
		return nil
	}
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(seconds >= 0 && seconds <= 86400) {
		return bad
	}
	*m = Span(seconds * float64(time.Second))
	return nil
}

// TokenAnswer is the one answer that carries a secret: that of POST .../token
// and of `curfew token --json`. Never log it.
type TokenAnswer struct {
	AccessToken string    `json:"access_token,omitempty"`
	IDToken     string    `json:"id_token,omitempty"` // in place of the access token, if that was asked for
	TokenType   string    `json:"token_type,omitempty"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	ExpiresIn   int64     `json:"expires_in"`      // whole seconds, as of the answer
	Scope       string    `json:"scope,omitempty"` // space separated, as in RFC 6749 section 5.1
	Proof       string    `json:"dpop,omitempty"`  // the value of the DPoP header
}

// NewTokenAnswer reveals t.
func NewTokenAnswer(t auth.Token) TokenAnswer {
	return TokenAnswer{
		AccessToken: t.AccessToken.Reveal(),
		IDToken:     t.IDToken.Reveal(),
		TokenType:   t.TokenType,
		ExpiresAt:   t.ExpiresAt.UTC().Truncate(time.Second),
		ExpiresIn:   int64(t.ExpiresIn / time.Second),
		Scope:       strings.Join(t.Scope, " "),
		Proof:       t.Proof.Reveal(),
	}
}

// Lines is the token, and the proof if one was asked for, each on a line.
func (a TokenAnswer) Lines() string {
	lines := cmp.Or(a.IDToken, a.AccessToken) + "\n"
	if a.Proof != "" {
		lines += a.Proof + "\n"
	}
	return lines
}

func (a TokenAnswer) token() auth.Token {
	return auth.Token{
		AccessToken: auth.NewSecret(a.AccessToken),
		IDToken:     auth.NewSecret(a.IDToken),
		TokenType:   a.TokenType,
		ExpiresAt:   a.ExpiresAt,
		ExpiresIn:   time.Duration(a.ExpiresIn) * time.Second,
		Scope:       strings.Fields(a.Scope),
		Proof:       auth.NewSecret(a.Proof),
	}
}

type PauseRequest struct {
	Paused bool `json:"paused"`
}

// Settings is an [auth.General] in the words of config.toml. GET /v1/settings
// answers all of it, and PUT takes it. What a PUT leaves out stays as it is, so
// a caller that silences the warnings cannot loosen a limit.
type Settings struct {
	Limits   LimitSettings     `json:"limits"`
	Warnings auth.WarningLevel `json:"warnings"`
}

type LimitSettings struct {
	MaxAge       string  `json:"max_age"`
	MaxRefreshes int     `json:"max_refreshes"`
	MaxIdle      *string `json:"max_idle"` // null: off
}

func NewSettings(g auth.General) *Settings {
	m := &Settings{LimitSettings{MaxAge: auth.FormatSpan(g.Limits.MaxAge), MaxRefreshes: g.Limits.MaxRefreshes}, g.Warnings}
	if g.Limits.MaxIdle > 0 {
		m.Limits.MaxIdle = new(auth.FormatSpan(g.Limits.MaxIdle))
	}
	return m
}

// General reads m. The agent decides whether config.toml may say so.
func (m Settings) General() (auth.General, error) {
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
			return g, auth.Fail(auth.KindBadRequest, auth.Say("at", span.key, err), auth.Text{})
		}
		*span.into = d
	}
	return g, nil
}

type AnswerRequest struct {
	Answer auth.Answer `json:"answer"`
}

type SecretRequest struct {
	ClientSecret string `json:"client_secret"`
}

// Failure makes an error of the local API.
