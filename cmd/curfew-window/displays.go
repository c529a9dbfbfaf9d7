package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jezek/xgb"
)

// This file finds out which display answers, because Fyne does not look.

// checkDisplay makes sure that a display answers, because Fyne panics when none does.
func checkDisplay(ctx context.Context) error {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return nil
	}
	x11, wayland := os.Getenv("DISPLAY"), os.Getenv("WAYLAND_DISPLAY")
	if x11 == "" && wayland == "" {
		return errors.New("there is no display to show a window on")
	}
	var d net.Dialer
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	noWayland := dialAny(ctx, &d, waylandSockets(wayland))
	noX11 := dialAny(ctx, &d, x11Addresses(x11))
	switch {
	case noWayland == nil && (noX11 != nil || !admits(ctx, x11)):
		preferPlatform("wayland")
	case noWayland != nil && noX11 == nil:
		preferPlatform("x11")
	case noWayland != nil && errors.Is(noX11, errNoAddress) && x11 != "":
		return fmt.Errorf("the display does not answer: %q is not one", x11)
	case noWayland != nil && x11 != "":
		return fmt.Errorf("the display does not answer: %w", noX11)
	case noWayland != nil:
		return fmt.Errorf("the display does not answer: %w", noWayland)
	}
	return nil
}

// preferPlatform makes Fyne use one of two displays. By itself it goes by the names in
// the environment, of which one may be that of an earlier session, as in tmux.
func preferPlatform(name string) {
	if os.Getenv("FYNE_PLATFORM") == "" {
		os.Setenv("FYNE_PLATFORM", name)
	}
}

// dialAny returns nil if a display listens at one of the addresses.
func dialAny(ctx context.Context, d *net.Dialer, all []address) error {
	failed := errNoAddress
	for _, a := range all {
		c, err := d.DialContext(ctx, a.network, a.name)
		if err == nil {
			c.Close()
			return nil
		}
		failed = err
	}
	return failed
}

var errNoAddress = errors.New("it has no address")

// admits reports whether an X server lets this program in.
func admits(ctx context.Context, display string) bool {
	answer := make(chan bool, 1)
	go func() { // ends with the answer, or with this program
		c, err := xgb.NewConnDisplay(display)
		if err == nil {
			c.Close()
		}
		answer <- err == nil
	}()
	select {
	case yes := <-answer:
		return yes
	case <-ctx.Done():
		return false
	}
}

func waylandSockets(display string) []address {
	switch {
	case display == "":
		return nil
	case filepath.IsAbs(display):
		return []address{{"unix", display}}
	}
	return []address{{"unix", filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), display)}}
}

// x11Addresses returns where the server of a display like ":0", "unix:0.1" or
// "localhost:10.0" listens, on Linux in the abstract name space too. It returns
// nothing for what is not a display.
func x11Addresses(display string) []address {
	i := strings.LastIndexByte(display, ':')
	if i < 0 {
		return nil
	}
	host := display[:i]
	text, screen, _ := strings.Cut(display[i+1:], ".")
	number, err := strconv.ParseUint(text, 10, 15)
	if _, badScreen := strconv.ParseUint(screen, 10, 16); err != nil || screen != "" && badScreen != nil {
		return nil
	}
	switch {
	case host == "", host == "unix":
		path := "/tmp/.X11-unix/X" + text
		return []address{{"unix", path}, {"unix", "@" + path}}
	case filepath.IsAbs(host): // the path of a socket
		return []address{{"unix", host}, {"unix", display}}
	}
	return []address{{"tcp", net.JoinHostPort(host, strconv.FormatUint(6000+number, 10))}}
}

// An address is one to dial.
type address struct{ network, name string }
