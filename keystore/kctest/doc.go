// Package kctest gives a test the edges of a keystore: a keychain in memory
// whose calls can be delayed and failed and, on Linux, a session bus with a
// real gnome-keyring, or with a fake Secret Service that has the faults which
// gnome-keyring cannot be brought to show.
//
// Nothing of it reaches the real session: home, data and bus are private, the
// bus starts no services, and what runs is killed with the test, or with the
// test binary if that dies first.
package kctest
