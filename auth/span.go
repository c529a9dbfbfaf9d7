package auth

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseSpan reads a positive time span such as "30d", "12h" or "1d12h". After
// the days comes what time.ParseDuration reads.
func ParseSpan(s string) (time.Duration, error) {
	bad := fmt.Errorf(`%q is not a time span such as "30d", "12h" or "90m"`, s)
	var d time.Duration
	rest := s
	if days, after, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil || n > 36500 {
			return 0, bad
		}
		d, rest = time.Duration(n)*24*time.Hour, after
	}
	if rest != "" {
		r, err := time.ParseDuration(rest)
		if err != nil || r < 0 {
			return 0, bad
		}
		d += r
	}
	if s == "" || d <= 0 {
		return 0, bad
	}
	return d, nil
}

// FormatSpan formats d as [ParseSpan] reads it, such as "1d12h".
func FormatSpan(d time.Duration) string {
	text := ""
	if days := d / (24 * time.Hour); days > 0 {
		text, d = strconv.Itoa(int(days))+"d", d%(24*time.Hour)
	}
	if d == 0 && text != "" {
		return text
	}
	rest := d.String()
	if strings.HasSuffix(rest, "m0s") {
		rest = strings.TrimSuffix(rest, "0s")
	}
	if strings.HasSuffix(rest, "h0m") {
		rest = strings.TrimSuffix(rest, "0m")
	}
	return text + rest
}

// UntilNext is how long it is from now to the next multiple of every by the wall
// clock, which is more than 0 and every at most. What waits like this in all
// programs of this machine wakes up at the same moment.
func UntilNext(now time.Time, every time.Duration) time.Duration {
	return every - time.Duration(now.UnixNano())%every
}
