package authserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"
)

// What a zero Config means.
const (
	DefaultClientID     = "curfew"
	DefaultUser         = "alice"
	DefaultPassword     = "alice-pw"
	DefaultAccess       = 15 * time.Minute
	DefaultMaxAge       = 30 * 24 * time.Hour
	DefaultMaxRefreshes = 20
	DefaultGrace        = 10 * time.Second
)

// None is how Config.Grace and Config.MaxRefreshes say "not at all", since
// their zero means the default.
const None = -1

// How long things wait for somebody, and how many may wait at once.
const (
	codeLifetime   = time.Minute
	deviceLifetime = 5 * time.Minute
	loginLifetime  = 12 * time.Hour
	maxKept        = 10_000 // of each kind; more are refused until some expire
	maxKeys        = 64
	maxForm        = 64 << 10
)

// A Client is a registered OAuth client.
type Client struct {
	ID     string
	Secret string // empty: a public client, which must not send one
	Name   string // for the consent page; empty: ID

	// Redirects are matched exactly, except that http URLs on a loopback IP
	// literal match with any port (RFC 8252 section 7.3).
	Redirects []string
}

// Config says what a server serves. Only Issuer has no default.
type Config struct {
	// Issuer is "scheme://host[:port]" without a path: https, or http on a
	// loopback IP literal. Requests for another Host are refused.
	Issuer  string
	Clients []Client          // nil: the public client DefaultClientID on 127.0.0.1 and [::1], path /callback
	Users   map[string]string // name to password; nil: DefaultUser with DefaultPassword

	AccessLifetime time.Duration // whole seconds; 0: DefaultAccess
	MaxAge         time.Duration // of a session, in whole seconds; 0: DefaultMaxAge
	MaxRefreshes   int           // per session; 0: DefaultMaxRefreshes
	Grace          time.Duration // 0: DefaultGrace; None: a replaced token is never answered
	DeviceInterval time.Duration // between polls of the device grant, in whole seconds; 0: 5 s

	// AutoApprove is a user as whom every authorization request is granted at
	// once, without a page. If it is empty, pages ask.
	AutoApprove string

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: discard. No token, code or password is ever logged
	Faults *Faults          // nil: honest; may be changed while the server runs
}

// check fills in the defaults and refuses what cannot work.
func (c *Config) check() error {
	if err := checkIssuer(c.Issuer); err != nil {
		return err
	}
	if c.Clients == nil {
		c.Clients = []Client{{ID: DefaultClientID, Name: "Curfew",
			Redirects: []string{"http://127.0.0.1/callback", "http://[::1]/callback"}}}
	}
	if c.Users == nil {
		c.Users = map[string]string{DefaultUser: DefaultPassword}
	}
	c.Clients, c.Users = slices.Clone(c.Clients), maps.Clone(c.Users)
	if c.AutoApprove != "" {
		if _, ok := c.Users[c.AutoApprove]; !ok {
			return fmt.Errorf("auto-approve: there is no user %q", c.AutoApprove)
		}
	}
	seen := map[string]bool{}
	for _, client := range c.Clients {
		if client.ID == "" || seen[client.ID] {
			return fmt.Errorf("client ids must be there and differ: %q", client.ID)
		}
		seen[client.ID] = true
		for _, redirect := range client.Redirects {
			if err := checkRedirect(redirect); err != nil {
				return fmt.Errorf("client %q: %w", client.ID, err)
			}
		}
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		byDef time.Duration
	}{
		{"access lifetime", &c.AccessLifetime, DefaultAccess},
		{"maximum age", &c.MaxAge, DefaultMaxAge},
		{"device interval", &c.DeviceInterval, 5 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.byDef
		}
		if *d.value < time.Second || *d.value%time.Second != 0 {
			return fmt.Errorf("%s %v: must be whole seconds, at least one", d.name, *d.value)
		}
	}
	if c.MaxRefreshes == 0 {
		c.MaxRefreshes = DefaultMaxRefreshes
	}
	if c.Grace == 0 {
		c.Grace = DefaultGrace
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || issuer != u.Scheme+"://"+u.Host {
		return fmt.Errorf("issuer %q: must be scheme://host[:port], without a path", issuer)
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("issuer %q: must be https, or http on a loopback address such as 127.0.0.1", issuer)
	}
	return nil
}

// A Server is the authorization server: an http.Handler, safe for concurrent
// use. It starts no goroutines.
type Server struct {
	cfg     Config
	host    string // of the issuer; the only Host that is served
	clients map[string]*Client
	handler http.Handler
	closed  chan struct{}
	once    sync.Once

	mu       sync.Mutex // guards everything below
	keys     []signingKey
	codes    map[string]*code
	devices  map[string]*device
	logins   map[string]*login
	sessions map[string]*session
	posts    map[string]int
	swept    time.Time
}

// Issuer returns the issuer, which is also the base of every endpoint.
func (s *Server) Issuer() string { return s.cfg.Issuer }

// New returns a server for c. It opens no port.
func New(c Config) (*Server, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("authorization server: %w", err)
	}
	s := &Server{
		cfg:      c,
		clients:  map[string]*Client{},
		closed:   make(chan struct{}),
		codes:    map[string]*code{},
		devices:  map[string]*device{},
		logins:   map[string]*login{},
		sessions: map[string]*session{},
		posts:    map[string]int{},
	}
	u, err := url.Parse(c.Issuer)
	if err != nil {
		return nil, err
	}
	s.host = u.Host
	for _, client := range c.Clients {
		s.clients[client.ID] = &client
	}
	if err := s.RollKey(); err != nil {
		return nil, err
	}
	s.handler = s.routes()
	return s, nil
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, p place, h http.HandlerFunc) { mux.Handle(pattern, s.withFaults(p, h)) }
	handle("GET /.well-known/openid-configuration", atDiscovery, s.serveMetadata)
	handle("GET /.well-known/oauth-authorization-server", atDiscovery, s.serveMetadata)
	handle("GET /jwks", atJWKS, s.serveKeys)
	handle("GET /authorize", atAuthorize, s.serveAuthorize)
	handle("POST /authorize", atAuthorize, s.serveAuthorize)
	handle("POST /token", atToken, s.serveToken)
	handle("POST /revoke", atRevoke, s.serveRevoke)
	handle("POST /device_authorization", atDevice, s.serveDeviceAuthorization)
	handle("GET /userinfo", atUserinfo, s.serveUserinfo)
	handle("POST /userinfo", atUserinfo, s.serveUserinfo)
	handle("GET /api/me", atMe, s.serveMe)
	mux.HandleFunc("GET /device", s.serveDevice)
	mux.HandleFunc("POST /device", s.serveDevice)
	mux.HandleFunc("GET /{$}", s.serveHome)

	// A page of another site may neither send our forms in the person's name
	// nor try refresh tokens from inside their browser.
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.cfg.Logger.Warn("cross-origin request refused", "path", r.URL.Path)
		s.showMessage(w, http.StatusForbidden, "Not from here", "This form was sent by another site, so nothing was done. Start again in the program that you are signing in to.")
	}))
	return guard.Handler(mux)
}

