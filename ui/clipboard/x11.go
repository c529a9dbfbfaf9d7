//go:build unix && !darwin

package clipboard

import (
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"sync"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// The library would print the errors that are returned here.
func init() { xgb.Logger = log.New(io.Discard, "", 0) }

// x11Time is how long the X server may take.
const x11Time = 3 * time.Second

// copyX11 becomes the owner of the CLIPBOARD selection. In X, a program that pastes
// asks the owner for the text (ICCCM, section 2). One goroutine with one connection
// answers as long as this program owns the selection. That ends with clear, when
// another program copies something, or when the display goes away. So clear need
// not read the text back.
//
// The secret disappears at the latest with this program, which is right for a token
// that is valid for minutes. But if a program ends without clearing, GNOME and
// Cinnamon bring its text back.
//
// If the server does not answer at all, the goroutine waits until it does.
func copyX11(display, secret string) (clear func() error, err error) {
	s := &selection{leave: make(chan struct{}), ended: make(chan struct{})}
	owned := make(chan error, 1)
	go func() {
		defer close(s.ended)
		owned <- s.own(display, secret)
		s.serve()
	}()
	select {
	case err := <-owned:
		if err != nil {
			return nil, err
		}
		return s.clear, nil
	case <-time.After(x11Time):
		close(s.leave)
		return nil, errSilent
	}
}

var (
	errGone   = errors.New("the display has gone")
	errSilent = errors.New("the display does not answer")
)

// A selection is the CLIPBOARD selection while this program owns it.
type selection struct {
	leaving sync.Once
	leave   chan struct{} // closed to give it up
	ended   chan struct{} // closed when it was given up

	// The rest belongs to the goroutine.
	conn    *xgb.Conn
	events  chan xgb.Event // closed with the connection; nil if there was none
	window  xproto.Window  // invisible; only windows can own selections
	since   xproto.Timestamp
	atoms   map[string]xproto.Atom
	answers map[xproto.Atom]answer // by target
}

// An answer is the new value of a property of the program that asks.
type answer struct {
	kind   xproto.Atom
	format byte // bits per item
	data   []byte
}

// targets are the names of what programs may ask for. Others have a number in the
// protocol.
var targets = []string{"CLIPBOARD", "TARGETS", "TIMESTAMP", "MULTIPLE", "UTF8_STRING", "TEXT", "text/plain", "text/plain;charset=utf-8", secretHint}

// own connects to the display and takes the selection. After an error it has
// closed the connection.
func (s *selection) own(display, secret string) (err error) {
	defer func() {
		if errors.Is(err, io.EOF) {
			err = errGone
		}
		if err != nil && s.conn != nil {
			s.conn.Close()
		}
	}()
	if s.conn, err = xgb.NewConnDisplay(display); err != nil {
		return err
	}
	s.events = make(chan xgb.Event)
	go s.listen()
	// A text larger than one request would have to go in pieces (ICCCM, section
	// 2.7.2). A request has 256 KB, and a token 16 KB at most.
	const header = 24
	setup := xproto.Setup(s.conn)
	if s.conn.DefaultScreen >= len(setup.Roots) {
		return fmt.Errorf("the display has no screen %d", s.conn.DefaultScreen)
	}
	if most := 4*int(setup.MaximumRequestLength) - header; len(secret) > most {
		return fmt.Errorf("it takes %d bytes at most", most)
	}
	if s.window, err = xproto.NewWindowId(s.conn); err != nil {
		return err
	}
	err = xproto.CreateWindowChecked(s.conn, 0, s.window, setup.DefaultScreen(s.conn).Root, 0, 0, 1, 1, 0,
		xproto.WindowClassInputOnly, 0, xproto.CwEventMask, []uint32{xproto.EventMaskPropertyChange}).Check()
	if err != nil {
		return err
	}
	s.atoms = make(map[string]xproto.Atom)
	for _, name := range targets {
		atom, err := xproto.InternAtom(s.conn, false, uint16(len(name)), name).Reply()
		if err != nil {
			return err
		}
		s.atoms[name] = atom.Atom
	}
	if s.since, err = s.now(); err != nil {
		return err
	}
	s.answers = s.offer(secret)
	if err := xproto.SetSelectionOwnerChecked(s.conn, s.window, s.atoms["CLIPBOARD"], s.since).Check(); err != nil {
		return err
	}
	owner, err := xproto.GetSelectionOwner(s.conn, s.atoms["CLIPBOARD"]).Reply()
	if err == nil && owner.Owner != s.window {
		err = errors.New("another program has it")
	}
	return err
}

// listen passes the events on until the connection ends. It drops errors of
// requests without a reply: the program that asked is gone.
func (s *selection) listen() {
	defer close(s.events)
	for {
		event, failed := s.conn.WaitForEvent()
		if event == nil && failed == nil {
			return
		}
		if event != nil {
			s.events <- event
		}
	}
}

// now asks the server for its time, which comes with a change of a property (ICCCM,
// section 2.1).
func (s *selection) now() (xproto.Timestamp, error) {
	err := xproto.ChangePropertyChecked(s.conn, xproto.PropModeAppend, s.window, xproto.AtomWmName, xproto.AtomString, 8, 0, nil).Check()
	if err != nil {
		return 0, err
	}
	for event := range s.events {
		if e, ok := event.(xproto.PropertyNotifyEvent); ok && e.Window == s.window {
			return e.Time, nil
		}
	}
	return 0, errGone
}

// offer returns the answers to programs that paste.
func (s *selection) offer(secret string) map[xproto.Atom]answer {
	text := func(kind xproto.Atom) answer { return answer{kind, 8, []byte(secret)} }
	utf8, plain, plainUTF8 := s.atoms["UTF8_STRING"], s.atoms["text/plain"], s.atoms["text/plain;charset=utf-8"]
	hint := s.atoms[secretHint]
	all := map[xproto.Atom]answer{
		utf8:                 text(utf8),
		s.atoms["TEXT"]:      text(utf8), // the owner chooses the encoding
		plain:                text(plain),
		plainUTF8:            text(plainUTF8),
		hint:                 {hint, 8, []byte(secretValue)},
		s.atoms["TARGETS"]:   {}, // below: it lists itself
		s.atoms["MULTIPLE"]:  {}, // its answer depends on the question
		s.atoms["TIMESTAMP"]: numbers(xproto.AtomInteger, uint32(s.since)),
	}
	if isASCII(secret) { // STRING is Latin-1
		all[xproto.AtomString] = text(xproto.AtomString)
	}
	var list []uint32
	for target := range all {
		list = append(list, uint32(target))
	}
	all[s.atoms["TARGETS"]] = numbers(xproto.AtomAtom, list...)
	return all
}

func numbers(kind xproto.Atom, list ...uint32) answer {
	data := make([]byte, 4*len(list))
	for i, n := range list {
		xgb.Put32(data[4*i:], n)
	}
	return answer{kind, 32, data}
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7f }) < 0
}

