package api

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/openclaw/clawd/access"
)

const batchTemplate = "/v1/consume"

// batchCall is what one batch is made of. Calls are pooled.
type batchCall struct {
	// The request, as in consumeCall. The agents of checks point into body.
	caller *access.Caller
	mono   int64 // when it was admitted
	query  string
	body   []byte
	buf    bytes.Buffer
	checks []Check

	// The answer.
	status      int
	contentType []string
	decisions   []Decision
	shown       int // index of the decision the headers tell of
	out         []byte
	fields      rateFields
}

var batchCalls = sync.Pool{New: func() any { return new(batchCall) }}

// release gives a call back, unless it has grown beyond what is worth keeping.
func (call *batchCall) release() {
	if call.buf.Cap() > keepBuffer || cap(call.out) > keepBuffer {
		return
	}
	clear(call.checks) // do not keep the names alive
	call.buf.Reset()
	call.caller, call.query, call.body, call.contentType = nil, "", nil, nil
	batchCalls.Put(call)
}

// answerBatch fills the answer of call. An error means that nothing was taken.
func (c *consumer) answerBatch(ctx context.Context, call *batchCall) error {
	params, err := parseConsumeQuery(call.query)
	if err != nil {
		return err
	}
	if params.tokens > 0 {
		return Invalid("tokens", "is not a known parameter")
	}
	var atomic bool
	if call.checks, atomic, err = scanBatch(call.body, call.checks[:0]); err != nil {
		return err
	}
	if err := completeChecks(tenantName(call.caller), call.checks); err != nil {
		return err
	}
	for i := range call.checks {
		call.checks[i].Retry = params.attempt > 1
	}
	if err := meterMore(call.caller, call.mono, len(call.checks)-1); err != nil {
		return err
	}
	call.decisions = slices.Grow(call.decisions[:0], len(call.checks))[:len(call.checks)]
	binding, err := c.limiter.ConsumeBatch(ctx, call.checks, atomic, call.decisions)
	if err != nil {
		return err
	}
	call.status, call.contentType = http.StatusOK, typeJSON
	if atomic && binding >= 0 {
		call.status = params.denyStatus
	}
	if call.status != http.StatusOK {
		call.contentType = typeProblem
	}
	if call.shown = binding; binding < 0 {
		call.shown = tightest(call.decisions)
	}
	call.out = appendBatch(call.out[:0], call.status, call.checks, call.decisions, binding)
	return nil
}

// serveBatch answers POST /v1/consume behind net/http.
func (c *consumer) serveBatch(w http.ResponseWriter, r *http.Request) error {
	call := batchCalls.Get().(*batchCall)
	defer call.release()
	if err := readBody(w, r, maxBatchBody, &call.buf); err != nil {
		return err
	}
	if err := wantJSON(r.Header); err != nil {
		return err
	}
	call.caller, call.mono = callerOf(w), monoOf(w)
	call.query, call.body = r.URL.RawQuery, call.buf.Bytes()
	if err := c.answerBatch(r.Context(), call); err != nil {
		return err
	}
	h := w.Header()
	call.fields.set(h, &call.decisions[call.shown], c.legacy)
	h["Content-Type"] = call.contentType
	h["Content-Length"] = []string{strconv.Itoa(len(call.out))}
	w.WriteHeader(call.status)
	_, _ = w.Write(call.out) // the client may be gone; the decisions stand
	return nil
}

// completeChecks fills in what checks leave out and looks for what is wrong with them.
func completeChecks(tenant string, checks []Check) error {
	if len(checks) == 0 {
		return Invalid("checks", "is empty")
	}
	for i := range checks {
		c := &checks[i]
		c.Tenant = tenant
		if c.Tokens == 0 {
			c.Tokens = 1
		}
		if err := checkName("agent", c.Agent, MaxNameBytes); err != nil {
			return inCheck(i, err)
		}
	}
	return nil
}

// tightest is the decision with the least left in relation to its limit: the one the headers of a batch that was
// allowed tell of, since a list of up to ten thousand would help nobody.
func tightest(decisions []Decision) int {
	best := 0
	for i := range decisions {
		d, b := &decisions[i], &decisions[best]
		if float64(d.Remaining)*float64(b.Capacity) < float64(b.Remaining)*float64(d.Capacity) {
			best = i
		}
	}
	return best
}