// ServeHTTP serves every endpoint. Some faults panic with
// http.ErrAbortHandler, which makes net/http cut the connection.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store") // RFC 6749 section 5.1
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Date", s.now().Format(http.TimeFormat)) // the clock that the tokens use
	if r.Host != s.host {
		// Else a name that an attacker points at 127.0.0.1 would be same-origin with us.
		s.cfg.Logger.Warn("request for another host refused", "host", r.Host)
		http.Error(w, "This server answers for "+s.host+" only.", http.StatusMisdirectedRequest)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	s.handler.ServeHTTP(w, r)
}

// Close lets go of the requests that a fault holds, so that the http.Server
// around it can shut down. It ends nothing else.
func (s *Server) Close() { s.once.Do(func() { close(s.closed) }) }

// Posts returns how many requests with that grant_type ("authorization_code",
// "refresh_token" or the device grant's URN) have reached the token endpoint,
// those met by a fault included. "" means all.
func (s *Server) Posts(grant string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if grant != "" {
		return s.posts[grant]
	}
	n := 0
	for _, v := range s.posts {
		n += v
	}
	return n
}

// Sessions returns the number of live sessions.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked(s.now())
	return len(s.sessions)
}

// Refreshes returns how many refreshes a live session has had, and whether
// there is a live session with that sid.
func (s *Server) Refreshes(sid string) (n int, live bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.sessions[sid]
	if v == nil || s.over(v.start, s.now()) {
		return 0, false
	}
	return v.count, true
}

// EndSession ends every session of a user, as an administrator would, and
// returns how many there were.
func (s *Server) EndSession(sub string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.sessions)
	maps.DeleteFunc(s.sessions, func(_ string, v *session) bool { return v.sub == sub })
	return before - len(s.sessions)
}

func (s *Server) now() time.Time { return s.cfg.Now().UTC().Round(0) }

// sweepLocked drops everything that has expired. An unknown session counts as
// an ended one.
func (s *Server) sweepLocked(now time.Time) {
	s.swept = now
	maps.DeleteFunc(s.sessions, func(_ string, v *session) bool { return s.over(v.start, now) })
	maps.DeleteFunc(s.codes, func(_ string, v *code) bool {
		return now.After(v.expires) && s.sessions[v.session] == nil // a used code is remembered as long as what it gave
	})
	maps.DeleteFunc(s.devices, func(_ string, v *device) bool { return now.After(v.expires.Add(time.Minute)) })
	maps.DeleteFunc(s.logins, func(_ string, v *login) bool { return now.After(v.at.Add(loginLifetime)) })
}

// roomLocked reports whether there is room for one thing more to remember.
func (s *Server) roomLocked(now time.Time) bool {
	full := func() bool {
		return max(len(s.codes), len(s.devices), len(s.logins), len(s.sessions)) >= maxKept
	}
	if full() || now.Sub(s.swept).Abs() >= time.Minute {
		s.sweepLocked(now)
	}
	return !full()
}

// ListenAndServe serves cfg on addr ("" means a free port of 127.0.0.1) until
// ctx ends, then shuts down and returns nil. An empty cfg.Issuer becomes the
// address it listens on. ready (if not nil) is called with the issuer once
// connections are accepted. If cfg has no issuer the server speaks plain HTTP,
// so addr must be a loopback address.
func ListenAndServe(ctx context.Context, addr string, cfg Config, ready func(issuer string)) error {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("authorization server: %w", err)
	}
	defer l.Close()
	if cfg.Issuer == "" {
		if tcp, ok := l.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
			return fmt.Errorf("authorization server: %s is not a loopback address: listen on 127.0.0.1, or set the https issuer of the proxy in front", l.Addr())
		}
		cfg.Issuer = "http://" + l.Addr().String()
	}
	s, err := New(cfg)
	if err != nil {
		return err
	}
	hs := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
	if ready != nil {
		ready(cfg.Issuer)
	}
	served := make(chan error, 1)
	go func() { served <- hs.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("authorization server: %w", err)
	case <-ctx.Done():
	}
	s.Close()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	err = hs.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		err = hs.Close() // somebody is still reading an answer; they had their time
	}
	if failed := <-served; !errors.Is(failed, http.ErrServerClosed) {
		err = errors.Join(err, failed)
	}
	return err
}
