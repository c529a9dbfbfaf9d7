package main

import (
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/go-ole/go-ole"
	"golang.org/x/sys/windows"
)

// TestActivator: COM finds the registered class, and what it calls as a click
// arrives, from a thread that Go did not start, as clicks come.
func TestActivator(t *testing.T) {
	runtime.LockOSThread()
	if err := ole.RoInitialize(1); err != nil {
		t.Fatal(err)
	}
	clicked := make(chan string, 1)
	a := newActivator(clicked)
	if err := a.register(); err != nil {
		t.Fatal(err)
	}
	const localServer = 4
	getClassObject := combase.NewProc("CoGetClassObject")
	find := func() (factory *ole.IUnknown, err error) {
		result, _, _ := getClassObject.Call(uintptr(unsafe.Pointer(activatorClass)), localServer, 0,
			uintptr(unsafe.Pointer(a.factory.iid)), uintptr(unsafe.Pointer(&factory)))
		return factory, failure(result)
	}
	factory, err := find()
	if err != nil {
		t.Fatal(err)
	}
	const createInstance, activate = 3, 3
	var callback *ole.IUnknown
	if err := call(factory, createInstance, 0, uintptr(unsafe.Pointer(iidXMLDocument)), uintptr(unsafe.Pointer(&callback))); err == nil || callback != nil {
		t.Errorf("an interface that it does not have: %v, %v", callback, err)
	}
	if err := call(factory, createInstance, 0, uintptr(unsafe.Pointer(iidActivationCallback)), uintptr(unsafe.Pointer(&callback))); err != nil {
		t.Fatal(err)
	}

	text, err := windows.UTF16PtrFromString("sign-in Ünï😀")
	if err != nil {
		t.Fatal(err)
	}
	thread := syscall.NewCallback(func(uintptr) uintptr {
		if err := call(callback, activate, 0, uintptr(unsafe.Pointer(text)), 0, 0); err != nil {
			return 1
		}
		return 0
	})
	handle, _, err := windows.NewLazySystemDLL("kernel32.dll").NewProc("CreateThread").Call(0, 0, thread, 0, 0, 0)
	if handle == 0 {
		t.Fatal(err)
	}
	defer windows.CloseHandle(windows.Handle(handle))
	select {
	case got := <-clicked:
		if got != "sign-in Ünï😀" {
			t.Errorf("heard %q", got)
		}
	case <-time.After(10 * time.Second):
		t.Error("heard nothing")
	}
	if err := a.revoke(); err != nil {
		t.Error(err)
	}
	if _, err := find(); err == nil {
		t.Error("COM finds the class when it is no longer there")
	}
}
