package front

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const post = "POST /v1/agents/a/consume HTTP/1.1\r\nHost: x\r\n"
	cases := []struct {
		why, in string
		want    parsed
	}{
		{"plain", post + "\r\n", whole},
		{"with a body", post + "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", whole},
		{"field names in any case", "POST /p HTTP/1.1\r\nhOST: x\r\ncontent-TYPE: Application/JSON; charset=UTF-8\r\nCONTENT-length: 0\r\n\r\n", whole},
		{"fields of no meaning here", post + "User-Agent: x\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n", whole},
		{"the first bytes of the method", "PO", partial},
		{"half a head", post, partial},
		{"half a body", post + "Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{}", partial},
		{"another method", "GET /v1/agents/a HTTP/1.1\r\n", foreign},
		{"a method that begins alike", "POSTX /a HTTP/1.1\r\n", foreign},
		{"an old version", "POST /a HTTP/1.0\r\nHost: x\r\n\r\n", foreign},
		{"no version", "POST /a\r\nHost: x\r\n\r\n", foreign},
		{"absolute form", "POST http://x/a HTTP/1.1\r\nHost: x\r\n\r\n", foreign},
		{"a space in the path", "POST /a b HTTP/1.1\r\nHost: x\r\n\r\n", foreign},
		{"no host", "POST /a HTTP/1.1\r\n\r\n", foreign},
		{"two hosts", post + "Host: y\r\n\r\n", foreign},
		{"host with a space", "POST /a HTTP/1.1\r\nHost: a b\r\n\r\n", foreign},
		{"bare line feed", "POST /a HTTP/1.1\nHost: x\n\n", foreign},
		{"space before the colon", post + "Content-Length : 2\r\n\r\n", foreign},
		{"folded field", post + "A: b\r\n c\r\n\r\n", foreign},
		{"control character in a value", post + "A: b\x01\r\n\r\n", foreign},
		{"chunked", post + "Transfer-Encoding: chunked\r\n\r\n", foreign},
		{"chunked and a length", post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", foreign},
		{"two lengths", post + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", foreign},
		{"a list of lengths", post + "Content-Length: 2, 2\r\n\r\n{}", foreign},
		{"signed length", post + "Content-Length: +2\r\n\r\n{}", foreign},
		{"empty length", post + "Content-Length:\r\n\r\n", foreign},
		{"huge length", post + "Content-Length: 999999\r\nContent-Type: application/json\r\n\r\n", foreign},
		{"absurd length", post + "Content-Length: 99999999999999999999\r\n\r\n", foreign},
		{"another content type", post + "Content-Type: text/plain\r\n\r\n", foreign},
		{"body without a type", post + "Content-Length: 2\r\n\r\n{}", foreign},
		{"close", post + "Connection: close\r\n\r\n", foreign},
		{"upgrade", post + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", foreign},
		{"expect", post + "Expect: 100-continue\r\n\r\n", foreign},
		{"encoded body", post + "Content-Encoding: gzip\r\n\r\n", foreign},
		{"request id", post + "X-Request-Id: 1\r\n\r\n", foreign},
		{"long head", post + "A: " + strings.Repeat("x", maxHead) + "\r\n\r\n", foreign},
		{"endless head", post + "A: " + strings.Repeat("x", maxHead), foreign},
		{"h2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", foreign},
		{"TLS hello", "\x16\x03\x01\x02\x00\x01", foreign},
		{"leading line", "\r\n" + post + "\r\n", foreign},
	}
	for _, c := range cases {
		var req Request
		size, got := parse([]byte(c.in), &req)
		if got != c.want {
			t.Errorf("%s: parsed as %d, want %d", c.why, got, c.want)
		}
		if got == whole && size != len(c.in) {
			t.Errorf("%s: took %d of %d bytes", c.why, size, len(c.in))
		}
		if c.want == whole { // and whatever is cut off it is only its beginning
			for i := range len(c.in) {
				if _, got := parse([]byte(c.in[:i]), &req); got != partial {
					t.Errorf("%s: the first %d bytes parsed as %d", c.why, i, got)
				}
			}
		}
	}
}

// Whatever is served here, net/http would have read as the same request of the
// same length: no two servers can disagree about where a request ends.
func FuzzParse(f *testing.F) {
	f.Add([]byte("POST /v1/agents/a/consume?tokens=2 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}POST"))
	f.Add([]byte("POST /a HTTP/1.1\r\nHost: x:80\r\nContent-Length: 0\r\nX: y\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var req Request
		size, got := parse(b, &req)
		if got != whole {
			return
		}
		rest := bytes.NewReader(b)
		r := bufio.NewReader(rest)
		std, err := http.ReadRequest(r)
		if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		body, err := io.ReadAll(std.Body)
		if err != nil {
			t.Fatalf("net/http cannot read the body: %v", err)
		}
		if left := r.Buffered() + rest.Len(); len(b)-left != size {
			t.Fatalf("took %d bytes, net/http %d", size, len(b)-left)
		}
		if std.URL.EscapedPath() != string(req.Path) && std.URL.Path != string(req.Path) || std.URL.RawQuery != string(req.Query) || !bytes.Equal(body, req.Body) {
			t.Fatalf("read %q ? %q %q, net/http %q ? %q %q", req.Path, req.Query, req.Body, std.URL.EscapedPath(), std.URL.RawQuery, body)
		}
		if std.Close || len(std.TransferEncoding) > 0 || std.Header.Get("Expect") != "" {
			t.Fatalf("a request with a meaning of its own was taken: %v", std)
		}
	})
}
