// Package kctest gives a test the edges of a keystore. It has a keychain in
// memory whose calls can be delayed and failed. On Linux it has a session bus
// with a real gnome-keyring, or with a fake Secret Service. The fake has the
// faults that gnome-keyring cannot be made to show.
//
// Nothing of it reaches the real session. Home, data and bus are private, and
// the bus starts no services. What runs is killed with the test, or with the
// test binary if that dies first.
package kctest
