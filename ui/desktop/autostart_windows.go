package desktop

import (
	"errors"
	"strings"

	"golang.org/x/sys/windows/registry"

	"curfew/assets"
)

// Explorer starts the command lines in the values of runKey at login. A program
// that the person turned off in the Task Manager has an odd first byte in
// approvedKey.
const (
	runKey      = `Software\Microsoft\Windows\CurrentVersion\Run`
	approvedKey = `Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run`
)

func loginState() (Login, error) {
	login := Login{Entry: `HKEY_CURRENT_USER\` + runKey + `\` + assets.Name}
	run, err := registry.OpenKey(registry.CURRENT_USER, runKey, registry.QUERY_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return login, nil
	}
	if err != nil {
		return login, err
	}
	defer run.Close()
	command, _, err := run.GetStringValue(assets.Name)
	if errors.Is(err, registry.ErrNotExist) {
		return login, nil
	}
	if err != nil {
		return login, err
	}
	off, err := turnedOff()
	if err != nil || off {
		return login, err
	}
	login.On, login.Program = true, strings.Trim(command, `"`)
	return login, nil
}

// turnedOff reports whether the Task Manager keeps the program from starting.
func turnedOff() (bool, error) {
	approved, err := registry.OpenKey(registry.CURRENT_USER, approvedKey, registry.QUERY_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer approved.Close()
	verdict, _, err := approved.GetBinaryValue(assets.Name)
	if errors.Is(err, registry.ErrNotExist) {
		return false, nil
	}
	return len(verdict) > 0 && verdict[0]&1 == 1, err
}

func setLogin(program string) error {
	if err := deleteValue(approvedKey); err != nil {
		return err
	}
	if program == "" {
		return deleteValue(runKey)
	}
	run, _, err := registry.CreateKey(registry.CURRENT_USER, runKey, registry.SET_VALUE)
	if err != nil {
		return err
	}
	defer run.Close()
	return run.SetStringValue(assets.Name, `"`+program+`"`) // a path on Windows has no quotes
}

// deleteValue deletes Curfew's value of a key, if both are there.
func deleteValue(key string) error {
	k, err := registry.OpenKey(registry.CURRENT_USER, key, registry.SET_VALUE)
	if err == nil {
		err = k.DeleteValue(assets.Name)
		k.Close()
	}
	if errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	return err
}
