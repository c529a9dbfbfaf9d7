package main

import (
	"golang.org/x/sys/unix"

	"curfew/auth/agent/client"
)

// harden protects the memory of the agent, which holds tokens. Other programs
// of the same user cannot read it by ptrace or /proc/PID/mem, and no core dump
// brings it to the disk. It comes before the first secret.
func harden() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}

func hardened() client.Check {
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil || dumpable != 0 {
		return client.Check{Name: "memory", Message: "other programs of yours can read the agent's memory", Hint: "restart the agent: something undid its protection"}
	}
	return client.Check{Name: "memory", OK: true, Message: "other programs cannot read the agent's"}
}
