// Package keystore keeps sealed records of sessions in the OS keychain and
// the state directory. It knows no OAuth: what it seals are opaque bytes.
//
// Its one hard idea is the durable order. A refresh is counted before its
// request leaves (Reserve), and what the request brought is durable before
// anybody is served (Commit), so that a crash at any instant neither loses a
// session nor makes a refresh uncounted.
package keystore
