package load

import "bytes"

// answer collects one HTTP/1.1 answer that states its length.
type answer struct {
	buf   []byte
	n     int
	whole int // length of the answer, 0 = not known yet
}

func (a *answer) reset() { a.n, a.whole = 0, 0 }

// space is where the next bytes go.
func (a *answer) space() []byte {
	if a.n == len(a.buf) {
		a.buf = append(a.buf, make([]byte, len(a.buf))...)
	}
	return a.buf[a.n:]
}

// more takes note of n more bytes, and tells whether the answer is complete
// and with which status.
func (a *answer) more(n int) (whole bool, status int) {
	a.n += n
	if a.whole == 0 {
		a.whole = length(a.buf[:a.n])
	}
	if a.whole == 0 || a.n < a.whole {
		return false, 0
	}
	const before = len("HTTP/1.1 ")
	if a.n < before+3 {
		return true, 0
	}
	for _, c := range a.buf[before : before+3] {
		status = status*10 + int(c-'0')
	}
	return true, status
}

// length is how long the answer is that begins with b, 0 when its head is not
// complete.
func length(b []byte) int {
	head := bytes.Index(b, []byte("\r\n\r\n"))
	if head < 0 {
		return 0
	}
	size := 0
	if i := bytes.Index(b[:head], []byte("Content-Length: ")); i >= 0 {
		for _, c := range b[i+len("Content-Length: "):] {
			if c < '0' || c > '9' {
				break
			}
			size = size*10 + int(c-'0')
		}
	}
	return head + len("\r\n\r\n") + size
}
