package authserver

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
)

// Transport reaches the server without a network, for tests in which time is
// virtual and sockets are not: requests are served on the caller's goroutine.
// A cut connection is an error that wraps io.EOF, and a request's context ends
// what hangs or is slow. It calls httptrace.ClientTrace.WroteRequest. Inside a
// testing/synctest bubble the Server must have been made in it too.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ server *Server }

// errCut is what a client sees when an answer never comes.
var errCut = errors.Join(errors.New("the connection was cut"), io.EOF)

func (t transport) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	ctx := r.Context()
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in := r.Clone(ctx)
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:1"
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{})
	}
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			resp, err = nil, errCut
			if ctx.Err() != nil {
				err = ctx.Err()
			}
		default:
			panic(p)
		}
	}()
	out := &recorded{header: http.Header{}, status: http.StatusOK}
	t.server.ServeHTTP(out, in)
	return &http.Response{
		Status:        strconv.Itoa(out.status) + " " + http.StatusText(out.status),
		StatusCode:    out.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        out.header,
		ContentLength: int64(out.body.Len()),
		Body:          io.NopCloser(bytes.NewReader(out.body.Bytes())),
		Request:       r,
	}, nil
}
