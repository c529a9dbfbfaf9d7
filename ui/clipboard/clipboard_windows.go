package clipboard

import (
	"crypto/sha256"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	user32                  = windows.NewLazySystemDLL("user32.dll")
	openClipboard           = user32.NewProc("OpenClipboard")
	closeClipboard          = user32.NewProc("CloseClipboard")
	emptyClipboard          = user32.NewProc("EmptyClipboard")
	getClipboardData        = user32.NewProc("GetClipboardData")
	setClipboardData        = user32.NewProc("SetClipboardData")
	registerClipboardFormat = user32.NewProc("RegisterClipboardFormatW")

	kernel32      = windows.NewLazySystemDLL("kernel32.dll")
	globalAlloc   = kernel32.NewProc("GlobalAlloc")
	globalFree    = kernel32.NewProc("GlobalFree")
	globalLock    = kernel32.NewProc("GlobalLock")
	globalUnlock  = kernel32.NewProc("GlobalUnlock")
	globalSize    = kernel32.NewProc("GlobalSize")
	rtlMoveMemory = kernel32.NewProc("RtlMoveMemory")
)

const (
	unicodeText = 13     // CF_UNICODETEXT
	moveable    = 0x0002 // GMEM_MOVEABLE, as the clipboard wants its memory
)

// The formats that keep the text next to them out of the clipboard's history and
// away from other computers. Clipboard managers and Windows respect the first,
// whatever it holds. In the others, 0 says no.
var secretFormats = []string{"ExcludeClipboardContentFromMonitorProcessing", "CanIncludeInClipboardHistory", "CanUploadToCloudClipboard"}

// openTime is how long another program may have the clipboard open.
const openTime = time.Second

// copySecret is [CopySecret]. While clear compares and empties the clipboard, no
// other program can copy.
func copySecret(secret string) (clear func() error, err error) {
	text, err := windows.UTF16FromString(secret)
	if err != nil {
		return nil, err
	}
	data := unsafe.Slice((*byte)(unsafe.Pointer(&text[0])), 2*len(text))
	err = withClipboard(func() error {
		if ok, _, err := emptyClipboard.Call(); ok == 0 {
			return fmt.Errorf("empty it: %w", err)
		}
		for _, name := range secretFormats {
			format, err := registered(name)
			if err == nil {
				err = offer(format, []byte{0, 0, 0, 0})
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return offer(unicodeText, data)
	})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return func() error {
		return withClipboard(func() error {
			if sha256.Sum256(held(unicodeText, len(data))) != sum {
				return nil
			}
			if ok, _, err := emptyClipboard.Call(); ok == 0 {
				return fmt.Errorf("empty it: %w", err)
			}
			return nil
		})
	}, nil
}

// withClipboard runs f while the clipboard is open. A thread opens it.
func withClipboard(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for limit := time.Now().Add(openTime); ; time.Sleep(time.Millisecond) {
		ok, _, err := openClipboard.Call(0)
		if ok != 0 {
			break
		}
		if time.Now().After(limit) {
			return fmt.Errorf("open it: %w", err)
		}
	}
	defer closeClipboard.Call()
	return f()
}

// registered returns the number of a format.
func registered(name string) (uintptr, error) {
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, err
	}
	format, _, err := registerClipboardFormat.Call(uintptr(unsafe.Pointer(text)))
	if format == 0 {
		return 0, err
	}
	return format, nil
}

// offer puts data into the open clipboard.
func offer(format uintptr, data []byte) error {
	memory, _, err := globalAlloc.Call(moveable, uintptr(len(data)))
	if memory == 0 {
		return err
	}
	at, _, err := globalLock.Call(memory)
	if at != 0 {
		rtlMoveMemory.Call(at, uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)))
		globalUnlock.Call(memory)
		at, _, err = setClipboardData.Call(format, memory)
	}
	if at == 0 {
		globalFree.Call(memory) // after success the system owns it
		return err
	}
	return nil
}

// held returns the first n bytes that the open clipboard has in a format. If it has
// fewer, held returns none.
func held(format uintptr, n int) []byte {
	memory, _, _ := getClipboardData.Call(format)
	if memory == 0 {
		return nil
	}
	if size, _, _ := globalSize.Call(memory); size < uintptr(n) {
		return nil
	}
	at, _, _ := globalLock.Call(memory)
	if at == 0 {
		return nil
	}
	defer globalUnlock.Call(memory)
	data := make([]byte, n)
	rtlMoveMemory.Call(uintptr(unsafe.Pointer(&data[0])), at, uintptr(n))
	return data
}
