// Package authserver is a complete OAuth 2 and OpenID Connect authorization
// server in one http.Handler, kept in memory: the server side of Curfew's
// session model, for the demo (`curfew authserver`) and for tests.
//
// It owns authorization with PKCE and a loopback redirect (RFC 6749, 7636,
// 8252, 9207), the device grant (RFC 8628), refresh with rotation, revocation
// (RFC 7009), discovery (OpenID Connect Discovery, RFC 8414), userinfo and one
// protected resource, /api/me. It knows nothing of Curfew and imports nothing
// of it, so that the client is tested against an independent reading of the
// rules.
//
// # The session model
//
// A session starts when tokens are first issued and is never extended. It can
// be refreshed until it is 30 days old or has been refreshed 20 times,
// whichever comes first. The refresh token is a JWT that says so: originalIat
// (when the session started, which no refresh changes), refreshCount, and an
// exp that is what is left of the 30 days, not 30 days from now. Access tokens
// live 15 minutes and never past the 30 days. The edges are exact: at an age of
// 30 days a refresh still works and just after it none does; the 20th refresh
// works and the 21st is refused.
//
// # The two holes
//
// A plain reading of those rules leaves two holes open.
//
// The first: a counter inside a stateless token limits nothing. Refresh token
// number 0 says "0 used", and whoever replays it gets a token that says "1",
// for ever. So the server remembers, per session (sid), the one refresh token
// that is current. An older token coming back means that two parties hold the
// session's tokens, and the server cannot know which is the thief, so the
// whole session ends (RFC 9700 section 4.14.2).
//
// The second: a client that counts its refreshes after their answers forgets
// one whenever it dies in between, and believes that more are left than are.
// So the count that decides is the session's own, kept here and raised with
// the rotation itself, whether or not the answer arrives. The claims tell the
// client where it stands; nothing is ever counted from what a client sends.
//
// # The grace
//
// Both answers would punish an honest client whose answer was lost: the server
// has rotated and counted, the client holds only the old token, and its retry
// looks exactly like theft. So for a short grace after a rotation the token
// just replaced (never an older one) is answered again, with the same bytes: no
// new token, nothing counted, no fork of the session for a thief to live in.
// Once the new token has been used, the one before it is out.
//
// An authorization code is the same problem in small: presented twice, it ends
// the session it gave (RFC 6749 section 4.1.2).
//
// # Telling tokens apart
//
// Access, refresh and ID tokens are all JWTs signed with the same key, so each
// says three times what it is for: in its type claim, its typ header and its
// audience. Type is checked before anything else, so that a client which mixes
// them up reads precisely that, even when the token is also expired.
//
// # Faults
//
// The server is honest throughout. Everything that a broken network, a proxy
// or a bad server does is done by [Faults], a layer around it that loses,
// delays and distorts finished answers; see there for what it can do.
//
// # What it is not
//
// Users have plain passwords in memory, there is no limit on guessing them,
// and a restart ends every session: it is made for a loopback address, and
// [ListenAndServe] listens on nothing else without an issuer of its own.
package authserver
