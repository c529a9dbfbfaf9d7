//go:build unix

package main

import "syscall"

// runInstead becomes another program, which has the terminal, the signals and
// the exit code from then on.
func runInstead(path string, argv, env []string) error { return syscall.Exec(path, argv, env) }
