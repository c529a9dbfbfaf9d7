package auth

// A Provider is a preset as people see it: what GET /v1/providers and
// `curfew providers` show, and what a form asks by. It says how to register an
// application there, and what to know before.
type Provider struct {
	Name            string   `toml:"-" json:"name"`
	Title           string   `toml:"title" json:"title"`
	Unavailable     string   `toml:"unavailable" json:"unavailable,omitempty"` // why nobody can sign in there
	NeedsIssuer     bool     `toml:"-" json:"needs_issuer,omitempty"`          // it knows no endpoints: the account gives an issuer
	IssuerForm      string   `toml:"issuer_form" json:"issuer_form,omitempty"` // makes an issuer of what a person types, in the place of {}
	IssuerAsk       string   `toml:"issuer_ask" json:"issuer_ask,omitempty"`   // what to ask them for; empty: nothing
	IssuerExample   string   `toml:"issuer_example" json:"issuer_example,omitempty"`
	Secret          string   `toml:"secret" json:"secret,omitempty"` // of the client: required, optional or none
	Redirect        string   `toml:"redirect" json:"redirect"`       // to paste where the application is registered
	Scopes          []string `toml:"scopes" json:"scopes,omitempty"` // asked for when the account has none
	MoreScopes      []string `toml:"more_scopes" json:"more_scopes,omitempty"`
	DeviceFirst     bool     `toml:"device_first" json:"device_first,omitempty"` // the usual sign-in is the one on another device
	RegisterURL     string   `toml:"register_url" json:"register_url,omitempty"`
	Steps           []string `toml:"steps" json:"steps,omitempty"` // how to register
	Warnings        []string `toml:"warnings" json:"warnings,omitempty"`
	Sources         []string `toml:"sources" json:"sources,omitempty"`
	Unchecked       []string `toml:"unchecked" json:"unchecked,omitempty"`
	RemoveAccessURL string   `toml:"remove_access_url" json:"remove_access_url,omitempty"` // where a person removes access
	Lifetime        int64    `toml:"-" json:"lifetime_s,omitempty"`                        // the provider's own end, from sign-in
	IdleLifetime    int64    `toml:"-" json:"idle_lifetime_s,omitempty"`                   // the refresh token dies when unused this long
}
