// Command idle is what a Go program takes at least that serves HTTP at a socket
// and is connected to D-Bus. The figures of the tray and of the agent, which do
// both, stand next to it.
package main

import (
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/godbus/dbus/v5"
)

func main() {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(50)
	if _, err := dbus.SessionBus(); err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(l, http.NotFoundHandler()))
}
