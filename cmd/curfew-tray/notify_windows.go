package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"unicode/utf16"
	"unsafe"

	"github.com/go-ole/go-ole"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"curfew/assets"
	"curfew/ui/tray"
)

// Toasts go to the Windows Runtime as data, with go-ole. No text passes through a
// shell or a script. Libraries that do more either fall back to PowerShell or
// cannot replace a toast.

// ServeNotices shows notices as toasts until ctx ends. Each replaces the account's
// last one. At the end it removes them, because nothing would handle a click. If
// Windows shows no toasts, that is logged.
func (always) ServeNotices(ctx context.Context, notices <-chan tray.Notice, events noticeEvents, logger *slog.Logger) {
	runtime.LockOSThread() // never unlocked: COM's state ends with the thread
	clicked := make(chan string, 16)
	toasts, err := newToaster(clicked)
	if err != nil {
		logger.Warn("there will be no notifications", "err", err)
	} else {
		defer toasts.close(logger)
	}
	for {
		select {
		case n := <-notices:
			if toasts == nil {
				continue
			}
			if n.Title == "" || n.Quiet {
				if err := toasts.withdraw(n.Account); err != nil {
					logger.Debug("notification not removed", "err", err) // most likely the person has closed it
				}
				continue
			}
			if err := toasts.show(n); err != nil {
				logger.Warn("notification not shown", "title", n.Title, "err", err)
				continue
			}
			events.shown(n)
		case arguments := <-clicked:
			click, ok := toastClick(arguments)
			if !ok {
				continue
			}
			select {
			case events.clicks <- click:
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// Interfaces of the Windows Runtime, and the slots of the methods that are called
// here. The first six methods of each interface are the same.
var (
	iidXMLDocument   = ole.NewGUID("{F7F3A506-1E87-42D6-BCFB-B8C809FA5494}")
	iidXMLDocumentIO = ole.NewGUID("{6CD0E74E-EE65-4489-9EBF-CA43E87BA637}")
	iidToastFactory  = ole.NewGUID("{04124B20-82C6-4229-B109-FD9ED4662B53}")
	iidToast2        = ole.NewGUID("{9DFB9FD1-143A-490E-90BF-B9FBA7132DE7}")
	iidToastManager  = ole.NewGUID("{50AC103F-D235-4598-BBEF-98FE4D1A3AD4}")
	iidToastManager2 = ole.NewGUID("{7AB93C52-0E48-4750-BA9D-1A4113981847}")
)

const (
	loadXML                   = 6
	createToastNotification   = 6
	putTag                    = 6
	putGroup                  = 8
	createToastNotifierWithID = 7
	showToast                 = 6
	getHistory                = 6
	removeFromHistoryWithID   = 8
	clearHistoryWithID        = 12
)

const toastGroup = "accounts"

// A toaster shows toasts. It belongs to one thread.
type toaster struct {
	activator *activator
	appID     ole.HString
	group     ole.HString
	notifier  *ole.IUnknown
	history   *ole.IUnknown
}

// newToaster registers this program with Windows, to show toasts and to get clicks
// in them. Clicks go to clicked.
func newToaster(clicked chan<- string) (t *toaster, err error) {
	const multithreaded = 1
	if err := ole.RoInitialize(multithreaded); err != nil {
		if e, ok := errors.AsType[*ole.OleError](err); !ok || failure(e.Code()) != nil { // else it was done already
			return nil, fmt.Errorf("start the Windows Runtime: %w", err)
		}
	}
	if err := introduce(); err != nil {
		return nil, fmt.Errorf("register %s for notifications: %w", assets.AppID, err)
	}
	t = &toaster{}
	if t.appID, err = newString(assets.AppID); err != nil {
		return nil, err
	}
	if t.group, err = newString(toastGroup); err != nil {
		return nil, err
	}
	if err := t.find(); err != nil {
		return nil, fmt.Errorf("find the notification service: %w", err)
	}
	t.activator = newActivator(clicked)
	if err := t.activator.register(); err != nil {
		return nil, fmt.Errorf("register for clicks: %w", err)
	}
	return t, nil
}

// introduce registers the name and the icon of the toasts. Windows 10 and newer
// look there for programs without an installer.
func introduce() error {
	icon, err := iconFile()
	if err != nil {
		return err
	}
	key, _, err := registry.CreateKey(registry.CURRENT_USER, `Software\Classes\AppUserModelId\`+assets.AppID, registry.SET_VALUE)
	if err != nil {
		return err
	}
	defer key.Close()
	return errors.Join(
		key.SetStringValue("DisplayName", assets.Name),
		key.SetStringValue("IconUri", icon),
		key.SetStringValue("CustomActivator", activatorClass.String()),
	)
}

// iconFile returns the path of the program's icon. Windows needs a file.
func iconFile() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "curfew")
	file := filepath.Join(dir, "icon.png")
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, assets.AppIcon) {
		return file, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return file, os.WriteFile(file, assets.AppIcon, 0o600)
}

// find gets the parts of the notification service.
func (t *toaster) find() error {
	const class = "Windows.UI.Notifications.ToastNotificationManager"
	manager, err := ole.RoGetActivationFactory(class, iidToastManager)
	if err != nil {
		return err
	}
	defer manager.Release()
	err = call(&manager.IUnknown, createToastNotifierWithID, uintptr(t.appID), uintptr(unsafe.Pointer(&t.notifier)))
	if err != nil {
		return err
	}
	manager2, err := ole.RoGetActivationFactory(class, iidToastManager2)
	if err != nil {
		return err
	}
	defer manager2.Release()
	return call(&manager2.IUnknown, getHistory, uintptr(unsafe.Pointer(&t.history)))
}

// show shows n in place of the account's last toast.
func (t *toaster) show(n tray.Notice) error {
	text, err := toastXML(n)
	if err != nil {
		return err
	}
	content, err := newDocument(text)
	if err != nil {
		return fmt.Errorf("content: %w", err)
	}
	defer content.Release()
	factory, err := ole.RoGetActivationFactory("Windows.UI.Notifications.ToastNotification", iidToastFactory)
	if err != nil {
		return err
	}
	defer factory.Release()
	var toast *ole.IUnknown
	err = call(&factory.IUnknown, createToastNotification, uintptr(unsafe.Pointer(content)), uintptr(unsafe.Pointer(&toast)))
	if err != nil {
		return err
	}
	defer toast.Release()
	toast2, err := toast.QueryInterface(iidToast2)
	if err != nil {
		return err
	}
	defer toast2.Release()
	tag, err := newString(toastTag(n.Account))
	if err != nil {
		return err
	}
	defer ole.DeleteHString(tag)
	if err := call(&toast2.IUnknown, putTag, uintptr(tag)); err != nil {
		return err
	}
	if err := call(&toast2.IUnknown, putGroup, uintptr(t.group)); err != nil {
		return err
	}
	return call(t.notifier, showToast, uintptr(unsafe.Pointer(toast)))
}

// withdraw removes the account's toast.
func (t *toaster) withdraw(account string) error {
	tag, err := newString(toastTag(account))
	if err != nil {
		return err
	}
	defer ole.DeleteHString(tag)
	return call(t.history, removeFromHistoryWithID, uintptr(tag), uintptr(t.group), uintptr(t.appID))
}

// newDocument returns an XML document of the Windows Runtime.
func newDocument(text string) (*ole.IUnknown, error) {
	made, err := ole.RoActivateInstance("Windows.Data.Xml.Dom.XmlDocument")
	if err != nil {
		return nil, err
	}
	defer made.Release()
	io, err := made.QueryInterface(iidXMLDocumentIO)
	if err != nil {
		return nil, err
	}
	defer io.Release()
	s, err := newString(text)
	if err != nil {
		return nil, err
	}
	defer ole.DeleteHString(s)
	if err := call(&io.IUnknown, loadXML, uintptr(s)); err != nil {
		return nil, err
	}
	document, err := made.QueryInterface(iidXMLDocument)
	if err != nil {
		return nil, err
	}
	return &document.IUnknown, nil
}

// close removes the toasts of this program, and stops getting clicks.
func (t *toaster) close(logger *slog.Logger) {
	err := errors.Join(call(t.history, clearHistoryWithID, uintptr(t.appID)), t.activator.revoke())
	if err != nil {
		logger.Warn("notifications may stay behind", "err", err)
	}
	t.history.Release()
	t.notifier.Release()
}

// call calls the method in a slot of the object's table.
//
//go:uintptrescapes
func call(object *ole.IUnknown, slot int, args ...uintptr) error {
	table := (*[16]uintptr)(unsafe.Pointer(object.RawVTable))
	args = append([]uintptr{uintptr(unsafe.Pointer(object))}, args...)
	result, _, _ := syscall.SyscallN(table[slot], args...)
	return failure(result)
}

// failure is the error in a result of COM, which has more than one success.
func failure(result uintptr) error {
	if int32(result) < 0 {
		return ole.NewError(result)
	}
	return nil
}

var (
	combase               = windows.NewLazySystemDLL("combase.dll")
	windowsCreateString   = combase.NewProc("WindowsCreateString")
	coRegisterClassObject = combase.NewProc("CoRegisterClassObject")
	coRevokeClassObject   = combase.NewProc("CoRevokeClassObject")
)

// newString makes a string of the Windows Runtime. s is not empty. (The function
// of go-ole counts characters instead of UTF-16 units, and so cuts the text off.)
func newString(s string) (h ole.HString, err error) {
	units := utf16.Encode([]rune(s))
	result, _, _ := windowsCreateString.Call(uintptr(unsafe.Pointer(&units[0])), uintptr(len(units)), uintptr(unsafe.Pointer(&h)))
	return h, failure(result)
}

// activatorClass is the class that Windows asks for when a toast was clicked.
var activatorClass = ole.NewGUID("{1CC95B5A-ABD4-4E51-9A75-1D8DDBC7E9A0}")

var iidActivationCallback = ole.NewGUID("{53E31837-6600-4A81-9395-75CFFE746F94}")

// An activator is two COM objects of this program. One is a class factory. It
// hands out the other, which gets clicks. Windows calls them on its own threads.
// They last as long as the program, so references are not counted.
type activator struct {
	factory, callback object
	clicked           chan<- string
	cookie            uint32 // of the registration
}

// An object is what COM sees: first a pointer to a table of functions.
type object struct {
	table *[5]uintptr
	iid   *ole.GUID // its interface, besides IUnknown
	of    *activator
}

var (
	factoryTable = [5]uintptr{
		syscall.NewCallback((*object).queryInterface), syscall.NewCallback((*object).count), syscall.NewCallback((*object).count),
		syscall.NewCallback((*object).createInstance), syscall.NewCallback((*object).lockServer),
	}
	callbackTable = [5]uintptr{
		factoryTable[0], factoryTable[1], factoryTable[2],
		syscall.NewCallback((*object).activate),
	}
)

func newActivator(clicked chan<- string) *activator {
	a := &activator{clicked: clicked}
	a.factory = object{&factoryTable, ole.NewGUID("{00000001-0000-0000-C000-000000000046}"), a}
	a.callback = object{&callbackTable, iidActivationCallback, a}
	return a
}

func (a *activator) register() error {
	const localServer, multipleUse = 4, 1
	result, _, _ := coRegisterClassObject.Call(uintptr(unsafe.Pointer(activatorClass)), uintptr(unsafe.Pointer(&a.factory)),
		localServer, multipleUse, uintptr(unsafe.Pointer(&a.cookie)))
	return failure(result)
}

func (a *activator) revoke() error {
	result, _, _ := coRevokeClassObject.Call(uintptr(a.cookie))
	return failure(result)
}

const (
	noInterface   = 0x80004002
	noAggregation = 0x80040110
)

// queryInterface is IUnknown's. out is not a Go pointer, so that the garbage
// collector does not follow it.
func (o *object) queryInterface(iid *ole.GUID, out *uintptr) uintptr {
	*out = 0
	if !ole.IsEqualGUID(iid, o.iid) && !ole.IsEqualGUID(iid, ole.IID_IUnknown) {
		return noInterface
	}
	*out = uintptr(unsafe.Pointer(o))
	return 0
}

// count is AddRef and Release.
func (o *object) count() uintptr { return 1 }

// createInstance is IClassFactory's.
func (o *object) createInstance(outer uintptr, iid *ole.GUID, out *uintptr) uintptr {
	if outer != 0 {
		*out = 0
		return noAggregation
	}
	return o.of.callback.queryInterface(iid, out)
}

// lockServer is IClassFactory's.
func (o *object) lockServer(uintptr) uintptr { return 0 }

// activate is INotificationActivationCallback's. arguments are those of the
// clicked button, or of the toast. It does not wait: nobody clicks faster than
// clicks are read.
func (o *object) activate(_ uintptr, arguments *uint16, _, _ uintptr) uintptr {
	select {
	case o.of.clicked <- windows.UTF16PtrToString(arguments):
	default:
	}
	return 0
}
