package oauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
)

// deviceServer is a testServer whose token endpoint gives these answers to
// polls, in turn, and then tokens. It notes when it was asked.
type deviceServer struct {
	*testServer
	device  map[string]any
	answers []http.HandlerFunc
	polls   []time.Time
}

func newDeviceServer(answers ...http.HandlerFunc) *deviceServer {
	d := &deviceServer{testServer: newServer(), answers: answers, device: map[string]any{
		"device_code": "dc-secret", "user_code": "WDJB-MJHT", "verification_uri": fakeIssuer + "/activate",
		"verification_uri_complete": fakeIssuer + "/activate?user_code=WDJB-MJHT", "expires_in": 600, "interval": 5,
	}}
	d.URL = fakeIssuer
	d.handle["/device"] = func(w http.ResponseWriter, r *http.Request) { writeJSON(w, 200, d.device) }
	d.token = func(w http.ResponseWriter, r *http.Request) bool {
		i := len(d.polls)
		d.polls = append(d.polls, time.Now())
		if i < len(d.answers) {
			d.answers[i](w, r)
			return true
		}
		return false
	}
	return d
}

func (d *deviceServer) client(t *testing.T, transport http.RoundTripper) *Client {
	return d.testServer.client(t, func(c *Config) { c.Transport = transport })
}

// pauses returns the time before each poll.
func (d *deviceServer) pauses(start time.Time) (pauses []time.Duration) {
	for _, at := range d.polls {
		pauses = append(pauses, at.Sub(start))
		start = at
	}
	return pauses
}

var (
	pending  = respond(400, appJSON, `{"error":"authorization_pending"}`)
	slowDown = respond(400, appJSON, `{"error":"slow_down"}`)
)

// TestDevicePending: Twitch says in words what others give as a code.
func TestDevicePending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDeviceServer(respond(400, appJSON, `{"status":400,"message":"authorization_pending"}`), respond(400, appJSON, `{"status":400,"message":"slow_down"}`))
		d.device["verification_uri"] = fakeIssuer + "/#/device?a=b c"
		flow, err := d.client(t, transportTo{d}).StartDevice(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if flow.VerificationURI != fakeIssuer+"/#/device?a=b%20c" {
			t.Error(flow.VerificationURI)
		}
		if g, err := flow.Wait(t.Context()); err != nil || g.AccessToken.IsZero() {
			t.Error(err)
		}
	})
}

func TestDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDeviceServer(pending, slowDown, pending, slowDown, pending)
		flow, err := d.client(t, transportTo{d}).StartDevice(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if flow.UserCode != "WDJB-MJHT" || flow.VerificationURI != fakeIssuer+"/activate" || flow.VerificationURIComplete == "" || flow.ExpiresAt.Sub(start).Round(time.Second) != 10*time.Minute {
			t.Errorf("%+v", flow)
		}
		g, err := flow.Wait(t.Context())
		if err != nil || g.Identity.Subject != "alice" || g.RefreshToken.IsZero() {
			t.Fatalf("%+v, %v", g, err)
		}
		for i, want := range []time.Duration{5, 5, 10, 10, 15, 15} {
			if got := d.pauses(start)[i]; got != want*time.Second {
				t.Errorf("poll %d after %v, want %v s", i, got, int(want))
			}
		}
		if p := d.posts[0]; p.Get("device_code") != "dc-secret" || p.Get("grant_type") != "urn:ietf:params:oauth:grant-type:device_code" || p.Get("client_id") != "curfew" {
			t.Errorf("poll %v", p)
		}
	})
}

// TestDeviceTrouble: polling backs off after trouble, until the server answers.
func TestDeviceTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDeviceServer(pending, slowDown, respond(503, "", ""), respond(502, "text/html", "<h1>"), pending, respond(200, "text/html", "<h1>"))
		offline := 0
		flow, err := d.client(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			if len(d.polls) == 5 && offline < 2 {
				offline++
				return nil, errors.New("no network")
			}
			return transportTo{d}.RoundTrip(r)
		})).StartDevice(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if g, err := flow.Wait(t.Context()); err != nil || g.AccessToken.IsZero() {
			t.Fatalf("%v", err)
		}
		// 10 s after slow_down, twice that for each trouble in a row, up to a minute.
		// Before the sixth poll it was offline at 10 s and 20 s more.
		want := []time.Duration{5, 5, 10, 20, 40, 10 + 20 + 40, 60}
		for i := range want {
			want[i] *= time.Second
		}
		if got := d.pauses(start); !slices.Equal(got, want) {
			t.Errorf("pauses %v, want %v", got, want)
		}
	})
}

