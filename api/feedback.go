package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"

	"github.com/openclaw/clawd/api/wire"
)

// feedback takes in what callers saw of their downstreams. A batch is one JSON document; a stream is one report a line,
// each of which counts as soon as its line has come, on a connection that may stay open for as long as lines come.
type feedback struct {
	sink     Feedback
	stopping <-chan struct{}
}

// Bounds of streamed feedback.
const (
	maxFeedbackLine = 64 << 10
	feedbackIdle    = 5 * time.Minute // a stream may be silent for so long
	maxBounds       = 256             // of a latency histogram
)

// post answers POST /v1/feedback.
func (f feedback) post(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	if base, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && base == wire.ContentTypeLines {
		return f.stream(w, r)
	}
	var req wire.FeedbackRequest
	if err := readJSON(w, r, maxBatchBody, &req, false); err != nil {
		return err
	}
	switch n := len(req.Reports); {
	case n == 0:
		return Invalid("reports", "is empty")
	case n > wire.MaxFeedbackReports:
		return Invalid("reports", "has %d elements, at most %d", n, wire.MaxFeedbackReports)
	}
	outcomes := make([]Reported, len(req.Reports))
	for i := range req.Reports {
		var err error
		if outcomes[i], err = reported(fmt.Sprintf("reports[%d].", i), &req.Reports[i]); err != nil {
			return err
		}
	}
	for i := range outcomes {
		if err := f.sink.Feedback(r.Context(), tenantOf(w), outcomes[i]); err != nil {
			return inReport(fmt.Sprintf("reports[%d].", i), err)
		}
	}
	writeJSON(w, http.StatusOK, wire.FeedbackResponse{Accepted: len(outcomes)})
	return nil
}

// stream takes in one report a line until the body ends. The first bad line ends it.
func (f feedback) stream(w http.ResponseWriter, r *http.Request) error {
	ctl := http.NewResponseController(w)
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(make([]byte, 0, 4096), maxFeedbackLine)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-f.stopping:
			_ = ctl.SetReadDeadline(time.Unix(1, 0)) // the node drains: what has come counts
		case <-ctx.Done():
		}
	}()
	accepted, number := 0, 0
	for {
		if err := ctl.SetReadDeadline(time.Now().Add(feedbackIdle)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		select {
		case <-f.stopping:
			writeJSON(w, http.StatusOK, wire.FeedbackResponse{Accepted: accepted})
			return nil
		default:
		}
		if !lines.Scan() {
			break
		}
		number++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := f.line(ctx, tenantOf(w), fmt.Sprintf("line[%d].", number), line); err != nil {
			return err
		}
		accepted++
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return &FieldError{Field: fmt.Sprintf("line[%d]", number+1), Reason: fmt.Sprintf("is larger than %d bytes", maxFeedbackLine), Kind: ErrTooLarge}
	}
	// A body that was cut off, or was silent for too long: what has come counts.
	writeJSON(w, http.StatusOK, wire.FeedbackResponse{Accepted: accepted})
	return nil
}

func (f feedback) line(ctx context.Context, tenant, at string, line []byte) error {
	var report wire.FeedbackReport
	if err := decodeJSON(line, &report); err != nil {
		return inReport(at, err)
	}
	outcome, err := reported(at, &report)
	if err != nil {
		return err
	}
	return inReport(at, f.sink.Feedback(ctx, tenant, outcome))
}

// inReport moves an error that names a field into the report at fault.
func inReport(at string, err error) error {
	var field *FieldError
	if errors.As(err, &field) {
		return &FieldError{Field: at + field.Field, Reason: field.Reason, Kind: field.Kind}
	}
	return err
}

// reported checks a report and makes its latency a sum.
func reported(at string, r *wire.FeedbackReport) (Reported, error) {
	out := Reported{
		Pool: r.Pool, Agent: r.Agent, Requests: float64(r.Requests), Errors: float64(r.Errors),
		LatencySum: r.LatencyMSSum / 1000, Seconds: r.WindowSeconds,
	}
	switch {
	case (r.Pool == "") == (r.Agent == ""):
		return out, Invalid(at+"pool", "or agent must name the downstream, and not both")
	case r.Requests < 0 || r.Requests > maxIncrement:
		return out, Invalid(at+"requests", "must be between 0 and %d", int64(maxIncrement))
	case r.Errors < 0 || r.Errors > r.Requests:
		return out, Invalid(at+"errors", "must be between 0 and requests")
	case !(r.LatencyMSSum >= 0 && r.LatencyMSSum <= maxLatencySum):
		return out, Invalid(at+"latency_ms_sum", "must be between 0 and %g", float64(maxLatencySum))
	case r.LatencyMSSum > 0 && r.Latency != nil:
		return out, Invalid(at+"latency_histogram", "and latency_ms_sum are both given")
	case !(r.WindowSeconds >= 0 && r.WindowSeconds <= maxWindow):
		return out, Invalid(at+"window_seconds", "must be between 0 and %d", maxWindow)
	}
	if err := checkPrefix(at+"pool", r.Pool, MaxNameBytes); err != nil {
		return out, err
	}
	if err := checkPrefix(at+"agent", r.Agent, MaxNameBytes); err != nil {
		return out, err
	}
	if r.Latency == nil {
		return out, nil
	}
	mean, err := meanLatency(at+"latency_histogram", r.Latency)
	out.LatencySum = mean * out.Requests
	return out, err
}

const (
	maxLatencySum = 1e15
	maxWindow     = 3600
)

// meanLatency is the mean of a histogram in seconds, each request taken for the middle of its bucket.
func meanLatency(field string, h *wire.LatencyHistogram) (float64, error) {
	switch {
	case len(h.BoundsMS) == 0 || len(h.BoundsMS) > maxBounds:
		return 0, Invalid(field+".bounds_ms", "must have 1 to %d elements", maxBounds)
	case len(h.Counts) != len(h.BoundsMS)+1:
		return 0, Invalid(field+".counts", "must have one element more than bounds_ms")
	}
	before, sum, n := 0.0, 0.0, 0.0
	for i, c := range h.Counts {
		if c < 0 || c > maxIncrement {
			return 0, Invalid(field+".counts", "must be between 0 and %d each", int64(maxIncrement))
		}
		bound := before * 2 // above all bounds: nobody knows how far
		if i < len(h.BoundsMS) {
			if bound = h.BoundsMS[i]; !(bound > before && bound <= maxLatencySum) {
				return 0, Invalid(field+".bounds_ms", "must be positive and ascending")
			}
		}
		sum += float64(c) * (before + bound) / 2
		n += float64(c)
		before = bound
	}
	if n == 0 {
		return 0, nil
	}
	return sum / n / 1000, nil
}
