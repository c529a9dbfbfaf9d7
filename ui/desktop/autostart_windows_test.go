package desktop

import (
	"testing"

	"golang.org/x/sys/windows/registry"

	"curfew/assets"
)

// TestRegistry turns it on and off for the user who runs the test, and then
// restores the setting.
func TestRegistry(t *testing.T) {
	before, err := Autostart()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := setLogin(before.Program); err != nil {
			t.Error(err)
		}
	})
	for _, program := range []string{"", `C:\Program Files\Curfew\curfew-tray.exe`, "", ""} {
		if err := setLogin(program); err != nil {
			t.Fatal(err)
		}
		got, err := Autostart()
		want := Login{On: program != "", Program: program, Lost: program != "", Entry: before.Entry}
		if got != want || err != nil {
			t.Errorf("set to %q: %+v, %v", program, got, err)
		}
	}

	// The Task Manager turns it off.
	if err := setLogin(`C:\curfew-tray.exe`); err != nil {
		t.Fatal(err)
	}
	approved, _, err := registry.CreateKey(registry.CURRENT_USER, approvedKey, registry.SET_VALUE)
	if err != nil {
		t.Fatal(err)
	}
	defer approved.Close()
	if err := approved.SetBinaryValue(assets.Name, []byte{3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if got, err := Autostart(); got.On || err != nil {
		t.Errorf("turned off by the Task Manager: %+v, %v", got, err)
	}
	if err := setLogin(`C:\curfew-tray.exe`); err != nil {
		t.Fatal(err)
	}
	if got, err := Autostart(); !got.On || err != nil {
		t.Errorf("turned on again: %+v, %v", got, err)
	}
}