func TestDeviceEnds(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		class  Class
		want   string
	}{
		{"denied", respond(400, appJSON, `{"error":"access_denied"}`), Denied, "access_denied"},
		{"expired", respond(400, appJSON, `{"error":"expired_token"}`), Cancelled, "in time"},
		{"expired, as Entra says it", respond(400, appJSON, `{"error":"code_expired"}`), Cancelled, "in time"},
		{"declined, as Entra says it", respond(400, appJSON, `{"error":"authorization_declined"}`), Denied, "authorization_declined"},
		{"no session has ended", respond(400, appJSON, `{"error":"invalid_grant"}`), HeldBack, "invalid_grant"},
		{"bad client", respond(401, appJSON, `{"error":"invalid_client"}`), HeldBack, "invalid_client"},
		{"redirect", respond(307, "", "", "Location", "https://evil.test"), Protocol, "never followed"},
		{"bad tokens", respond(200, appJSON, `{"access_token":"a","token_type":"mac"}`), Protocol, "token_type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDeviceServer(pending, test.answer)
				flow, err := d.client(t, transportTo{d}).StartDevice(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := flow.Wait(t.Context()); classOf(err) != test.class || !strings.Contains(err.Error(), test.want) {
					t.Errorf("class %v, %v", classOf(err), err)
				}
				if len(d.polls) != 2 {
					t.Errorf("%d polls", len(d.polls))
				}
			})
		})
	}
	t.Run("nobody comes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDeviceServer()
			d.token = func(w http.ResponseWriter, r *http.Request) bool { pending(w, r); return true }
			flow, err := d.client(t, transportTo{d}).StartDevice(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			if _, err := flow.Wait(t.Context()); classOf(err) != Cancelled || !strings.Contains(err.Error(), "in time") {
				t.Errorf("error %v", err)
			}
			if took := time.Since(start).Round(time.Second); took != 10*time.Minute {
				t.Errorf("took %v", took)
			}
		})
	})
	t.Run("the caller gives up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDeviceServer(pending)
			flow, err := d.client(t, transportTo{d}).StartDevice(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
			defer cancel()
			if _, err := flow.Wait(ctx); classOf(err) != Cancelled || !strings.Contains(err.Error(), "cancelled") {
				t.Errorf("error %v", err)
			}
		})
	})
}

func TestDeviceAnswers(t *testing.T) {
	for _, test := range []struct {
		name  string
		key   string
		value any
		ok    bool
	}{
		{"good", "unknown", 1, true},
		{"Google's spelling", "verification_url", fakeIssuer + "/other", true},
		{"no complete URI", "verification_uri_complete", nil, true},
		{"interval as digits", "interval", "7", true},
		{"no interval", "interval", nil, true},
		{"a number as user code", "user_code", 123456, true},
		{"user code with a line end", "user_code", "ABCD\n", true},
		{"a page behind a #", "verification_uri", fakeIssuer + "/#/device", true},
		{"a complete page behind a #", "verification_uri_complete", fakeIssuer + "/#/device?code=x", true},
		{"no device code", "device_code", nil, false},
		{"device code with a line break", "device_code", "a\nb", false},
		{"no user code", "user_code", "", false},
		{"hostile user code", "user_code", "AB\u202eCD", false},
		{"endless user code", "user_code", strings.Repeat("A", 1000), false},
		{"script", "verification_uri", "javascript:alert(1)", false},
		{"file", "verification_uri", "file:///bin/sh", false},
		{"plain http", "verification_uri", "http://id.example.test", false},
		{"script behind", "verification_uri_complete", "javascript:alert(1)", false},
		{"no life", "expires_in", nil, false},
		{"dead", "expires_in", -1, false},
		{"negative interval", "interval", -5, false},
		{"word", "interval", "soon", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDeviceServer()
			if d.device[test.key] = test.value; test.value == nil {
				delete(d.device, test.key)
			}
			_, err := d.client(t, transportTo{d}).StartDevice(t.Context())
			if (err == nil) != test.ok || !test.ok && classOf(err) != Protocol {
				t.Errorf("class %v, %v", classOf(err), err)
			}
		})
	}
	for name, h := range map[string]http.HandlerFunc{
		"unauthorized_client": respond(400, appJSON, `{"error":"unauthorized_client"}`),
		"not a JSON object":   respond(200, appJSON, `[]`),
		"duplicate":           respond(200, appJSON, `{"a":1,"a":2}`),
		"never followed":      respond(307, "", "", "Location", "https://evil.test"),
	} {
		d := newDeviceServer()
		d.handle["/device"] = h
		if _, err := d.client(t, transportTo{d}).StartDevice(t.Context()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDeviceClient(t *testing.T) {
	d := newDeviceServer()
	var form, user string
	d.handle["/device"] = func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		form = r.PostForm.Encode()
		user, _, _ = r.BasicAuth()
		writeJSON(w, 200, d.device)
	}
	secret := func(c *Config) { c.Transport, c.ClientSecret = transportTo{d}, auth.NewSecret("x") }
	if _, err := d.testServer.client(t, secret).StartDevice(t.Context()); err != nil || user != "curfew" || strings.Contains(form, "client_secret") {
		t.Errorf("user %q, form %s, %v", user, form, err)
	}
	d.metadata = func(doc map[string]any) {
		doc["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
	}
	if _, err := d.testServer.client(t, secret).StartDevice(t.Context()); err != nil || user != "" || form != "client_id=curfew&client_secret=x&scope=openid" {
		t.Errorf("user %q, form %s, %v", user, form, err)
	}
	d.metadata = func(doc map[string]any) { delete(doc, "device_authorization_endpoint") }
	if _, err := d.client(t, transportTo{d}).StartDevice(t.Context()); classOf(err) != HeldBack || !strings.Contains(err.Error(), "sign in with the browser") {
		t.Errorf("error %v", err)
	}
}

// TestDeviceCancelled: x/oauth2 sends this request without the caller's
// context; the guard puts it back.
func TestDeviceCancelled(t *testing.T) {
	d := newDeviceServer()
	c := d.client(t, transportTo{d})
	if _, failed := c.discover(t.Context()); failed != nil {
		t.Fatal(failed)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.StartDevice(ctx); classOf(err) != Cancelled {
		t.Errorf("error %v", err)
	}
}
