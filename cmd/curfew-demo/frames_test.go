//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/damage"
	"github.com/jezek/xgb/xproto"
)

// The library would print what it tries.
func init() { xgb.Logger = log.New(io.Discard, "", 0) }

// An opening is how a window came up.
type opening struct {
	content      time.Duration // from the start of its program until it had content
	looks, black int           // looks at it since it was mapped, and those that saw black
}

// An eye sees a window as the X server draws it.
type eye struct {
	conn   *xgb.Conn
	window xproto.Window // 0 until it is mapped
}

// watchOpening starts c and looks at each change of the pixels of its window,
// which the X server reports (the DAMAGE extension), until that has content and
// for a moment longer. Then it ends c.
func watchOpening(ctx context.Context, c *exec.Cmd, class string) (o opening, err error) {
	e := &eye{}
	if e.conn, err = xgb.NewConn(); err != nil {
		return o, err
	}
	defer e.conn.Close()
	events, err := e.open()
	if err != nil {
		return o, err
	}
	began := time.Now()
	if err := c.Start(); err != nil {
		return o, err
	}
	defer func() {
		c.Process.Kill()
		c.Wait()
	}()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var enough <-chan time.Time
	for {
		select {
		case event, ok := <-events:
			if !ok {
				return o, errors.New("the display has gone")
			}
			if sees, err := e.sees(event, class); err != nil || !sees {
				if err != nil {
					return o, err
				}
				continue
			}
			at := time.Since(began)
			colours, black, err := e.look()
			if err != nil {
				return o, err
			}
			o.looks++
			if black {
				o.black++
			}
			if colours >= leastColours && enough == nil {
				o.content = at
				enough = time.After(500 * time.Millisecond)
			}
		case <-enough:
			return o, nil
		case <-ctx.Done():
			return o, fmt.Errorf("no window %s with content: %w", class, ctx.Err())
		}
	}
}

// open asks for events, and returns them. The channel is closed with the connection.
func (e *eye) open() (<-chan xgb.Event, error) {
	if err := damage.Init(e.conn); err != nil {
		return nil, err
	}
	if _, err := damage.QueryVersion(e.conn, 1, 1).Reply(); err != nil {
		return nil, err
	}
	root := xproto.Setup(e.conn).DefaultScreen(e.conn).Root
	err := xproto.ChangeWindowAttributesChecked(e.conn, root, xproto.CwEventMask, []uint32{xproto.EventMaskSubstructureNotify}).Check()
	if err != nil {
		return nil, err
	}
	events := make(chan xgb.Event, 1000)
	go func() {
		defer close(events)
		for {
			event, err := e.conn.WaitForEvent()
			if event == nil && err == nil {
				return
			}
			if event != nil { // an error is that of a window that has gone
				events <- event
			}
		}
	}()
	return events, nil
}

// sees reports whether there may be something new in the window of that class.
func (e *eye) sees(event xgb.Event, class string) (bool, error) {
	switch event := event.(type) {
	case xproto.CreateNotifyEvent: // a window manager will put it into a frame
		xproto.ChangeWindowAttributes(e.conn, event.Window, xproto.CwEventMask, []uint32{xproto.EventMaskStructureNotify})
	case xproto.MapNotifyEvent:
		name, err := xproto.GetProperty(e.conn, false, event.Window, xproto.AtomWmClass, xproto.AtomString, 0, 64).Reply()
		if e.window != 0 || err != nil || !bytes.HasPrefix(name.Value, []byte(class)) {
			return false, nil
		}
		id, err := damage.NewDamageId(e.conn)
		if err == nil {
			err = damage.CreateChecked(e.conn, id, xproto.Drawable(event.Window), damage.ReportLevelRawRectangles).Check()
		}
		e.window = event.Window
		return err == nil, err
	case damage.NotifyEvent:
		return true, nil
	}
	return false, nil
}

// look returns how many colours there are in the middle of the window, and whether
// nearly all of it is black.
func (e *eye) look() (colours int, black bool, err error) {
	size, err := xproto.GetGeometry(e.conn, xproto.Drawable(e.window)).Reply()
	if err != nil {
		return 0, false, err
	}
	const height = 120 // enough for a line of text, and little to copy
	shot, err := xproto.GetImage(e.conn, xproto.ImageFormatZPixmap, xproto.Drawable(e.window),
		0, int16(size.Height/2-height/2), size.Width, height, ^uint32(0)).Reply()
	if err != nil {
		return 0, false, err
	}
	pixels := map[[3]byte]int{}
	for pixel := range slices.Chunk(shot.Data, 4) {
		pixels[[3]byte(pixel)]++
	}
	return len(pixels), pixels[[3]byte{}] > len(shot.Data)/4*9/10, nil
}

// openings starts a program n times.
func openings(t *testing.T, n int, env []string, class, program string) (took []time.Duration, looks, black int) {
	t.Helper()
	for range n {
		c := exec.Command(program)
		c.Env = env
		o, err := watchOpening(t.Context(), c, class)
		check(t, err)
		took = append(took, o.content)
		looks, black = looks+o.looks, black+o.black
	}
	slices.Sort(took)
	return took, looks, black
}
