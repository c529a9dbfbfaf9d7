package agent

import (
	"testing"

	"curfew/auth/agent/client"
)

// What is wrong with a request is said without the names of Go's types.
func TestDecodeStrictWords(t *testing.T) {
	for body, want := range map[string]string{
		`[1]`:                          "the request cannot be read: it is a JSON array, not an object",
		`{"id": 1}`:                    "the request cannot be read: id cannot be a JSON number",
		`{"exchange": {"scope": "a"}}`: "the request cannot be read: exchange.scope cannot be a JSON string",
		``:                             "the request cannot be read: a JSON object is missing or cut off",
		`{"id": `:                      "the request cannot be read: a JSON object is missing or cut off",
		`{"nonsense": 1}`:              `the request cannot be read: unknown field "nonsense"`,
		`{} {}`:                        "the request cannot be read: something follows the JSON object",
	} {
		if err := decodeStrict([]byte(body), new(client.TokenRequest)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}
