package mcp

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// An event of a stream (HTML, section 9.2).
type event struct {
	kind, id string
	data     []byte
	retry    time.Duration
}

// readEvents calls f with each event of a stream until f says that it is enough.
func readEvents(stream io.Reader, f func(event) (enough bool, err error)) error {
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, maxMessage)
	lines.Split(scanLine)
	var e event
	for first := true; lines.Scan(); first = false {
		line := lines.Text()
		if first {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if line == "" {
			e.data = bytes.TrimSuffix(e.data, []byte("\n"))
			if enough, err := f(e); enough || err != nil {
				return err
			}
			e = event{}
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			e.kind = value
		case "id":
			if !strings.ContainsAny(value, "\x00\r\n") {
				e.id = value
			}
		case "retry":
			if ms, err := strconv.ParseUint(value, 10, 24); err == nil {
				e.retry = max(time.Duration(ms), 1) * time.Millisecond
			}
		case "data":
			if len(e.data)+len(value) > maxMessage {
				return fmt.Errorf("a message is longer than %d MB", maxMessage>>20)
			}
			e.data = append(append(e.data, value...), '\n')
		}
	}
	return lines.Err()
}

// scanLine splits at the ends of lines that a stream may have: CR LF, LF or CR.
func scanLine(data []byte, atEOF bool) (int, []byte, error) {
	i := bytes.IndexAny(data, "\r\n")
	switch {
	case i < 0:
		return 0, nil, nil // what is not ended does not count
	case data[i] == '\n':
		return i + 1, data[:i], nil
	case i+1 < len(data) && data[i+1] == '\n':
		return i + 2, data[:i], nil
	case i+1 < len(data) || atEOF:
		return i + 1, data[:i], nil
	}
	return 0, nil, nil // whether LF follows is not known yet
}
