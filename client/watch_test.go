package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openclaw/clawd/api/wire"
)

const twoEvents = "retry: 1000\n\n: hello\n\nid: 1\nevent: put\ndata: {\"key\":\"a\",\"value\":\"x\"}\n\nid: 2\nevent: delete\ndata: {\"key\":\"a\"}\n\n"

// TestWatchResumes breaks the stream inside an event: that event is not
// counted as seen, and the next connection continues after the last whole one.
func TestWatchResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := (&fakeNode{t: t}).
			then(cut(200, twoEvents+"id: 3\nevent: put\ndata: {\"key\":")).
			then(fails(errRefused)).
			then(reply(503, "")).
			then(reply(200, "id: 3\nevent: put\ndata: {\"key\":\"b\",\"counter\":4}\n\n"))
		start := time.Now()
		var got []Event
		for e, err := range node.client(Options{}).KV.Watch(context.Background(), WatchOptions{Prefix: "p"}) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, e); len(got) == 3 {
				break
			}
		}
		x, four := "x", int64(4)
		want := []Event{
			{Type: EventPut, ID: "1", Event: wire.Event{Key: "a", Value: wire.Value{Text: &x}}},
			{Type: EventDelete, ID: "2", Event: wire.Event{Key: "a"}},
			{Type: EventPut, ID: "3", Event: wire.Event{Key: "b", Value: wire.Value{Counter: &four}}},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		for i, id := range []string{"", "2", "2", "2"} {
			if r := node.asked[i]; r.header.Get("Last-Event-ID") != id || r.line != "GET /v1/kv?prefix=p&watch=1" {
				t.Errorf("connection %d: %q after %q, want %q", i, r.line, r.header.Get("Last-Event-ID"), id)
			}
		}
		if took := time.Since(start); took < 3*time.Second {
			t.Errorf("three pauses took %v, although the node asked for 1s each", took)
		}
	})
}

// TestWatchGivesUp ends with the error once a node stays away.
func TestWatchGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := false
		node := &fakeNode{t: t}
		alive := reply(200, twoEvents)
		client := node.client(Options{})
		client.t.opts.HTTPClient.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			if away {
				return nil, errRefused
			}
			away = true
			return alive(r)
		})
		start := time.Now()
		var events, failures int
		for _, err := range client.KV.Watch(context.Background(), WatchOptions{GiveUp: 10 * time.Second}) {
			if err == nil {
				events++
				continue
			}
			failures++
			if !errors.Is(err, ErrUnreachable) {
				t.Errorf("got %v", err)
			}
		}
		if events != 2 || failures != 1 {
			t.Errorf("%d events and %d errors, want 2 and 1", events, failures)
		}
		if took := time.Since(start); took < 10*time.Second || took > 15*time.Second {
			t.Errorf("gave up after %v, want about 10s", took)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestWatchBeginsAgain resumes at the opening of a stream that broke before its
// first change: what happened in between is not lost.
func TestWatchBeginsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := (&fakeNode{t: t}).
			then(cut(200, "id: 0\nevent: open\ndata: {}\n\n")).
			then(reply(200, "id: 0\nevent: open\ndata: {}\n\nid: 1\nevent: reset\ndata: {}\n\n"))
		var opened []string
		o := WatchOptions{Opened: func(id string) { opened = append(opened, id) }}
		for e, err := range node.client(Options{}).KV.Watch(context.Background(), o) {
			if err != nil || e.Type != EventReset || e.ID != "1" {
				t.Errorf("got %+v, %v", e, err)
			}
			break
		}
		if got := node.asked[1].header.Get("Last-Event-ID"); got != "0" || len(opened) != 2 {
			t.Errorf("resumed after %q, opened %v", got, opened)
		}
	})
}

// TestWatchSilence takes a stream without heartbeats for broken.
func TestWatchSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := func(r *http.Request) (*http.Response, error) {
			resp, err := reply(200, "")(r)
			beats, w := io.Pipe()
			context.AfterFunc(r.Context(), func() { w.CloseWithError(r.Context().Err()) })
			go func() {
				for range 3 {
					<-time.After(40 * time.Second) // virtual: a heartbeat that comes in time
					_, _ = io.WriteString(w, ":\n\n")
				}
			}()
			resp.Body = beats
			return resp, err
		}
		node := (&fakeNode{t: t}).then(dead).then(reply(200, twoEvents))
		start := time.Now()
		for _, err := range node.client(Options{}).KV.Watch(context.Background(), WatchOptions{}) {
			if err != nil {
				t.Error(err)
			}
			break
		}
		if took := time.Since(start); took < 3*time.Minute || took > 3*time.Minute+time.Second {
			t.Errorf("took %v, want 3m: two minutes of heartbeats and one of silence", took)
		}
	})
}

