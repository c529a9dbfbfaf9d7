// Package client asks the agent for access tokens and for the state of the
// accounts, over the local API that package agent serves.
//
// Its one hard idea: the program that answers must be this user's. The agent's
// socket is opened only where nobody else could have put one, and the other
// end's user is checked before a byte is sent. The package needs the standard
// library alone, so that any program can link it. See the example of
// [Client.Token].
package client
