//go:build !linux

// Package kctest gives a test a session bus and a gnome-keyring of its own, on Linux.
package kctest
