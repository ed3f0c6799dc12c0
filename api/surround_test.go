package api_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/ratelimit"
)

// TestErrorKinds: the table from kind to status, as a client sees it.
func TestErrorKinds(t *testing.T) {
	var log bytes.Buffer
	b := newBench(t, api.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for _, c := range []struct {
		err    error
		status int
		field  string
	}{
		{api.Invalid("tokens", "are too many"), 400, "tokens"},
		{fmt.Errorf("node: %w", &ratelimit.FieldError{Field: "floor", Reason: "is wrong"}), 400, "floor"},
		{api.ErrConflict, 409, ""},
		{api.ErrUnavailable, 503, ""},
		{context.DeadlineExceeded, 503, ""},
	} {
		b.backend.fail = fmt.Errorf("because: %w", c.err)
		res, answer := b.do("POST /v1/agents/x/consume", "")
		p := problem(t, res, answer)
		if p.Status != c.status || p.Field != c.field {
			t.Errorf("%v became %d about %q, want %d about %q", c.err, p.Status, p.Field, c.status, c.field)
		}
		if (p.Status == 503) != (res.Header.Get("Retry-After") != "") {
			t.Errorf("%d has Retry-After %q", p.Status, res.Header.Get("Retry-After"))
		}
	}
	if log.Len() > 0 {
		t.Errorf("known kinds were logged: %s", log.String())
	}
	b.backend.fail = errors.New("the password is hunter2")
	res, answer := b.do("GET /v1/cluster", "")
	if p := problem(t, res, answer); p.Status != 500 || strings.Contains(answer, "hunter2") {
		t.Errorf("an unknown error answered %s", answer)
	}
	id := res.Header.Get("X-Request-Id")
	if !strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), id) {
		t.Errorf("the log does not tell what %s was: %s", id, log.String())
	}
}

