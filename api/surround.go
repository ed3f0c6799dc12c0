package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openclaw/clawd/access"
	"github.com/openclaw/clawd/api/wire"
)

// unmatched is the route label of requests that fit no route, so that a scan of paths makes no series.
const unmatched = "unmatched"

// recorder is a ResponseWriter that knows what was written. Recorders are pooled; one is a request's at a time.
type recorder struct {
	http.ResponseWriter
	status int // 0 = nothing written yet
	id     string
	stream bool // long on purpose: not for the histogram

	watchers prometheus.Gauge // of the open change streams

	caller *access.Caller // nil without a gate
	mono   int64          // when the request was admitted
}

var recorders = sync.Pool{New: func() any { return new(recorder) }}

// WriteHeader passes the status on and remembers it.
func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 {
		rec.status = status
	}
	rec.ResponseWriter.WriteHeader(status)
}

// Write passes on.
func (rec *recorder) Write(b []byte) (int, error) {
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	return rec.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

// surround is what every route has around its handler: request id, errors made problems, panics survived, metrics and
// the access log.
func (s *server) surround(rt route) http.Handler {
	series := s.metrics.series(rt.method, rt.template)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.Now()
		rec := recorders.Get().(*recorder)
		*rec = recorder{ResponseWriter: w, watchers: s.metrics.watchers}
		series.inFlight.Inc()
		defer func() {
			cut := s.recovered(rec, r, recover())
			series.inFlight.Dec()
			s.finish(rec, r, &series, start)
			*rec = recorder{}
			recorders.Put(rec)
			if cut {
				panic(http.ErrAbortHandler)
			}
		}()
		if v := r.Header["X-Request-Id"]; len(v) > 0 && plainID(v[0]) {
			rec.id = v[0]
			w.Header()["X-Request-Id"] = []string{rec.id}
		}
		err := s.admit(rec, r, rt.needs)
		if err == nil {
			err = rt.handle(rec, r)
		}
		if err != nil {
			s.fail(rec, r, err)
		}
	})
}

// recovered deals with a panic of the handler. It tells whether the connection must be cut, since part of an answer is
// out already and must not look complete.
func (s *server) recovered(rec *recorder, r *http.Request, p any) (cut bool) {
	if p == nil {
		return false
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // what was panicked with, not an error that was returned
		return true
	}
	s.name(rec)
	s.Logger.LogAttrs(r.Context(), slog.LevelError, "handler panicked", slog.String("request_id", rec.id),
		slog.String("method", r.Method), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	s.metrics.panics.Inc()
	if rec.status != 0 {
		return true
	}
	problem := blank(http.StatusInternalServerError)
	problem.RequestID = rec.id
	writeProblem(rec, problem)
	return false
}

// fail writes the problem that err is. When the answer has begun, it can only be cut.
func (s *server) fail(rec *recorder, r *http.Request, err error) {
	p, internal := problemOf(err)
	s.name(rec)
	if internal {
		s.Logger.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("request_id", rec.id),
			slog.String("method", r.Method), slog.Any("error", err))
	}
	if rec.status != 0 {
		panic(http.ErrAbortHandler)
	}
	if p.Status == http.StatusServiceUnavailable {
		rec.Header().Set("Retry-After", "1")
	}
	explain(rec.Header(), p.Status, err)
	p.RequestID = rec.id
	writeProblem(rec, p)
}

// explain sets the header fields that go with a problem.
func explain(h http.Header, status int, err error) {
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="clawd"`)
	}
	var quota *QuotaError
	if errors.As(err, &quota) && quota.Wait > 0 {
		h.Set("Retry-After", strconv.FormatInt(seconds(quota.Wait), 10))
	}
}

// name gives the request an id unless its client did. Only answers that somebody may ask about get one.
func (s *server) name(rec *recorder) {
	if rec.id == "" {
		rec.id = s.RequestID()
		rec.Header()["X-Request-Id"] = []string{rec.id}
	}
}

// finish counts the request and logs it at debug level.
func (s *server) finish(rec *recorder, r *http.Request, series *series, start time.Time) {
	took := s.Now().Sub(start)
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	series.observe(rec.status, took, rec.stream)
	if ctx := context.WithoutCancel(r.Context()); s.Logger.Enabled(ctx, slog.LevelDebug) {
		s.Logger.LogAttrs(ctx, slog.LevelDebug, "request", slog.String("method", r.Method),
			slog.String("path", r.URL.EscapedPath()), slog.Int("status", rec.status), slog.Duration("took", took),
			slog.String("remote", r.RemoteAddr), slog.String("request_id", rec.id))
	}
}

// Refuse answers with the problem an error is, for handlers that are not of this package.
func Refuse(w http.ResponseWriter, err error) {
	p, _ := problemOf(err)
	writeProblem(w, p)
}

// writeProblem writes a problem document with its own status.
func writeProblem(w http.ResponseWriter, p wire.Problem) {
	h := w.Header()
	h["Content-Type"] = typeProblem
	h.Del("Etag")
	writeBody(w, p.Status, p)
}

// writeJSON writes v with a status.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header()["Content-Type"] = typeJSON
	writeBody(w, status, v)
}

func writeBody(w http.ResponseWriter, status int, v any) {
	buf := jsonBuffers.Get().(*jsonBuffer)
	defer buf.release()
	if err := buf.enc.Encode(v); err != nil {
		panic(fmt.Errorf("encode %T: %w", v, err)) // a wire type without a JSON form
	}
	w.Header()["Content-Length"] = []string{strconv.Itoa(buf.Len())}
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes()) // the client may be gone
}

// jsonBuffer is an encoder with its buffer.
type jsonBuffer struct {
	bytes.Buffer
	enc *json.Encoder
}

var jsonBuffers = sync.Pool{New: func() any {
	b := new(jsonBuffer)
	b.enc = json.NewEncoder(&b.Buffer)
	b.enc.SetEscapeHTML(false) // names look as they were given
	return b
}}

func (b *jsonBuffer) release() {
	if b.Cap() <= keepBuffer {
		b.Reset()
		jsonBuffers.Put(b)
	}
}

// countedIDs names requests by a random prefix, drawn once, and a count.
func countedIDs() func() string {
	var prefix [6]byte
	_, _ = rand.Read(prefix[:]) // never fails
	text := hex.EncodeToString(prefix[:]) + "-"
	var n atomic.Uint64
	return func() string { return text + strconv.FormatUint(n.Add(1), 10) }
}

// plainID tells whether a client's request id may go into headers and logs.
func plainID(id string) bool { return id != "" && len(id) <= 128 && printable(id) }

// printable tells whether s is ASCII without spaces and control characters.
func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
