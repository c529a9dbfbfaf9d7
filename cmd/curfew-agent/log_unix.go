//go:build unix

package main

import "syscall"

// noFollow keeps a link from being opened that came a moment ago.
const noFollow = syscall.O_NOFOLLOW
