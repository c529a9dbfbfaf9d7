// Package agent is the server of the local API, which is HTTP and JSON over a
// UNIX socket (a named pipe on Windows). Package client is its typed client.
//
// Its one hard idea is who may speak. The socket is in a directory that only
// its owner can change. Both ends check the other's user id before a byte is
// read. A request that a browser could have made is refused, by its Origin,
// Referer or Host. Programs of the same user are trusted, since they could
// drive the browser as well.
//
// The API is HTTP/1.1 with `Host: curfew`. Every answer is JSON and every error
// is an [auth.Error]:
//
//	GET    /v1/accounts                  all snapshots, by name
//	GET    /v1/accounts/{name}           one snapshot
//	PUT    /v1/accounts/{name}           add or change: an auth.Account; ?new=true: change nothing that is there
//	DELETE /v1/accounts/{name}           sign out and forget
//	GET    /v1/accounts/{name}/config    its auth.Account, as config.toml has it
//	PUT    /v1/accounts/{name}/client-secret   {"client_secret": "..."}, kept in the keychain
//	DELETE /v1/accounts/{name}/client-secret   deletes it there, whether or not the account exists
//	POST   /v1/accounts/{name}/sign-in   {force, device}: the URL to open
//	DELETE /v1/accounts/{name}/sign-in   cancel the running sign-in
//	POST   /v1/accounts/{name}/token     {min_valid, best, id, exchange}: docs/api.md has all fields
//	POST   /v1/accounts/{name}/refresh   spend one refresh now
//	POST   /v1/accounts/{name}/sign-out
//	GET    /v1/accounts/{name}/events?n=100, /v1/events?n=100
//	GET    /v1/watch                     one line of all snapshots, at once and after each change
//	GET    /v1/settings                  {"limits": {"max_age": "30d", "max_refreshes": 20, "max_idle": null}, "warnings": "all"}
//	PUT    /v1/settings                  the same; what is left out stays as it is, and limits can only tighten
//	PUT    /v1/pause                     {"paused": true}; it outlives the agent
//	POST   /v1/unlock                    show the OS's prompt to unlock the keychain
//	GET    /v1/providers                 the presets
//	GET    /v1/doctor                    what the agent can check of itself
//	GET    /v1/version
//
// Try it: curl --unix-socket "$XDG_RUNTIME_DIR/curfew/agent.sock" http://curfew/v1/accounts
package agent
