// Command asks is the least that a command line with cobra takes to print a token:
// its packages are made ready as those of curfew are, and then one question goes
// to the agent by system calls, and its answer is not read as JSON.
//
//	asks SOCKET
package main

import (
	"bytes"
	"log"
	"os"
	"syscall"

	_ "encoding/json"

	_ "github.com/spf13/cobra"
)

func main() {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err == nil {
		err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: os.Args[1]})
	}
	if err == nil {
		_, err = syscall.Write(fd, []byte("POST /v1/accounts/work/token HTTP/1.0\r\nHost: curfew\r\nCurfew-Program: bench\r\n\r\n"))
	}
	answer := make([]byte, 4096)
	n := 0
	if err == nil {
		n, err = syscall.Read(fd, answer)
	}
	if err != nil {
		log.Fatal(err)
	}
	_, token, _ := bytes.Cut(answer[:n], []byte(`"access_token":"`))
	token, _, ok := bytes.Cut(token, []byte(`"`))
	if !ok {
		log.Fatalf("no token: %s", answer[:n])
	}
	os.Stdout.Write(append(token, '\n'))
}
