package authserver

import (
	"crypto/rand"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A device is one device authorization (RFC 8628), keyed by its device code.
type device struct {
	client   *Client
	scope    string
	userCode string
	expires  time.Time
	interval time.Duration
	polled   time.Time

	sub      string // who decided; empty: nobody yet
	denied   bool
	authTime time.Time
}

// userCodeLetters has no vowels, so that no code reads as a word, and nothing
// that looks like something else (RFC 8628 section 6.1).
const userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"

func newUserCode() (string, error) {
	var b strings.Builder
	for i := range 8 {
		if i == 4 {
			b.WriteByte('-')
		}
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(userCodeLetters))))
		if err != nil {
			return "", err
		}
		b.WriteByte(userCodeLetters[n.Int64()])
	}
	return b.String(), nil
}

// plainUserCode forgives how people type.
func plainUserCode(typed string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(userCodeLetters, r) {
			return r
		}
		return -1
	}, strings.ToUpper(typed))
}

func (s *Server) serveDeviceAuthorization(w http.ResponseWriter, r *http.Request) {
	f, client, err := s.clientForm(r)
	if err != nil {
		s.writeError(w, err)
		return
	}
	scope := f.Get("scope")
	if scope == "" {
		scope = "profile"
	}
	if !scopeForm.MatchString(scope) {
		s.writeError(w, badRequest("invalid_scope", "The scope is malformed."))
		return
	}
	userCode, err := newUserCode()
	if err != nil {
		s.writeError(w, err)
		return
	}
	deviceCode := rand.Text()
	s.mu.Lock()
	now := s.now()
	room := s.roomLocked(now) && s.deviceLocked(userCode, now) == nil
	if room {
		s.devices[deviceCode] = &device{client: client, scope: scope, userCode: userCode, expires: now.Add(deviceLifetime), interval: s.cfg.DeviceInterval}
	}
	s.mu.Unlock()
	if !room {
		s.writeError(w, errNoRoom)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"device_code":               deviceCode,
		"user_code":                 userCode,
		"verification_uri":          s.cfg.Issuer + "/device",
		"verification_uri_complete": s.cfg.Issuer + "/device?user_code=" + userCode,
		"expires_in":                int(deviceLifetime / time.Second),
		"interval":                  int(s.cfg.DeviceInterval / time.Second),
	})
}

// deviceLocked finds the undecided device that shows a user code.
func (s *Server) deviceLocked(userCode string, now time.Time) *device {
	userCode = plainUserCode(userCode)
	for _, d := range s.devices {
		if plainUserCode(d.userCode) == userCode && d.sub == "" && !now.After(d.expires) {
			return d
		}
	}
	return nil
}

// serveDevice is the page on which a person lets a device in. It asks for the
// password each time: here a code from somebody else is the attack (RFC 8628
// section 5.4), so nothing happens by one click.
func (s *Server) serveDevice(w http.ResponseWriter, r *http.Request) {
	p := page{Name: "device", Action: "/device", UserCode: r.URL.Query().Get("user_code"), Demo: s.isDemo()}
	if r.Method != http.MethodPost {
		s.mu.Lock()
		d := s.deviceLocked(p.UserCode, s.now())
		if d != nil && s.cfg.AutoApprove != "" {
			d.sub, d.authTime = s.cfg.AutoApprove, s.now()
		}
		if d != nil {
			p.Client = d.client.name()
		}
		s.mu.Unlock()
		if d != nil && s.cfg.AutoApprove != "" {
			s.showMessage(w, http.StatusOK, "The device is signed in", "You can close this page.")
			return
		}
		s.show(w, http.StatusOK, p)
		return
	}
	f, err := form(r)
	if err != nil {
		s.showMessage(w, http.StatusBadRequest, "That did not work", "The form was damaged on its way. Go back and try again.")
		return
	}
	p.UserCode, p.User = f.Get("user_code"), f.Get("username")
	name, allow := userName(p.User), f.Get("do") == "allow"
	if !s.checkPassword(name, f.Get("password")) {
		s.cfg.Logger.Info("device sign-in failed")
		p.Problem = "That name and password do not belong together. Try again."
		s.show(w, http.StatusForbidden, p)
		return
	}
	s.mu.Lock()
	d := s.deviceLocked(p.UserCode, s.now())
	if d != nil {
		d.sub, d.denied, d.authTime = name, !allow, s.now()
	}
	s.mu.Unlock()
	switch {
	case d == nil:
		p.Problem, p.UserCode = "No device shows that code now. Codes last five minutes: check it, or start again on the device.", ""
		s.show(w, http.StatusForbidden, p)
	case allow:
		s.cfg.Logger.Info("device approved", "client", d.client.ID, "user", name)
		s.showMessage(w, http.StatusOK, "The device is signed in", "You can close this page.")
	default:
		s.cfg.Logger.Info("device refused", "client", d.client.ID, "user", name)
		s.showMessage(w, http.StatusOK, "The device was refused", "It gets no access. You can close this page.")
	}
}

// pollSlack forgives a client whose timer or network is a little early.
const pollSlack = 100 * time.Millisecond

// poll answers the device (RFC 8628 section 3.5).
func (s *Server) poll(client *Client, f url.Values) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	d := s.devices[f.Get("device_code")]
	if d == nil || d.client != client {
		return nil, badRequest("invalid_grant", "The device code is unknown.")
	}
	early := !d.polled.IsZero() && now.Sub(d.polled) < d.interval-pollSlack
	d.polled = now
	switch {
	case now.After(d.expires):
		return nil, badRequest("expired_token", "The device code has expired.")
	case early:
		d.interval += 5 * time.Second
		return nil, badRequest("slow_down", "Wait five seconds longer between polls.")
	case d.denied:
		delete(s.devices, f.Get("device_code"))
		return nil, badRequest("access_denied", "The person refused.")
	case d.sub == "":
		return nil, badRequest("authorization_pending", "The person has not decided yet.")
	}
	answer, _, err := s.startLocked(now, client, d.sub, d.scope, "", d.authTime)
	if err == nil {
		delete(s.devices, f.Get("device_code"))
	}
	return answer, err
}