// TestPanic: a handler that panics costs one answer, not the process.
func TestPanic(t *testing.T) {
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	b := newBench(t, api.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), Registerer: reg})
	b.backend.panics = true
	res, answer := b.do("POST /v1/agents/x/consume", "")
	if p := problem(t, res, answer); p.Status != 500 || strings.Contains(answer, "planted") {
		t.Errorf("a panic answered %s", answer)
	}
	if !strings.Contains(log.String(), "planted") || !strings.Contains(log.String(), "double_test.go") {
		t.Errorf("the log does not tell of the panic: %s", log.String())
	}
	b.backend.panics = false
	if res, answer = b.do("POST /v1/agents/x/consume", ""); res.StatusCode != 200 {
		t.Errorf("after the panic: %d %s", res.StatusCode, answer)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP clawd_http_panics_total Handlers that panicked; each is a bug.
# TYPE clawd_http_panics_total counter
clawd_http_panics_total 1
`), "clawd_http_panics_total"); err != nil {
		t.Error(err)
	}
}

// TestRequestID: the client's is repeated when it may be, and a problem always has one.
func TestRequestID(t *testing.T) {
	n := 0
	b := newBench(t, api.Options{RequestID: func() string { n++; return fmt.Sprintf("made-%d", n) }})
	for _, c := range []struct{ line, given, want string }{
		{"POST /v1/agents/x/consume", "", ""},
		{"POST /v1/agents/x/consume", "abc-1", "abc-1"},
		{"POST /v1/agents/x/consume", "a b", ""},
		{"POST /v1/agents/x/consume", strings.Repeat("a", 129), ""},
		{"POST /v1/agents/x/consume?tokens=0", "", "made-1"},
		{"POST /v1/agents/x/consume?tokens=0", "abc-2", "abc-2"},
		{"GET /nowhere", "a\x7f", "made-2"},
	} {
		var headers []string
		if c.given != "" {
			headers = []string{"X-Request-Id: " + c.given}
		}
		if res, _ := b.do(c.line, "", headers...); res.Header.Get("X-Request-Id") != c.want {
			t.Errorf("%s with %q: %q, want %q", c.line, c.given, res.Header.Get("X-Request-Id"), c.want)
		}
	}
}

// TestMetrics: series are by template and not by name, lint is content, and handlers share a registry.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	b := newBench(t, api.Options{Registerer: reg})
	if _, err := api.NewPeer(api.Options{Peer: b.backend, Registerer: reg}); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		b.do(fmt.Sprintf("POST /v1/agents/agent-%d/consume", i), "")
		b.do(fmt.Sprintf("GET /nowhere/%d", i), "")
	}
	b.do("POST /v1/agents/full/consume?tokens=1000", "")
	b.do("POST /v1/agents/full/consume", "")
	b.do("POST /v1/agents/full/consume?tokens=x", "")
	b.do("PATCH /v1/agents/full", "")
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			slices.Sort(labels)
			if c := m.GetCounter(); c != nil && c.GetValue() > 0 {
				got[strings.Join(labels, " ")] = c.GetValue()
			}
			if g := m.GetGauge(); g != nil && g.GetValue() != 0 {
				t.Errorf("%s %v is %v when nothing goes on", f.GetName(), labels, g.GetValue())
			}
		}
	}
	for labels, want := range map[string]float64{
		"/v1/agents/{agent}/consume 200 POST": 21, "/v1/agents/{agent}/consume 429 POST": 1, "/v1/agents/{agent}/consume 400 POST": 1,
		" 404 unmatched": 20, " 405 unmatched": 1,
	} {
		key := strings.Fields(labels)
		if strings.HasPrefix(labels, " ") {
			key = append(key, "")
		}
		slices.Sort(key)
		if got[strings.Join(key, " ")] != want {
			t.Errorf("%s counted %v, want %v (of %v)", labels, got[strings.Join(key, " ")], want, got)
		}
	}
	if len(got) != 5 {
		t.Errorf("%d series were made by 5 kinds of request: %v", len(got), got)
	}
}

// TestAccessLog: one line a request at debug level, none at info.
func TestAccessLog(t *testing.T) {
	for level, lines := range map[slog.Level]int{slog.LevelDebug: 2, slog.LevelInfo: 0} {
		var log bytes.Buffer
		b := newBench(t, api.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level}))})
		b.do("POST /v1/agents/a%2Fb/consume", "")
		b.do("GET /nowhere", "")
		if n := strings.Count(log.String(), "msg=request "); n != lines {
			t.Errorf("%v: %d lines, want %d: %s", level, n, lines, log.String())
		}
		if lines > 0 && !strings.Contains(log.String(), "path=/v1/agents/a%2Fb/consume status=200") {
			t.Errorf("the log does not tell the request: %s", log.String())
		}
	}
}

// TestRealServer: what only a real connection shows.
func TestRealServer(t *testing.T) {
	b := newBench(t, api.Options{})
	srv := httptest.NewServer(b.handler)
	defer srv.Close()

	send := func(raw string, halfClose bool) (*http.Response, string) {
		t.Helper()
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, raw); err != nil {
			t.Fatal(err)
		}
		if halfClose {
			_ = conn.(*net.TCPConn).CloseWrite()
		}
		method, _, _ := strings.Cut(raw, " ")
		res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		return res, string(body)
	}
	post := "POST /v1/agents/x/consume HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"

	// A body that never comes whole.
	res, answer := send(post+"Content-Length: 100\r\n\r\n{\"tokens\":1}", true)
	if p := problem(t, res, answer); p.Status != 400 || p.Field != "body" {
		t.Errorf("a half-sent request got %s", answer)
	}
	// An announced body beyond the limit is refused before it is sent.
	res, answer = send(post+"Content-Length: 100000000000\r\n\r\n", false)
	if p := problem(t, res, answer); p.Status != 413 || !res.Close {
		t.Errorf("an announced 100 GB got %d, close=%v: %s", p.Status, res.Close, answer)
	}
	// An unannounced one, while it is sent.
	res, answer = send(post+"Transfer-Encoding: chunked\r\n\r\n8000\r\n"+strings.Repeat(" ", 0x8000)+"\r\n", false)
	if p := problem(t, res, answer); p.Status != 413 {
		t.Errorf("an endless body got %s", answer)
	}
	// Chunked is fine otherwise.
	if res, answer = send(post+"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nc\r\n{\"tokens\":2}\r\n0\r\n\r\n", false); res.StatusCode != 200 {
		t.Errorf("a chunked body got %d %s", res.StatusCode, answer)
	}
	// HEAD has the headers of a GET and no body.
	res, answer = send("HEAD /v1/agents/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false)
	if res.StatusCode != 200 || answer != "" || res.ContentLength <= 0 {
		t.Errorf("HEAD got %d, length %d, %q", res.StatusCode, res.ContentLength, answer)
	}
	// Names with odd bytes on the request line.
	for path, status := range map[string]int{"/v1/agents/%zz/consume": 400, "/v1/agents/%/consume": 400, "/v1/agents/a%2Fb/consume": 200, "/v1/agents/\xff/consume": 400} {
		if res, answer = send("POST "+path+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false); res.StatusCode != status {
			t.Errorf("%s got %d %s, want %d", path, res.StatusCode, answer, status)
		}
	}
	srv.Close() // waits for the handlers
	if n := b.backend.consumed["x"]; n != 2 {
		t.Errorf("%d tokens were consumed, want the 2 of the one good request", n)
	}
}
