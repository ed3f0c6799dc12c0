package api

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/openclaw/clawd/access"
	"github.com/openclaw/clawd/api/front"
)

// Hot answers consume calls and batches in front of the router, on bytes. It takes only what it can answer with
// decisions: a request with anything wrong, and one whose call fails, goes the general way, which then says what is
// wrong. After an error nothing was taken, so that asking again takes nothing twice.
type Hot struct {
	consumer consumer
	single   series
	batch    series
	gate     Gate
	log      *slog.Logger
	now      func() time.Time
	date     atomic.Pointer[httpDate]
}

var _ front.Hot = (*Hot)(nil)

// NewHot is the front's side of the handler that NewPublic makes of the same options.
func NewHot(o Options) (*Hot, error) {
	o = o.withDefaults()
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	return &Hot{
		consumer: consumer{limiter: o.Public, legacy: o.LegacyHeaders},
		single:   m.series(http.MethodPost, consumeTemplate),
		batch:    m.series(http.MethodPost, batchTemplate),
		gate:     o.Gate, log: o.Logger, now: o.Now,
	}, nil
}

// Answer implements front.Hot.
func (h *Hot) Answer(ctx context.Context, req *front.Request, out []byte, closing bool) ([]byte, bool) {
	if h.log.Enabled(ctx, slog.LevelDebug) {
		return out, false // the general way writes the access log
	}
	if string(req.Path) == batchTemplate {
		return h.answerBatch(ctx, req, out, closing)
	}
	agent, ok := hotAgent(req.Path)
	if !ok || len(req.Body) > maxConsumeBody {
		return out, false
	}
	caller, ok := h.admit(req)
	if !ok {
		return out, false
	}
	call := consumeCalls.Get().(*consumeCall)
	defer call.release()
	call.tenant, call.agent, call.query, call.body = tenantName(caller), agent, text(req.Query), req.Body
	if err := h.consumer.answer(ctx, call); err != nil {
		return out, false
	}
	req.Done = h.now()
	a := hotAnswer{status: call.status, contentType: call.contentType[0], shown: &call.decision, closing: closing, body: call.out}
	h.single.observe(call.status, req.Done.Sub(req.Began), false)
	return h.appendAnswer(out, &a, req.Done), true
}

func (h *Hot) answerBatch(ctx context.Context, req *front.Request, out []byte, closing bool) ([]byte, bool) {
	caller, ok := h.admit(req)
	if !ok {
		return out, false
	}
	call := batchCalls.Get().(*batchCall)
	defer call.release()
	call.caller, call.mono = caller, mono(req.Began)
	call.query, call.body = text(req.Query), req.Body
	if len(call.body) == 0 || h.consumer.answerBatch(ctx, call) != nil {
		return out, false
	}
	req.Done = h.now()
	a := hotAnswer{
		status: call.status, contentType: call.contentType[0], shown: &call.decisions[call.shown],
		closing: closing, body: call.out,
	}
	h.batch.observe(call.status, req.Done.Sub(req.Began), false)
	return h.appendAnswer(out, &a, req.Done), true
}

// admit is server.admit on bytes. Whoever is refused is told so by the general way. A request that passes here and takes
// the general way after all counts twice against the tenant's rate; that is the price of an invalid one.
func (h *Hot) admit(req *front.Request) (caller *access.Caller, ok bool) {
	if h.gate == nil {
		return nil, true
	}
	caller, verdict := h.gate.Identify(access.Bearer(req.Authorization), req.Local, req.Began.UnixMilli())
	if verdict != access.Admitted || !caller.May(access.Consume) || caller.Tenant.Take(mono(req.Began), 1) > 0 {
		return nil, false
	}
	return caller, true
}

// hotAgent cuts the agent out of the path of a consume call. Escapes are rare enough to be allowed to allocate.
func hotAgent(path []byte) (string, bool) {
	const before, after = "/v1/agents/", "/consume"
	if len(path) <= len(before)+len(after) || string(path[:len(before)]) != before ||
		string(path[len(path)-len(after):]) != after {
		return "", false
	}
	segment := path[len(before) : len(path)-len(after)]
	if bytes.IndexByte(segment, '/') >= 0 {
		return "", false
	}
	name := text(segment)
	if bytes.IndexByte(segment, '%') >= 0 {
		var err error
		if name, err = url.PathUnescape(name); err != nil {
			return "", false
		}
	}
	return name, checkName("agent", name, MaxNameBytes) == nil
}

// text is b as a string without a copy. It lives as long as the connection's buffer stays as it is, that is until the
// call has been answered: see Check.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// hotAnswer is what an answer is written of.
type hotAnswer struct {
	status      int
	contentType string
	shown       *Decision // the headers tell of it
	closing     bool
	body        []byte
}

func (h *Hot) appendAnswer(b []byte, a *hotAnswer, now time.Time) []byte {
	switch a.status {
	case http.StatusOK:
		b = append(b, "HTTP/1.1 200 OK\r\nContent-Type: "...)
	case http.StatusTooManyRequests:
		b = append(b, "HTTP/1.1 429 Too Many Requests\r\nContent-Type: "...)
	default:
		b = append(b, "HTTP/1.1 403 Forbidden\r\nContent-Type: "...)
	}
	b = append(b, a.contentType...)
	b = append(b, "\r\nRatelimit: "...)
	b = appendRateField(b, a.shown)
	b = append(b, "\r\nRatelimit-Policy: "...)
	b = appendPolicyField(b, a.shown)
	if !a.shown.Allowed {
		b = append(b, "\r\nRetry-After: "...)
		b = strconv.AppendInt(b, seconds(a.shown.RetryAfter), 10)
	}
	if h.consumer.legacy {
		b = appendLegacy(b, a.shown)
	}
	b = append(b, "\r\nDate: "...)
	b = append(b, h.dateAt(now)...)
	if a.closing {
		b = append(b, "\r\nConnection: close"...)
	}
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(a.body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, a.body...)
}

// httpDate is the Date header of one second.
type httpDate struct {
	second int64
	text   string
}

func (h *Hot) dateAt(now time.Time) string {
	second := now.Unix()
	d := h.date.Load()
	if d == nil || d.second != second {
		d = &httpDate{second, now.UTC().Format(http.TimeFormat)}
		h.date.Store(d)
	}
	return d.text
}