// TestWatchRefused is an error at once, not a loop.
func TestWatchRefused(t *testing.T) {
	node := (&fakeNode{t: t}).then(reply(400, golden(t, "problem_invalid")))
	var errs []error
	for _, err := range node.client(Options{}).KV.Watch(context.Background(), WatchOptions{After: "nonsense"}) {
		errs = append(errs, err)
	}
	if len(errs) != 1 || !errors.Is(errs[0], ErrInvalid) {
		t.Errorf("got %v", errs)
	}
	if got := node.asked[0].header.Get("Last-Event-ID"); got != "nonsense" {
		t.Errorf("asked after %q", got)
	}
}

// TestWatchGarbage stops at what no node sends, instead of asking for it again.
func TestWatchGarbage(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON":  "id: 1\ndata: {\n\n",
		"too long": "data: " + strings.Repeat("x", maxEventBytes+1) + "\n\n",
	} {
		node := (&fakeNode{t: t}).then(reply(200, body))
		var errs []error
		for _, err := range node.client(Options{}).KV.Watch(context.Background(), WatchOptions{}) {
			errs = append(errs, err)
		}
		if len(errs) != 1 || errs[0] == nil {
			t.Errorf("%s: got %v", name, errs)
		}
	}
}

// TestWatchEndsWithContext is silent about it, also in the middle of a pause.
func TestWatchEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		node := (&fakeNode{t: t}).then(reply(200, twoEvents))
		for _, err := range node.client(Options{}).KV.Watch(ctx, WatchOptions{}) {
			if err != nil {
				t.Errorf("got %v", err)
			}
		}
		if len(node.asked) != 1 {
			t.Errorf("%d connections, want 1: the node asked for a pause of 1s", len(node.asked))
		}
	})
}

// TestSSE covers the forms the standard allows.
func TestSSE(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     []sseEvent
	}{
		{"nothing", "", nil},
		{"comment", ": ping\n\n", nil},
		{"two lines of data", "data: a\ndata: b\n\n", []sseEvent{{data: []byte("a\nb")}}},
		{"empty data", "data\n\n", []sseEvent{{}}},
		{"no space", "data:a\n\n", []sseEvent{{data: []byte("a")}}},
		{"CRLF", "id: 1\r\ndata: a\r\n\r\n", []sseEvent{{id: "1", data: []byte("a")}}},
		{"unknown field", "foo: 1\ndata: a\n\n", []sseEvent{{data: []byte("a")}}},
		{"unfinished", "data: a\n", nil},
		{"event without data", "event: x\n\ndata: a\n\n", []sseEvent{{data: []byte("a")}}},
		{"retry", "retry: 250\ndata: a\n\n", []sseEvent{{data: []byte("a"), retry: 250 * time.Millisecond}}},
		{"bad retry", "retry: soon\ndata: a\n\n", []sseEvent{{data: []byte("a")}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := readAllEvents(t, tc.in); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func readAllEvents(t *testing.T, in string) []sseEvent {
	t.Helper()
	r := newSSEReader(strings.NewReader(in))
	var got []sseEvent
	for {
		e, err := r.next()
		if errors.Is(err, io.EOF) || errors.Is(err, errEventTooLong) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
}

// FuzzSSE: whatever a stream contains, reading ends, and no data is invented.
func FuzzSSE(f *testing.F) {
	f.Add(twoEvents)
	f.Add("data: a\n\ndata")
	f.Fuzz(func(t *testing.T, in string) {
		total := 0
		for _, e := range readAllEvents(t, in) {
			total += len(e.id) + len(e.name) + len(e.data)
		}
		if total > len(in)*2 { // an id is carried over to events that name none
			t.Errorf("%d bytes out of %d", total, len(in))
		}
	})
}
