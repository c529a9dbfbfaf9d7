package auth

import "fmt"

// Secret is a token, code or client secret. Its value is behind a pointer, so
// every fmt verb, slog, JSON and text give "[redacted]". This holds for an
// unexported field of a printed struct too. Only Reveal returns the value. Grep
// for it to see where secrets go.
//
// The zero Secret is empty. Secrets are immutable and safe for concurrent use.
type Secret struct{ value *string }

const redacted = "[redacted]"

// NewSecret wraps value. NewSecret("") is the zero Secret.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{&value}
}

// Reveal returns the value in clear.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether s holds nothing.
func (s Secret) IsZero() bool { return s.value == nil }

// Format writes "[redacted]" whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// MarshalText returns "[redacted]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
