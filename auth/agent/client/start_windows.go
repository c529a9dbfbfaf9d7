package client

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// Detached makes a program run without this one's console.
func Detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP,
		HideWindow:    true,
	}
}
