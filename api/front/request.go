package front

import (
	"bytes"
	"time"
)

// Bounds of what is served here; longer requests go to net/http.
const (
	maxHead = 4 << 10
	maxBody = 256 << 10
)

// Request is one request as it stands in the connection's buffer. Its slices
// are valid until Answer returns.
type Request struct {
	Path  []byte // as sent, still percent-encoded
	Query []byte // without the question mark
	Body  []byte

	// Began is when its last byte was read. Done is set by Answer to when the
	// answer was ready, if it has looked at the clock: each look costs.
	Began, Done time.Time

	// Authorization is the value of that field, nil when there is none.
	Authorization []byte
	// Local is whether the connection comes from this machine.
	Local bool
}

// parsed tells what stands at the beginning of a buffer.
type parsed int

const (
	whole   parsed = iota // a request that may be hot
	partial               // the beginning of one
	foreign               // anything else: for net/http to judge
)

// parse reads a request from the beginning of b. size is its length when it is
// whole, close whether the client wants the connection closed after it.
func parse(b []byte, req *Request) (size int, result parsed) {
	if len(b) < len("POST /") {
		if bytes.HasPrefix([]byte("POST /"), b) {
			return 0, partial
		}
		return 0, foreign
	}
	if string(b[:len("POST /")]) != "POST /" {
		return 0, foreign
	}
	line, rest, result := cutLine(b)
	if result != whole {
		return 0, result
	}
	if !parseTarget(line, req) {
		return 0, foreign
	}
	var h head
	for {
		line, after, result := cutLine(rest)
		if result != whole {
			return 0, tooLong(b, result)
		}
		rest = after
		if len(line) == 0 {
			break
		}
		if !h.field(line) {
			return 0, foreign
		}
	}
	if !h.hosted || h.length > maxBody || len(b)-len(rest) > maxHead || h.length > 0 && !h.json {
		return 0, foreign
	}
	if len(rest) < h.length {
		return 0, partial
	}
	req.Body, req.Authorization = rest[:h.length], h.authorization
	return len(b) - len(rest) + h.length, whole
}

// tooLong makes a head that does not end within its bound foreign.
func tooLong(b []byte, result parsed) parsed {
	if result == partial && len(b) > maxHead {
		return foreign
	}
	return result
}

// cutLine cuts a line that ends in CRLF. A bare line feed is foreign: net/http
// takes it, and so no two parsers can disagree about it.
func cutLine(b []byte) (line, rest []byte, result parsed) {
	i := bytes.IndexByte(b, '\n')
	switch {
	case i < 0 && len(b) > maxHead:
		return nil, nil, foreign
	case i < 0:
		return nil, nil, partial
	case i == 0 || b[i-1] != '\r':
		return nil, nil, foreign
	}
	return b[:i-1], b[i+1:], whole
}

// parseTarget reads "POST <path>[?<query>] HTTP/1.1".
func parseTarget(line []byte, req *Request) bool {
	const before, after = len("POST "), " HTTP/1.1"
	end := len(line) - len(after)
	if end <= before || string(line[end:]) != after {
		return false
	}
	target := line[before:end]
	for _, c := range target {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	req.Path, req.Query = target, nil
	if i := bytes.IndexByte(target, '?'); i >= 0 {
		req.Path, req.Query = target[:i], target[i+1:]
	}
	return true
}

// head is what the header fields said.
type head struct {
	length int
	sized  bool
	hosted bool
	json   bool

	authorization []byte
}

// field takes one header field. It is false for any field that has to do with
// how messages are framed or answered, but for the plain forms below; fields
// of no meaning here are skipped, as net/http's handlers skip them.
func (h *head) field(line []byte) bool {
	i := bytes.IndexByte(line, ':')
	if i <= 0 {
		return false
	}
	name, value := line[:i], trim(line[i+1:])
	if !validName(name) || !validValue(value) {
		return false
	}
	switch len(name) {
	case len("Host"):
		if fold(name, "host") {
			if h.hosted || !validHost(value) {
				return false
			}
			h.hosted = true
		}
	case len("Content-Length"):
		if fold(name, "content-length") {
			if h.sized {
				return false
			}
			h.sized = true
			return h.setLength(value)
		}
	case len("Content-Type"):
		if fold(name, "content-type") {
			if h.json {
				return false
			}
			h.json = isJSON(value)
			return h.json
		}
	case len("Authorization"):
		if fold(name, "authorization") {
			if h.authorization != nil {
				return false
			}
			h.authorization = value
			return len(value) > 0
		}
	case len("Connection"): // also Keep-Alive
		if fold(name, "connection") {
			return fold(value, "keep-alive")
		}
	}
	return !special(name)
}

func (h *head) setLength(value []byte) bool {
	if len(value) == 0 || len(value) > 6 {
		return false
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return false
		}
		h.length = h.length*10 + int(c-'0')
	}
	return true
}

// special are the fields that change what a request means or how it is
// answered; requests with one take the general path.
func special(name []byte) bool {
	switch len(name) {
	case 2:
		return fold(name, "te")
	case 6:
		return fold(name, "expect") || fold(name, "origin")
	case 7:
		return fold(name, "upgrade") || fold(name, "trailer")
	case 12:
		return fold(name, "x-request-id")
	case 14:
		return fold(name, "sec-fetch-site")
	case 15:
		return fold(name, "idempotency-key")
	case 16:
		return fold(name, "content-encoding") || fold(name, "proxy-connection")
	case 17:
		return fold(name, "transfer-encoding")
	}
	return false
}

// isJSON accepts the two forms that nearly everybody sends.
func isJSON(value []byte) bool {
	const plain = "application/json"
	if len(value) < len(plain) || !fold(value[:len(plain)], plain) {
		return false
	}
	rest := value[len(plain):]
	return len(rest) == 0 || fold(rest, "; charset=utf-8") || fold(rest, ";charset=utf-8")
}

// validName tells whether name is a token in the sense of RFC 9110.
func validName(name []byte) bool {
	for _, c := range name {
		if !tokenChar[c] {
			return false
		}
	}
	return true
}

var tokenChar = func() (t [256]bool) {
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

func validValue(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// validHost keeps to the characters of names, addresses and ports.
func validHost(value []byte) bool {
	for _, c := range value {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '.' && c != '-' && c != ':' && c != '_' && c != '[' && c != ']' {
			return false
		}
	}
	return len(value) > 0
}

// fold compares with a lower-case word, ignoring the case of letters.
func fold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
