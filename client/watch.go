package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/openclaw/clawd/api/wire"
)

// Types of an Event.
const (
	EventPut    = wire.EventPut
	EventDelete = wire.EventDelete
	EventReset  = wire.EventReset
)

// Event is one change of a key.
type Event struct {
	// Type is EventPut, EventDelete or EventReset. After EventReset the present
	// content of every watched key follows: forget what you hold.
	Type string `json:"type"`
	// ID resumes after this event when given as WatchOptions.After.
	ID string `json:"id"`
	wire.Event
}

// WatchOptions choose what a watch tells.
type WatchOptions struct {
	Prefix string // only keys that start with it
	// After is the ID of the last event seen; the changes since then come
	// first. Empty begins with the next change.
	After string
	// GiveUp is how long a stream that broke may stay broken. Default 1 min.
	GiveUp time.Duration
	// Idle is how long a stream may be silent before it counts as broken. It
	// must exceed the node's heartbeat of 15 s. Default 1 min.
	Idle time.Duration
	// Opened, if set, is called for each connection once changes from then on
	// will be told; id resumes at that point.
	Opened func(id string)
}

// Watch yields changes until ctx ends, which ends the sequence without an
// error. A stream that breaks is taken up again after the last event seen, so
// that a change may be told twice but none is lost; changes of one key in quick
// succession may be merged into the last. The sequence ends after the first
// error it yields.
func (k *KV) Watch(ctx context.Context, o WatchOptions) iter.Seq2[Event, error] {
	if o.GiveUp <= 0 {
		o.GiveUp = time.Minute
	}
	if o.Idle <= 0 {
		o.Idle = time.Minute
	}
	return func(yield func(Event, error) bool) {
		w := watch{t: k.t, options: o, last: o.After}
		for ctx.Err() == nil {
			more, err := w.follow(ctx, yield)
			if !more || ctx.Err() != nil {
				return
			}
			if !w.resume(ctx, err) {
				if ctx.Err() == nil {
					yield(Event{}, err)
				}
				return
			}
		}
	}
}

// watch is one sequence across its connections.
type watch struct {
	t       *transport
	options WatchOptions
	last    string        // id of the last event seen
	retry   time.Duration // pause the node asked for
	live    bool          // a connection was made at some time
	broken  time.Time     // since when none is; zero while there is one
	tries   int           // attempts since then
}

// follow reads one connection to its end. more is false when the consumer has
// had enough.
func (w *watch) follow(ctx context.Context, yield func(Event, error) bool) (more bool, err error) {
	c := call{
		method: http.MethodGet,
		path:   "/v1/kv",
		query:  url.Values{"watch": {"1"}},
		header: withHeader(nil, "Accept", wire.ContentTypeEvents),
	}
	if w.options.Prefix != "" {
		c.query.Set("prefix", w.options.Prefix)
	}
	if w.last != "" {
		c.header.Set("Last-Event-ID", w.last)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := w.open(ctx, c)
	if err != nil {
		return true, err
	}
	defer resp.Body.Close()
	w.live, w.broken, w.tries = true, time.Time{}, 0
	silent := time.AfterFunc(w.options.Idle, cancel)
	defer silent.Stop()
	events := newSSEReader(heard{resp.Body, silent, w.options.Idle})
	for {
		raw, err := events.next()
		if err != nil {
			return true, c.wrap(err)
		}
		if raw.retry > 0 {
			w.retry = raw.retry
		}
		e, err := decodeEvent(raw)
		if err != nil {
			return true, &badEventError{err}
		}
		if raw.id != "" {
			w.last = raw.id
		}
		if e.Type == wire.EventOpen {
			if w.options.Opened != nil {
				w.options.Opened(raw.id)
			}
			continue
		}
		if !yield(e, nil) {
			return false, nil
		}
	}
}

// heard puts off the end of a silent stream with every byte that arrives, those
// of heartbeats included.
type heard struct {
	from   io.Reader
	silent *time.Timer
	idle   time.Duration
}

func (h heard) Read(p []byte) (int, error) {
	n, err := h.from.Read(p)
	if n > 0 {
		h.silent.Reset(h.idle)
	}
	return n, err
}

// open makes the first connection by the rules of any read. Later ones are
// attempts of resume, which has rules of its own.
func (w *watch) open(ctx context.Context, c call) (*http.Response, error) {
	if w.live {
		return w.t.once(ctx, c)
	}
	return w.t.stream(ctx, c)
}

// resume waits before the next connection. It reports false when err is not
// worth another one.
func (w *watch) resume(ctx context.Context, err error) bool {
	var bad *badEventError
	if !w.live || errors.As(err, &bad) || errors.Is(err, errEventTooLong) {
		return false
	}
	ended := errors.Is(err, io.EOF) // the node closed it in good order
	if !ended && !repeatable(http.MethodGet, err) {
		return false
	}
	now := time.Now()
	if w.broken.IsZero() {
		w.broken = now
	}
	if now.Sub(w.broken) > w.options.GiveUp {
		return false
	}
	pause := max(jitter(w.t.opts.Backoff(w.tries)), w.retry)
	w.tries++
	return sleep(ctx, pause)
}

// badEventError is an event that a clawd node would not send.
type badEventError struct{ err error }

func (e *badEventError) Error() string { return fmt.Sprintf("an event does not decode: %v", e.err) }
func (e *badEventError) Unwrap() error { return e.err }

func decodeEvent(raw sseEvent) (Event, error) {
	e := Event{ID: raw.id, Type: orElse(raw.name, EventPut)}
	if len(raw.data) == 0 {
		return e, nil
	}
	return e, json.Unmarshal(raw.data, &e.Event)
}
