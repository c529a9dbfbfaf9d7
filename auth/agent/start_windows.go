package agent

import (
	"syscall"

	"golang.org/x/sys/windows"
)

var detached = &syscall.SysProcAttr{
	CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP,
	HideWindow:    true,
}
