package clipboard

import (
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

// inClipboard returns the text in the clipboard.
func inClipboard(t *testing.T) string {
	t.Helper()
	var text string
	err := withClipboard(func() error {
		memory, _, _ := getClipboardData.Call(unicodeText)
		size, _, _ := globalSize.Call(memory)
		if data := held(unicodeText, int(size)); len(data) > 0 {
			text = windows.UTF16ToString(unsafe.Slice((*uint16)(unsafe.Pointer(&data[0])), len(data)/2))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestCopySecret: the whole text is there, with the formats that keep it out of the
// history. clear removes it, unless something else was copied.
func TestCopySecret(t *testing.T) {
	for _, secret := range []string{"eyJ.a.b", "Grüße, 世界 🌍", strings.Repeat("x", 64<<10)} {
		clear, err := CopySecret(secret)
		if err != nil {
			t.Fatal(err)
		}
		if got := inClipboard(t); got != secret {
			t.Errorf("%d bytes became %d", len(secret), len(got))
		}
		for _, name := range secretFormats {
			format, err := registered(name)
			if err != nil {
				t.Fatal(err)
			}
			err = withClipboard(func() error {
				if got := held(format, 4); string(got) != "\x00\x00\x00\x00" {
					t.Errorf("%s holds %q", name, got)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // the second time nothing of ours is there
			if err := clear(); err != nil {
				t.Fatal(err)
			}
			if got := inClipboard(t); got != "" {
				t.Errorf("%d bytes stay", len(got))
			}
		}
	}

	first, err := CopySecret("first")
	if err != nil {
		t.Fatal(err)
	}
	second, err := CopySecret("first and more")
	if err != nil {
		t.Fatal(err)
	}
	if err := first(); err != nil {
		t.Fatal(err)
	}
	if got := inClipboard(t); got != "first and more" {
		t.Errorf("the first took the second away, and left %q", got)
	}
	if err := second(); err != nil {
		t.Fatal(err)
	}
}
