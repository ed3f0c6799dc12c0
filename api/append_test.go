package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/ratelimit"
)

// FuzzAppend: the hand-written encoder writes what encoding/json writes.
func FuzzAppend(f *testing.F) {
	f.Add("agent:42:tokens", "default", int64(5), int64(1000), int64(995), int64(0), int64(18_000_000_001), true)
	f.Add(`a"\`, "<é>", int64(1), int64(1), int64(0), int64(999_999), int64(1), false)
	f.Add("\u2028\x01", "", int64(1), int64(-1), int64(-9), int64(-1), int64(-1), false)
	f.Fuzz(func(t *testing.T, agent, policy string, tokens, capacity, remaining, retry, reset int64, allowed bool) {
		if !utf8.ValidString(agent) || !utf8.ValidString(policy) {
			return // names are UTF-8
		}
		d := Decision{
			Allowed: allowed, Policy: policy, Capacity: capacity, Remaining: remaining,
			RetryAfter: time.Duration(retry), Reset: time.Duration(reset),
		}
		want := wire.Decision{
			Allowed: allowed, Agent: agent, Tokens: tokens, Limit: capacity / ratelimit.Token,
			Remaining: remaining / ratelimit.Token, RetryAfterMS: retryAfterMS(&d), ResetMS: millis(d.Reset),
		}
		var got wire.Decision
		same(t, appendDecision(nil, agent, tokens, &d), &got, &want)

		name := policy
		if name == "" {
			name = "inline"
		}
		denial := wire.Denial{Decision: want, Problem: wire.Problem{
			Type: wire.ProblemQuotaExceeded, Title: "Quota exceeded", Status: 403, Violated: []string{name},
		}}
		var gotDenial wire.Denial
		b := appendDenial(nil, 403, agent, tokens, &d)
		denial.Detail = detailIn(t, b)
		same(t, b, &gotDenial, &denial)

		checks := []Check{{Agent: agent, Tokens: tokens}, {Agent: "b", Tokens: 1}}
		decisions := []Decision{d, {Allowed: true, Capacity: ratelimit.Token}}
		batch := wire.BatchResponse{Allowed: true, Results: []wire.Decision{want, {Allowed: true, Agent: "b", Tokens: 1, Limit: 1}}}
		var gotBatch wire.BatchResponse
		same(t, appendBatch(nil, http.StatusOK, checks, decisions, -1), &gotBatch, &batch)

		zero := 0
		batch.Allowed, batch.Binding = false, &zero
		batchDenial := wire.BatchDenial{BatchResponse: batch, Problem: denial.Problem}
		batchDenial.Status = 429
		var gotBatchDenial wire.BatchDenial
		same(t, appendBatch(nil, http.StatusTooManyRequests, checks, decisions, 0), &gotBatchDenial, &batchDenial)
	})
}

// same decodes what was appended and compares it; the library's own bytes must not say anything else.
func same(t *testing.T, b []byte, got, want any) {
	t.Helper()
	if err := decodeJSON(b, got); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	if !reflect.DeepEqual(got, want) {
		lib, _ := json.Marshal(want)
		t.Fatalf("appended\n%s, encoding/json writes\n%s", b, lib)
	}
}

func detailIn(t *testing.T, b []byte) string {
	t.Helper()
	var p struct{ Detail string }
	if err := json.Unmarshal(b, &p); err != nil || p.Detail == "" {
		t.Fatalf("%s has no detail: %v", b, err)
	}
	return p.Detail
}
