package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
)

// client is the other end of a change stream, without a network.
type client struct {
	header http.Header
	status int
	lines  *bufio.Reader
	pipe   *io.PipeWriter
	end    func()        // hang up
	done   chan struct{} // closed when the handler has returned
}

func (c *client) Header() http.Header         { return c.header }
func (c *client) WriteHeader(status int)      { c.status = status }
func (c *client) Write(b []byte) (int, error) { return c.pipe.Write(b) }
func (c *client) Flush()                      {}

// watch opens a stream on a handler.
func watch(h http.Handler, target string, headers ...string) *client {
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	c := &client{header: http.Header{}, lines: bufio.NewReader(r), pipe: w, done: make(chan struct{})}
	c.end = func() { cancel(); _ = r.CloseWithError(errors.New("hung up")) }
	req := httptest.NewRequest(http.MethodGet, target, nil).WithContext(ctx)
	for _, s := range headers {
		name, value, _ := strings.Cut(s, ": ")
		req.Header.Set(name, value)
	}
	go func() {
		h.ServeHTTP(c, req)
		_ = w.Close()
		close(c.done)
	}()
	return c
}

// event reads up to the next empty line.
func (c *client) event(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for {
		line, err := c.lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream ended with %v after %q", err, b.String())
		}
		if line == "\n" {
			return b.String()
		}
		b.WriteString(line)
	}
}

func watchBench(t *testing.T, o api.Options) (*double, http.Handler) {
	t.Helper()
	d := newDouble()
	o.Public = d
	h, err := api.NewPublic(o)
	if err != nil {
		t.Fatal(err)
	}
	return d, h
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		d, h := watchBench(t, api.Options{Heartbeat: 10 * time.Second, Registerer: reg})
		open := func(n int) {
			t.Helper()
			if err := testutil.GatherAndCompare(reg, strings.NewReader(fmt.Sprintf(
				"# HELP clawd_http_watchers Open change streams.\n# TYPE clawd_http_watchers gauge\nclawd_http_watchers %d\n", n,
			)), "clawd_http_watchers"); err != nil {
				t.Error(err)
			}
		}
		d.changes = make(chan api.Change)
		c := watch(h, "/v1/kv?watch=1&prefix=a", "Last-Event-ID: t9")
		want := func(event string) {
			t.Helper()
			if got := c.event(t); got != event {
				t.Errorf("got\n%s, want\n%s", got, event)
			}
		}
		want("retry: 1000\nid: t0\nevent: open\ndata: {}\n")
		open(1)
		if d.token != "t9" {
			t.Errorf("resumed from %q, want t9", d.token)
		}
		if c.header.Get("Content-Type") != wire.ContentTypeEvents || c.header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers are %v", c.header)
		}
		d.changes <- api.Change{Token: "t1", Record: api.Record{Key: "a", Value: []byte("line\nbreak"), ContentType: "text/plain", Version: "v1", ExpiresAt: putExpires}}
		want(`id: t1` + "\nevent: put\n" + `data: {"key":"a","kind":"register","content_type":"text/plain","etag":"\"v1\"","expires_at":"2027-01-15T08:00:00.000Z","value":"line\nbreak"}` + "\n")
		d.changes <- api.Change{Token: "t2", Record: api.Record{Key: "an", Counter: true, Number: 0}}
		want("id: t2\nevent: put\n" + `data: {"key":"an","kind":"counter","counter":0}` + "\n")
		d.changes <- api.Change{Token: "t3", Deleted: true, Record: api.Record{Key: "a"}}
		want("id: t3\nevent: delete\ndata: {\"key\":\"a\"}\n")
		d.changes <- api.Change{Reset: true}
		want("event: reset\ndata: {}\n")
		start := time.Now()
		want(":\n")
		want(":\n")
		if d := time.Since(start); d < 10*time.Second || d > 20*time.Second {
			t.Errorf("two heartbeats in %v, want one every 10s", d)
		}
		c.end()
		<-c.done
		open(0)
	})
}

