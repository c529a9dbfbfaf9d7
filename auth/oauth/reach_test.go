package oauth

import (
	"net/http"
	"testing"
	"time"
)

// TestServerTime: any answer has the time and shows that the server is there,
// even a refusal or a redirect.
func TestServerTime(t *testing.T) {
	date := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		class  Class
		want   time.Time
	}{
		{"page", respond(200, "text/html", "<h1>", "Date", date.Format(http.TimeFormat)), 0, date},
		{"refusal", respond(404, "", "", "Date", date.Format(http.TimeFormat)), 0, date},
		{"no date", respond(200, "", "", "Date", ""), 0, time.Time{}},
		{"nonsense", respond(200, "", "", "Date", "yesterday"), 0, time.Time{}},
		{"redirect", respond(302, "", "", "Location", "https://evil.test"), 0, time.Time{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := plainClient(t, fakeIssuer, transportTo{test.answer})
			got, err := c.ServerTime(t.Context())
			if classOf(err) != test.class || !got.Equal(test.want) {
				t.Errorf("%v, %v", got, err)
			}
			if err := c.Reachable(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	c := plainClient(t, "http://127.0.0.1:1", nil)
	if err := c.Reachable(t.Context()); classOf(err) != NotSent {
		t.Errorf("class %v, %v", classOf(err), err)
	}
}
