package standin

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// A World is the web as a program behind a company's proxy sees it: the hosts
// of a stand-in have their real names, and certificates of a private authority.
// No other host exists.
type World struct {
	Proxy  string // its address, for HTTPS_PROXY
	CAFile string // the authority's certificate in PEM, for SSL_CERT_FILE

	server    *Server
	authority *x509.Certificate
	key       *ecdsa.PrivateKey

	mu    sync.Mutex
	certs map[string]*tls.Certificate
	conns chan net.Conn
}

// NewWorld shows the hosts of a stand-in until the test ends.
func NewWorld(t testing.TB, server *Server) *World {
	t.Helper()
	w := &World{server: server, certs: map[string]*tls.Certificate{}, conns: make(chan net.Conn)}
	var err error
	if w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	w.authority = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Curfew's tests"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, w.authority, w.authority, w.key.Public(), w.key)
	if err != nil {
		t.Fatal(err)
	}
	w.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(w.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.Proxy = "http://" + ln.Addr().String()
	silent := log.New(io.Discard, "", 0)
	proxy := &http.Server{Handler: http.HandlerFunc(w.connect), ErrorLog: silent}
	inner := &http.Server{Handler: server, ErrorLog: silent}
	go func() { _ = proxy.Serve(ln) }() // it ends with Close
	go func() { _ = inner.Serve(w) }()
	t.Cleanup(func() {
		_ = proxy.Close()
		_ = inner.Close()
	})
	return w
}

// connect is the proxy: it hands a tunnel over to the stand-in.
func (w *World) connect(rw http.ResponseWriter, r *http.Request) {
	host, port, err := net.SplitHostPort(r.Host)
	known := false
	for _, name := range w.server.Hosts() {
		known = known || name == host
	}
	if r.Method != http.MethodConnect || err != nil || port != "443" || !known {
		http.Error(rw, "no such host here", http.StatusBadGateway)
		return
	}
	conn, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		conn.Close()
		return
	}
	w.conns <- tls.Server(&tunnel{conn, buffered.Reader}, &tls.Config{GetCertificate: w.certificate})
}

// A tunnel is a connection of which some has been read ahead.
type tunnel struct {
	net.Conn
	ahead *bufio.Reader
}

func (t *tunnel) Read(p []byte) (int, error) { return t.ahead.Read(p) }

// certificate makes the certificate of a host.
func (w *World) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cert := w.certs[hello.ServerName]; cert != nil {
		return cert, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(int64(len(w.certs) + 2)), NotBefore: w.authority.NotBefore,
		NotAfter: w.authority.NotAfter, DNSNames: []string{hello.ServerName}}, w.authority, key.Public(), w.key)
	if err != nil {
		return nil, err
	}
	w.certs[hello.ServerName] = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return w.certs[hello.ServerName], nil
}

// Accept returns the next tunnel. With Close and Addr, a World is a
// [net.Listener] of its tunnels.
func (w *World) Accept() (net.Conn, error) {
	conn, ok := <-w.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

// Close lets nobody wait in Accept any longer.
func (w *World) Close() error { close(w.conns); return nil }

// Addr is nowhere.
func (w *World) Addr() net.Addr { return &net.TCPAddr{} }

// Transport is that of a browser in this world.
func (w *World) Transport(t testing.TB) http.RoundTripper {
	t.Helper()
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(w.CAFile)
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate: ", err)
	}
	proxy, err := url.Parse(w.Proxy)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true, Proxy: func(r *http.Request) (*url.URL, error) {
		if r.URL.Scheme == "http" { // this machine
			return nil, nil
		}
		return proxy, nil
	}}
}
