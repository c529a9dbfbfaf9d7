package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// A request goes out as HTTP/1.0. The agent then closes the connection behind
// its answer and sends the body as it is, not in chunks. That takes so little
// that the client does without net/http, which would be set up at each start of
// a short program like `curfew token`.

// maxHeader is how long the status line and the header of an answer may be.
const maxHeader = 64 << 10

// A response is an answer of the agent. Close it after reading its body.
type response struct {
	code    int
	status  string // "404 Not Found"
	version string // of the agent, as it says
	config  string // what is wrong with config.toml, escaped
	kind    string // the type of the body
	body    io.Reader
	rest    *io.LimitedReader // what is missing of a body whose length was said
	close   func()
}

// exchange sends one request and reads the head of its answer. When ctx ends,
// so does the connection, and a read from the body with it.
func (c *Client) exchange(ctx context.Context, method, path string, header []string, body []byte) (*response, error) {
	conn, err := connect(ctx, c.socket)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	res := &response{close: func() { stop(); conn.Close() }}
	head := append([]string{method + " " + path + " HTTP/1.0", "Host: " + Host, "Content-Length: " + strconv.Itoa(len(body))}, header...)
	_, sent := conn.Write(append([]byte(strings.Join(head, "\r\n")+"\r\n\r\n"), body...))
	// The agent may have refused, and said why, before it read everything.
	if err := res.read(conn); err != nil {
		res.close()
		return nil, errors.Join(err, sent)
	}
	return res, nil
}

// read reads the head of an answer.
func (res *response) read(conn io.Reader) error {
	limited := &io.LimitedReader{R: conn, N: maxHeader}
	lines := bufio.NewReader(limited)
	line, err := lines.ReadString('\n')
	if err != nil {
		return err
	}
	version, status, _ := strings.Cut(strings.TrimSpace(line), " ")
	if res.status = status; !strings.HasPrefix(version, "HTTP/1.") {
		return errNoHTTP
	}
	digits, _, _ := strings.Cut(status, " ")
	if res.code, err = strconv.Atoi(digits); err != nil {
		return errNoHTTP
	}
	res.body = lines
	for {
		if line, err = lines.ReadString('\n'); err != nil {
			return fmt.Errorf("the header of the answer is cut off or longer than %d KB: %w", maxHeader>>10, err)
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "" {
			break
		}
		if n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 62); err == nil && strings.EqualFold(name, "Content-Length") {
			res.rest = &io.LimitedReader{R: lines, N: int64(n)}
			res.body = res.rest
		}
		switch {
		case strings.EqualFold(name, VersionHeader):
			res.version = strings.TrimSpace(value)
		case strings.EqualFold(name, ConfigHeader):
			res.config = strings.TrimSpace(value)
		case strings.EqualFold(name, "Content-Type"):
			res.kind = strings.TrimSpace(value)
		}
	}
	limited.N = math.MaxInt64 // the reader knows how much of the body to expect
	return nil
}

// lines reads a body of text, which must be whole.
func (res *response) lines(body io.Reader) (string, error) {
	b, err := io.ReadAll(body)
	if err == nil && res.rest != nil && res.rest.N > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && (res.kind != Plain || !bytes.HasSuffix(b, []byte("\n"))) {
		err = fmt.Errorf("%d bytes of %q are not lines of text", len(b), res.kind)
	}
	if err != nil {
		return "", err
	}
	return string(b), nil
}

var errNoHTTP = errors.New("the answer is not HTTP")
