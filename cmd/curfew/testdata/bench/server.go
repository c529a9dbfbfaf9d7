// Command server is what Go takes at least to answer at a socket: the figures of
// the agent stand next to it. It needs no more than one processor either.
//
//	server echo SOCKET    sends as many bytes as a token has, whatever it reads
//	server http SOCKET    serves an answer of that size
package main

import (
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
)

func main() {
	runtime.GOMAXPROCS(1)
	l, err := net.Listen("unix", os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	answer := []byte(`{"status":"success","access_token":"` + strings.Repeat("x", 500) + `"}`)
	if os.Args[1] == "http" {
		log.Fatal(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write(answer)
		})))
	}
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer c.Close()
			request := make([]byte, 4096)
			for {
				if _, err := c.Read(request); err != nil {
					return
				}
				if _, err := c.Write(answer); err != nil {
					return
				}
			}
		}()
	}
}
