package door_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"curfew/auth/oauth/door"
)

// One connection too many closes the oldest, but not that of a request to be kept.
func TestKeep(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	began, finish := make(chan bool), make(chan bool)
	var d door.Door
	server := http.Server{ConnContext: door.Context, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		door.Keep(r)
		began <- true
		<-finish
		fmt.Fprint(w, "kept")
	})}
	go server.Serve(d.Guard(ln))
	defer server.Close()

	answer, closed := make(chan string, 1), make(chan bool)
	go func() {
		resp, err := http.Get("http://" + ln.Addr().String())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		answer <- string(b)
	}()
	<-began
	for i := range door.Most {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i == 0 {
			go func() {
				c.Read(make([]byte, 1))
				close(closed)
			}()
		}
	}
	select {
	case <-closed:
	case words := <-answer:
		t.Fatal(words)
	}
	close(finish)
	if words := <-answer; words != "kept" {
		t.Error(words)
	}
}