// serve answers programs that paste until the connection has ended.
func (s *selection) serve() {
	if s.events == nil {
		return
	}
	leave := s.leave
	for {
		select {
		case event, open := <-s.events:
			if !open {
				return
			}
			switch e := event.(type) {
			case xproto.SelectionClearEvent:
				s.conn.Close() // another program has copied something
			case xproto.SelectionRequestEvent:
				s.answer(e)
			}
		case <-leave:
			leave = nil
			// The server ignores a time before the last change, so this clears
			// only this selection (ICCCM, section 2.3.1). If the connection just
			// ended, GNOME and Cinnamon would bring back the text, as for any
			// program that ends.
			xproto.SetSelectionOwner(s.conn, xproto.WindowNone, s.atoms["CLIPBOARD"], s.since)
			s.conn.Close()
		}
	}
}

// answer answers or refuses one request (ICCCM, section 2.2).
func (s *selection) answer(e xproto.SelectionRequestEvent) {
	property := e.Property
	if property == xproto.AtomNone { // a program older than the convention
		property = e.Target
	}
	early := e.Time != xproto.TimeCurrentTime && int32(e.Time-s.since) < 0 // the time wraps
	done := e.Selection == s.atoms["CLIPBOARD"] && !early
	if e.Target == s.atoms["MULTIPLE"] {
		done = done && s.putMany(e.Requestor, property)
	} else {
		done = done && s.put(e.Requestor, e.Target, property)
	}
	if !done {
		property = xproto.AtomNone
	}
	notify := xproto.SelectionNotifyEvent{Time: e.Time, Requestor: e.Requestor, Selection: e.Selection, Target: e.Target, Property: property}
	xproto.SendEvent(s.conn, false, e.Requestor, xproto.EventMaskNoEvent, string(notify.Bytes()))
}

// put sets a property of a window to the answer for target. It reports whether
// there is an answer.
func (s *selection) put(w xproto.Window, target, property xproto.Atom) bool {
	a := s.answers[target]
	if a.format == 0 {
		return false
	}
	xproto.ChangeProperty(s.conn, xproto.PropModeReplace, w, property, a.kind, a.format, uint32(len(a.data)*8/int(a.format)), a.data)
	return true
}

// putMany answers MULTIPLE (ICCCM, section 2.6.2). The property holds pairs of a
// target and the property to set. Pairs without an answer are marked in it.
func (s *selection) putMany(w xproto.Window, property xproto.Atom) bool {
	const most = 64 // pairs; there are fewer targets
	list, err := xproto.GetProperty(s.conn, false, w, property, xproto.GetPropertyTypeAny, 0, 2*most).Reply()
	if err != nil || list.Format != 32 {
		return false
	}
	pairs := list.Value
	for i := 0; i+8 <= len(pairs); i += 8 {
		target, to := xproto.Atom(xgb.Get32(pairs[i:])), xproto.Atom(xgb.Get32(pairs[i+4:]))
		if to == xproto.AtomNone || !s.put(w, target, to) {
			xgb.Put32(pairs[i+4:], xproto.AtomNone)
		}
	}
	xproto.ChangeProperty(s.conn, xproto.PropModeReplace, w, property, list.Type, 32, uint32(len(pairs)/4), pairs)
	return true
}

// clear gives the selection up and waits until that is done.
func (s *selection) clear() error {
	s.leaving.Do(func() { close(s.leave) })
	select {
	case <-s.ended:
		return nil
	case <-time.After(x11Time):
		return errSilent
	}
}
