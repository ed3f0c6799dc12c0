package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/openclaw/clawd/access"
	"github.com/openclaw/clawd/api/wire"
)

// watch is the change stream: GET /v1/kv?watch=1, as server-sent events.
//
//	id: <token>         resumes after this event, by Last-Event-ID
//	event: put          open, put, delete or reset
//	data: {"key":…}     one line of JSON
//
// A comment every Heartbeat keeps an idle stream alive. A stream ends when the client goes, when the node stops, or when
// the client reads too slowly; in every case the client comes back with the last id it saw and misses nothing.
type watch struct {
	watcher  Watcher
	every    time.Duration
	bound    int64
	stopping <-chan struct{}
	gate     Gate
	now      func() time.Time
	open     atomic.Int64
}

const (
	// writeTimeout is how long a client may take to accept one event before it is taken for dead.
	writeTimeout = 10 * time.Second
	// recheckInterval is how long a stream may outlive the key it was opened with.
	recheckInterval = 500 * time.Millisecond
	// maxTokenBytes bounds Last-Event-ID.
	maxTokenBytes = 1024
)

func newWatch(b Watcher, o Options) *watch {
	return &watch{watcher: b, every: o.Heartbeat, bound: int64(o.MaxWatchers), stopping: o.Stopping, gate: o.Gate, now: o.Now}
}

// orElse serves the stream when it is asked for, else the listing, which has the same path.
func (s *watch) orElse(list handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !strings.Contains(r.URL.RawQuery, "watch") { // cheap look first: nearly all are listings
			return list(w, r)
		}
		q, err := query(r, append([]string{"watch"}, listParams...)...)
		if err != nil {
			return err
		}
		on, err := queryFlag(q, "watch")
		if err != nil {
			return err
		}
		if !on {
			q.Del("watch")
			plain := *r
			u := *r.URL
			u.RawQuery = q.Encode()
			plain.URL = &u
			return list(w, &plain)
		}
		for name := range q {
			if name != "watch" && name != "prefix" {
				return Invalid(name, "does not go with watch")
			}
		}
		prefix := q.Get("prefix")
		if err := checkPrefix("prefix", prefix, wire.MaxKeyBytes); err != nil {
			return err
		}
		return s.serve(w, r, prefix)
	}
}

func (s *watch) serve(w http.ResponseWriter, r *http.Request, prefix string) error {
	if isHead(w) {
		w.Header().Set("Content-Type", wire.ContentTypeEvents)
		return nil
	}
	token := r.Header.Get("Last-Event-ID")
	if err := checkToken(token); err != nil {
		return err
	}
	defer s.open.Add(-1)
	if s.open.Add(1) > s.bound {
		return fmt.Errorf("%w: %d change streams are open already", ErrUnavailable, s.bound)
	}
	if c := callerOf(w); c != nil {
		if !c.Tenant.Watch() {
			return &QuotaError{Tenant: c.Tenant.Name(), Quota: "watchers"}
		}
		defer c.Tenant.Unwatch()
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel() // releases the subscription
	sub, err := s.watcher.WatchKeys(ctx, tenantOf(w), prefix, token)
	if err != nil {
		return err
	}
	if rec, ok := w.(*recorder); ok {
		rec.watchers.Inc()
		defer rec.watchers.Dec()
		rec.stream = true
	}
	s.stream(ctx, w, sub, func() bool { return s.stillAdmitted(r) })
	return nil
}

// stillAdmitted tells whether the key that a stream was opened with is valid yet.
func (s *watch) stillAdmitted(r *http.Request) bool {
	if s.gate == nil {
		return true
	}
	_, verdict := s.gate.Identify(tokenOf(r), isLocal(r.RemoteAddr), s.now().UnixMilli())
	return verdict == access.Admitted
}

// stream writes changes until there is a reason to stop. Every reason is the same to the client: it resumes.
func (s *watch) stream(ctx context.Context, w http.ResponseWriter, sub Subscription, admitted func() bool) {
	h := w.Header()
	h.Set("Content-Type", wire.ContentTypeEvents)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	out := &eventWriter{w: w, ctl: http.NewResponseController(w)}
	out.buf.WriteString("retry: 1000\n")
	out.event(sub.Token, wire.EventOpen, wire.Event{})
	heartbeat := time.NewTicker(s.every)
	defer heartbeat.Stop()
	recheck := time.NewTicker(recheckInterval)
	defer recheck.Stop()
	for out.flush() {
		select {
		case c, ok := <-sub.Changes:
			if !ok {
				return
			}
			out.change(&c)
			out.drain(sub.Changes)
		case <-heartbeat.C:
			out.buf.WriteString(":\n\n")
		case <-recheck.C:
			if !admitted() {
				return
			}
		case <-ctx.Done():
			return
		case <-s.stopping:
			return
		}
	}
}

// eventWriter collects events and sends them.
type eventWriter struct {
	w   http.ResponseWriter
	ctl *http.ResponseController
	buf bytes.Buffer
}

// drain takes what else is ready, so that a burst is sent in few writes, but not more than fits well in one.
func (e *eventWriter) drain(changes <-chan Change) {
	for e.buf.Len() < 64<<10 {
		select {
		case c, ok := <-changes:
			if !ok {
				return // the next receive finds it closed
			}
			e.change(&c)
		default:
			return
		}
	}
}

func (e *eventWriter) change(c *Change) {
	switch {
	case c.Reset:
		e.event(c.Token, wire.EventReset, wire.Event{})
	case c.Deleted:
		e.event(c.Token, wire.EventDelete, wire.Event{Key: c.Record.Key})
	default:
		ev := wire.Event{
			Key: c.Record.Key, Kind: kindOf(&c.Record), ExpiresAt: instant(c.Record.ExpiresAt), Value: content(&c.Record),
		}
		if !c.Record.Counter {
			ev.ContentType, ev.ETag = typeOf(c.Record), etag(c.Record.Version)
		}
		e.event(c.Token, wire.EventPut, ev)
	}
}

func (e *eventWriter) event(token, name string, data wire.Event) {
	if token != "" {
		e.buf.WriteString("id: " + token + "\n")
	}
	e.buf.WriteString("event: " + name + "\ndata: ")
	text, err := json.Marshal(data)
	if err != nil {
		panic(err) // strings and numbers always have a JSON form
	}
	e.buf.Write(text)
	e.buf.WriteString("\n\n")
}

// flush sends what is collected; false means that the client does not take it.
func (e *eventWriter) flush() bool {
	// A server without deadlines (a test's recorder) is no reason to stop.
	if err := e.ctl.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return false
	}
	if _, err := e.w.Write(e.buf.Bytes()); err != nil {
		return false
	}
	e.buf.Reset()
	return e.ctl.Flush() == nil
}

// checkToken refuses what cannot be one of our tokens, before the backend looks at it.
func checkToken(token string) error {
	if token != "" && (len(token) > maxTokenBytes || !printable(token)) {
		return Invalid("Last-Event-ID", "is not an id of this stream")
	}
	return nil
}

// isHead tells whether the answer is to a HEAD request.
func isHead(w http.ResponseWriter) bool {
	for {
		if _, ok := w.(headWriter); ok {
			return true
		}
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = inner.Unwrap()
	}
}
