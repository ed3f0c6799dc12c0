package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"
)

// maxEventBytes bounds one line of an event stream: a value of 1 MiB in
// base64 with room to spare.
const maxEventBytes = 4 << 20

// errEventTooLong ends a stream whose line exceeds maxEventBytes.
var errEventTooLong = errors.New("an event of the stream is too long")

// sseEvent is one server-sent event.
type sseEvent struct {
	id    string
	name  string
	data  []byte
	retry time.Duration // 0 = not stated
}

// sseReader splits a stream into events as the HTML standard describes it:
// fields on lines, a blank line ends an event, a colon at the start is a
// comment. An event cut off by the end of the stream is dropped, for its id
// must not count as seen.
type sseReader struct {
	lines *bufio.Scanner
}

func newSSEReader(r io.Reader) *sseReader {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxEventBytes)
	return &sseReader{lines}
}

// next returns the next event with data, or io.EOF.
func (s *sseReader) next() (sseEvent, error) {
	var (
		e    sseEvent
		data bool
	)
	for s.lines.Scan() {
		line := s.lines.Bytes()
		if len(line) == 0 {
			if data {
				return e, nil
			}
			e = sseEvent{id: e.id, retry: e.retry}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "id":
			e.id = string(value)
		case "event":
			e.name = string(value)
		case "data":
			if data {
				e.data = append(e.data, '\n')
			}
			e.data = append(e.data, value...)
			data = true
		case "retry":
			if ms, err := strconv.ParseInt(string(value), 10, 32); err == nil && ms >= 0 {
				e.retry = time.Duration(ms) * time.Millisecond
			}
		}
	}
	if err := s.lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = errEventTooLong
		}
		return sseEvent{}, err
	}
	return sseEvent{}, io.EOF
}
