package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/go-ole/go-ole"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"curfew/assets"
	"curfew/ui/tray"
)

// TestActivator: COM finds the registered class. A call of it arrives as a click,
// also from a thread that Go did not start.
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

// TestToasts: what the notification service gets, and that a click in a toast does
// what a row of the menu does. The test needs a stand-in for the service, which
// clicks; .ci/wine has it.
func TestToasts(t *testing.T) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, `Software\Microsoft\WindowsRuntime\ActivatableClassId\Windows.UI.Notifications.ToastNotificationManager`, registry.QUERY_VALUE)
	if err != nil {
		t.Skip("Windows has no notification service here: ", err)
	}
	defer key.Close()
	if library, _, err := key.GetStringValue("DllPath"); err != nil || !strings.HasSuffix(library, "curfew-toasts.dll") {
		t.Skip("the notification service is the real one, which waits for somebody to click")
	}
	log, err := os.CreateTemp("", "toasts") // not t.TempDir, which Wine 8 cannot clean up
	if err != nil {
		t.Fatal(err)
	}
	log.Close()
	defer os.Remove(log.Name())
	t.Setenv("CURFEW_TOASTS", log.Name())

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	notices, clicks, served := make(chan tray.Notice), make(chan tray.ID), make(chan struct{})
	var shown []string
	go func() {
		defer close(served)
		always{}.ServeNotices(ctx, notices, noticeEvents{clicks: clicks, shown: func(n tray.Notice) { shown = append(shown, n.Title) }}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	}()
	const account, other = "wörk 😀", "b"
	for _, n := range []tray.Notice{{Account: account, Title: "$(calc) <b>", Body: "one", Action: "Sign in again"},
		{Account: other, Title: "b", Body: "two", Action: "Sign in again"}, {Account: account, Title: "a", Body: "three", Action: "Sign in again", Over: true}} {
		notices <- n
		select {
		case click := <-clicks:
			if click != (tray.ID{Verb: tray.SignIn, Account: n.Account}) {
				t.Errorf("clicked %+v", click)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("no click")
		}
	}
	notices <- tray.Notice{Account: account} // takes it away
	notices <- tray.Notice{Account: "never shown"}
	cancel()
	<-served
	if want := []string{"$(calc) <b>", "b", "a"}; !slices.Equal(shown, want) {
		t.Errorf("counted as shown: %q, want %q", shown, want)
	}

	text, err := os.ReadFile(log.Name())
	if err != nil {
		t.Fatal(err)
	}
	const toast = `<toast launch="default %s"%s><visual><binding template="ToastGeneric"><text>%s</text><text>%s</text></binding></visual><actions><action content="Sign in again" arguments="sign-in %[1]s"></action></actions></toast>`
	want := strings.Join([]string{
		"shown|" + toastTag(account) + "|accounts|" + fmt.Sprintf(toast, account, "", "$(calc) &lt;b&gt;", "one"),
		"shown|" + toastTag(other) + "|accounts|" + fmt.Sprintf(toast, other, "", "b", "two"),
		"shown|" + toastTag(account) + "|accounts|" + fmt.Sprintf(toast, account, ` scenario="reminder"`, "a", "three"),
		"removed|" + toastTag(account) + "|accounts|" + assets.AppID,
		"removed|" + toastTag("never shown") + "|accounts|" + assets.AppID,
		"cleared|" + assets.AppID + "|2|", // objects that live: the notifier and the history
		"",
	}, "\n")
	if string(text) != want {
		t.Errorf("the service was asked\n%s, want\n%s", text, want)
	}
}
