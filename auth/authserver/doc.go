// Package authserver is a complete OAuth 2 and OpenID Connect authorization
// server in one http.Handler, kept in memory. It is the server side of Curfew's
// session model, for the demo (`curfew authserver`) and for tests.
//
// It has authorization with PKCE and a loopback redirect (RFC 6749, 7636, 8252,
// 9207) and the device grant (RFC 8628). It rotates refresh tokens and revokes
// (RFC 7009). It has discovery (OpenID Connect Discovery, RFC 8414), userinfo
// and one protected resource, /api/me. It knows nothing of Curfew and imports
// nothing of it. So the client is tested against an independent reading of the
// rules.
//
// # The session model
//
// A session starts when tokens are first issued and is never extended. It can
// be refreshed until it is 30 days old or has been refreshed 20 times,
// whichever comes first. The refresh token is a JWT that says so. Its
// originalIat is when the session started, which no refresh changes. Its
// refreshCount is how often it was refreshed. Its exp is the end of the 30
// days, not 30 days from now. Access tokens live 15 minutes and never past the
// 30 days. The edges are exact. At an age of 30 days a refresh still works, and
// just after it none does. The 20th refresh works and the 21st is refused.
//
// # The two holes
//
// A plain reading of those rules leaves two holes open.
//
// The first is that a counter inside a stateless token limits nothing. Refresh
// token number 0 says "0 used", and replaying it gives a token that says "1",
// for ever. So the server remembers the one current refresh token of each
// session (sid). An older token coming back means that two parties hold the
// session's tokens. The server cannot know which is the thief, so the whole
// session ends (RFC 9700 section 4.14.2).
//
// The second is a client that counts its refreshes after their answers. It
// forgets one whenever it dies in between, and believes that more are left than
// are. So the count that decides is the session's own. It is kept here and
// raised with the rotation itself, whether or not the answer arrives. The
// claims only inform the client. Nothing is ever counted from what a client
// sends.
//
// # The grace
//
// Both rules would punish an honest client whose answer was lost. The server
// has rotated and counted, and the client holds only the old token. Its retry
// looks exactly like theft. So for a short grace after a rotation the token
// just replaced (never an older one) is answered again with the same bytes.
// There is no new token, nothing is counted, and a thief gets no fork of the
// session. Once the new token has been used, the one before it is refused.
//
// The same holds for an authorization code. Presented twice, it ends the
// session it gave (RFC 6749 section 4.1.2).
//
// # Telling tokens apart
//
// Access, refresh and ID tokens are all JWTs signed with the same key. So each
// says what it is for in its type claim, its typ header and its audience. The
// type is checked before anything else, so a client that mixes them up gets
// precisely that error, even when the token is also expired.
//
// # Faults
//
// The server is honest throughout. Everything that a broken network, a proxy
// or a bad server does is done by [Faults], a layer around it. It loses, delays
// and distorts finished answers.
//
// # What it is not
//
// Users have plain passwords in memory, and there is no limit on guessing them.
// A restart ends every session. It is made for a loopback address, and
// [ListenAndServe] listens on nothing else unless an issuer is set.
package authserver
