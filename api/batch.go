package api

import (
	"bytes"
	"net/http"
	"sync"
)

// batchCall is what one batch is made of. Calls are pooled.
type batchCall struct {
	body      bytes.Buffer
	checks    []Check
	decisions []Decision
	out       []byte
	fields    rateFields
}

var batchCalls = sync.Pool{New: func() any { return new(batchCall) }}

// release gives a call back, unless it has grown beyond what is worth keeping.
func (call *batchCall) release() {
	if call.body.Cap() > keepBuffer || cap(call.out) > keepBuffer {
		return
	}
	clear(call.checks) // do not keep the names alive
	call.checks, call.decisions, call.out = call.checks[:0], call.decisions[:0], call.out[:0]
	call.body.Reset()
	batchCalls.Put(call)
}

// serveBatch answers POST /v1/consume.
func (c *consumer) serveBatch(w http.ResponseWriter, r *http.Request) error {
	params, err := parseConsumeQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	if params.tokens > 0 {
		return Invalid("tokens", "is not a known parameter")
	}
	call := batchCalls.Get().(*batchCall)
	defer call.release()
	if err := readBody(w, r, maxBatchBody, &call.body); err != nil {
		return err
	}
	if err := wantJSON(r.Header); err != nil {
		return err
	}
	var atomic bool
	if call.checks, atomic, err = scanBatch(call.body.Bytes(), call.checks[:0]); err != nil {
		return err
	}
	if err := completeChecks(call.checks); err != nil {
		return err
	}
	call.decisions = append(call.decisions[:0], make([]Decision, len(call.checks))...)
	binding, err := c.limiter.ConsumeBatch(r.Context(), call.checks, atomic, call.decisions)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if atomic && binding >= 0 {
		status = params.denyStatus
	}
	c.writeBatch(w, call, status, binding)
	return nil
}

// completeChecks fills in what checks leave out and looks for what is wrong with them.
func completeChecks(checks []Check) error {
	if len(checks) == 0 {
		return Invalid("checks", "is empty")
	}
	for i := range checks {
		c := &checks[i]
		if c.Tokens == 0 {
			c.Tokens = 1
		}
		if err := checkName("agent", c.Agent, MaxNameBytes); err != nil {
			return inCheck(i, err)
		}
	}
	return nil
}

func (c *consumer) writeBatch(w http.ResponseWriter, call *batchCall, status, binding int) {
	call.out = appendBatch(call.out[:0], status, call.checks, call.decisions, binding)
	h := w.Header()
	shown := binding
	if shown < 0 {
		shown = tightest(call.decisions)
	}
	call.fields.set(h, &call.decisions[shown], c.legacy)
	h["Content-Type"] = typeJSON
	if status != http.StatusOK {
		h["Content-Type"] = typeProblem
	}
	w.WriteHeader(status)
	_, _ = w.Write(call.out) // the client may be gone; the decisions stand
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
