// Package binding says which server and which client a refresh token belongs to.
// Its one hard idea is that a token is sent nowhere else, whatever the
// configuration says later.
package binding

import (
	"strings"

	"curfew/auth"
)

// A Binding is a server and a client. The zero Binding is that of a token of
// which nobody knows.
type Binding struct {
	Provider              string `json:"provider,omitempty"`
	Issuer                string `json:"issuer,omitempty"`
	AuthorizationEndpoint string `json:"authorization_endpoint,omitempty"`
	TokenEndpoint         string `json:"token_endpoint,omitempty"`
	RevocationEndpoint    string `json:"revocation_endpoint,omitempty"`
	ClientID              string `json:"client_id,omitempty"`
}

// Of is what a refresh token of a must stay with.
func Of(a auth.Account) Binding {
	return Binding{a.Provider, a.Issuer, a.AuthorizationEndpoint, a.TokenEndpoint, a.RevocationEndpoint, a.ClientID}
}

// Key names the server and the client.
func (b Binding) Key() string {
	return strings.Join([]string{b.Provider, b.Issuer, b.TokenEndpoint, b.ClientID}, " ")
}

// Account is an account with this binding.
func (b Binding) Account(name string) auth.Account {
	return auth.Account{
		Name: name, Provider: b.Provider, Issuer: b.Issuer, AuthorizationEndpoint: b.AuthorizationEndpoint,
		TokenEndpoint: b.TokenEndpoint, RevocationEndpoint: b.RevocationEndpoint, ClientID: b.ClientID,
	}
}

// A Grant is what a revocation may reach at most: a person at a client of a
// server.
type Grant struct {
	Bound   Binding
	Subject string // "" if nobody knows
}

// Covers reports whether both may be the same person at the same client.
func (g Grant) Covers(o Grant) bool {
	return g.Bound == o.Bound && (g.Subject == o.Subject || g.Subject == "" || o.Subject == "")
}

// SameServer reports whether a and b are the same to the server.
func SameServer(a, b auth.Account) bool {
	a.Refresh, a.Hosts, a.Directories, a.TokenFile, a.IDTokenFile = b.Refresh, b.Hosts, b.Directories, b.TokenFile, b.IDTokenFile
	a.OnEnded, a.OnRefreshed, a.Consent = b.OnEnded, b.OnRefreshed, b.Consent
	return auth.SameAccount(a, b)
}