// TestWatchBurst: what is ready is sent together and in order.
func TestWatchBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, h := watchBench(t, api.Options{})
		for i := range 100 {
			d.changes <- api.Change{Token: "t" + string(rune('A'+i%26)), Deleted: true, Record: api.Record{Key: strings.Repeat("k", 1000)}}
		}
		close(d.changes)
		c := watch(h, "/v1/kv?watch=1")
		all, err := io.ReadAll(c.lines)
		if n := strings.Count(string(all), "event: delete\n"); err != nil || n != 100 {
			t.Errorf("%d events and %v, want 100", n, err)
		}
		<-c.done
	})
}

// TestWatchEnds: for every reason a stream can end for, the handler returns and its place is free again.
func TestWatchEnds(t *testing.T) {
	for name, end := range map[string]func(c *client, d *double, stopping chan struct{}){
		"client hangs up":  func(c *client, _ *double, _ chan struct{}) { c.end() },
		"backend closes":   func(_ *client, d *double, _ chan struct{}) { close(d.changes) },
		"node stops":       func(_ *client, _ *double, stopping chan struct{}) { close(stopping) },
		"client is stuck":  func(c *client, d *double, _ chan struct{}) { d.changes <- api.Change{Reset: true}; c.end() },
		"before it starts": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stopping := make(chan struct{})
				d, h := watchBench(t, api.Options{MaxWatchers: 1, Stopping: stopping})
				c := watch(h, "/v1/kv?watch=1")
				if end == nil {
					c.end()
				} else {
					c.event(t)
					end(c, d, stopping)
				}
				<-c.done
				d.changes = make(chan api.Change)
				again := watch(h, "/v1/kv?watch=1")
				if stopped := name == "node stops"; !stopped {
					again.event(t)
				} else {
					_, _ = io.Copy(io.Discard, again.lines)
				}
				again.end()
				<-again.done
			})
		})
	}
}

// TestWatchBound: more streams than allowed are refused, with a problem and not with silence.
func TestWatchBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, h := watchBench(t, api.Options{MaxWatchers: 2})
		a, b := watch(h, "/v1/kv?watch"), watch(h, "/v1/kv?watch=true")
		a.event(t)
		b.event(t)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/v1/kv?watch=1", nil))
		if p := problem(t, rec.Result(), rec.Body.String()); p.Status != 503 || rec.Header().Get("Retry-After") == "" {
			t.Errorf("the third stream got %d", p.Status)
		}
		a.end()
		<-a.done
		d.fail = api.ErrUnavailable // a refusal by the backend frees the place as well
		rec = httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/v1/kv?watch=1", nil))
		d.fail = nil
		c := watch(h, "/v1/kv?watch=1")
		c.event(t)
		for _, s := range []*client{b, c} {
			s.end()
			<-s.done
		}
	})
}

// TestWatchHead: a HEAD of the stream ends.
func TestWatchHead(t *testing.T) {
	_, h := watchBench(t, api.Options{})
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodHead, "/v1/kv?watch=1", nil))
	if rec.Code != 200 || rec.Header().Get("Content-Type") != wire.ContentTypeEvents || rec.Body.Len() != 0 {
		t.Errorf("HEAD answered %d %v", rec.Code, rec.Header())
	}
}

// TestWatchDeadline: a client of a real server that takes nothing any more is let go.
func TestWatchDeadline(t *testing.T) {
	_, h := watchBench(t, api.Options{Heartbeat: time.Millisecond})
	deadlines := 0
	w := &deadlineRecorder{ResponseRecorder: httptest.NewRecorder(), set: func() error {
		deadlines++
		if deadlines == 3 {
			return io.ErrClosedPipe
		}
		return nil
	}}
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/kv?watch=1", nil))
	if deadlines != 3 {
		t.Errorf("%d deadlines were set, want 3", deadlines)
	}
}

type deadlineRecorder struct {
	*httptest.ResponseRecorder
	set func() error
}

func (d *deadlineRecorder) SetWriteDeadline(time.Time) error { return d.set() }
