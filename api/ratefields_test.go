package api

import (
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
	"pgregory.net/rapid"

	"github.com/openclaw/clawd/ratelimit"
)

// decision makes the decision of a bucket with so many tokens, all in whole tokens and per second.
func decision(policy string, capacity, remaining int64, perSecond float64, asked int64) Decision {
	d := Decision{
		Policy: policy, Capacity: capacity * ratelimit.Token, Remaining: remaining * ratelimit.Token,
		Tokens: asked * ratelimit.Token, Window: time.Duration(float64(capacity) / perSecond * 1e9),
	}
	if d.Allowed = asked <= remaining; !d.Allowed {
		d.RetryAfter = time.Duration(float64(asked-remaining) / perSecond * 1e9)
	}
	return d
}

// TestRateFieldsGolden: the exact bytes.
func TestRateFieldsGolden(t *testing.T) {
	for _, c := range []struct {
		d                   Decision
		policy, rate, retry string
	}{
		{decision("default", 1000, 1000, 1000./3600, 1), `"default";q=1000;w=3600;clawd-unit="llm-tokens"`, `"default";r=1000;t=3600`, ""},
		{decision("default", 1000, 995, 1000./3600, 1), `"default";q=1000;w=3600;clawd-unit="llm-tokens"`, `"default";r=995;t=3582`, ""},
		{decision("default", 1000, 1, 1000./3600, 1), `"default";q=1000;w=3600;clawd-unit="llm-tokens"`, `"default";r=1;t=4`, ""},
		{decision("default", 1000, 0, 1000./3600, 0), `"default";q=1000;w=3600;clawd-unit="llm-tokens"`, `"default";r=0;t=4`, ""},
		{decision("default", 1000, 0, 1000./3600, 2), `"default";q=1000;w=3600;clawd-unit="llm-tokens"`, `"default";r=0;t=8`, "8"},
		{decision("fast", 10, 4, 1000, 5), `"fast";q=10;w=1;clawd-unit="llm-tokens"`, `"fast";r=4;t=1`, "1"},
		{decision("", 5, 2, .5, 3), `"inline";q=5;w=10;clawd-unit="llm-tokens"`, `"inline";r=2;t=4`, "2"},
		{decision(`a"b\é`, 1, 1, 1, 1), `"a\"b\\%C3%A9";q=1;w=1;clawd-unit="llm-tokens"`, `"a\"b\\%C3%A9";r=1;t=1`, ""},
	} {
		h := http.Header{}
		new(rateFields).set(h, &c.d, false)
		if got := h.Get("RateLimit-Policy"); got != c.policy {
			t.Errorf("RateLimit-Policy: %s, want %s", got, c.policy)
		}
		if got := h.Get("RateLimit"); got != c.rate {
			t.Errorf("RateLimit: %s, want %s", got, c.rate)
		}
		if got := h.Get("Retry-After"); got != c.retry {
			t.Errorf("Retry-After: %s, want %s", got, c.retry)
		}
		if len(h) > 3 {
			t.Errorf("unasked headers: %v", h)
		}
	}
}

// TestRateFieldsDraft: whatever the decision, a structured-fields parser reads the fields, and what they promise holds:
// r/t is at most the refill rate, t at most w, and Retry-After is late enough.
func TestRateFieldsDraft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := ratelimit.Policy{
			Capacity:        rapid.Int64Range(1, ratelimit.MaxTokens).Draw(t, "capacity"),
			RefillRate:      ratelimit.Decimal(rapid.Int64Range(1, 1<<53).Draw(t, "rate")),
			IntervalSeconds: ratelimit.Decimal(rapid.Int64Range(1, 1<<40).Draw(t, "interval")),
		}
		if policy.Validate() != nil {
			return // too fast a rate
		}
		// rate is exact: tokens per nanosecond.
		rate := big.NewRat(int64(policy.RefillRate), int64(policy.IntervalSeconds))
		rate.Quo(rate, big.NewRat(1e9, 1))
		time4 := func(micro int64) time.Duration { // rounded up, saturating
			d := new(big.Rat).Quo(big.NewRat(micro, ratelimit.Token), rate)
			n := new(big.Int).Div(new(big.Int).Sub(new(big.Int).Add(d.Num(), d.Denom()), big.NewInt(1)), d.Denom())
			if !n.IsInt64() {
				return 1<<63 - 1
			}
			return time.Duration(n.Int64())
		}
		capacity := policy.Capacity * ratelimit.Token
		remaining := rapid.Int64Range(0, capacity).Draw(t, "remaining")
		asked := rapid.Int64Range(1, policy.Capacity).Draw(t, "asked") * ratelimit.Token
		d := Decision{
			Allowed: rapid.Bool().Draw(t, "allowed") || asked <= remaining, Policy: rapid.String().Draw(t, "policy"), Tokens: asked,
			Capacity: capacity, Remaining: remaining, Window: time4(capacity),
		}
		if !d.Allowed {
			d.RetryAfter = time4(asked - remaining)
		}
		if d.Window == 1<<63-1 {
			return // longer than a Duration can say
		}
		h := http.Header{}
		new(rateFields).set(h, &d, false)
		pol, now := item(t, h["Ratelimit-Policy"]), item(t, h["Ratelimit"])
		if pol.Value != now.Value || pol.Value == "" {
			t.Fatalf("policy is called %v and %v", pol.Value, now.Value)
		}
		q, w := param(t, pol, "q"), param(t, pol, "w")
		r, secs := param(t, now, "r"), param(t, now, "t")
		if unit, _ := pol.Params.Get("clawd-unit"); unit != "llm-tokens" {
			t.Fatalf("unit is %v", unit)
		}
		if q != policy.Capacity || r != remaining/ratelimit.Token || w < 1 || secs < 1 {
			t.Fatalf("q=%d w=%d r=%d t=%d of %+v", q, w, r, secs, d)
		}
		if r == q && secs != w {
			t.Fatalf("a full bucket shows w=%d and t=%d", w, secs)
		}
		// r ≤ rate · t, and t is not a second more than it takes.
		if grant := new(big.Rat).Mul(rate, big.NewRat(secs, 1)); r > 0 && grant.Mul(grant, big.NewRat(1e9, 1)).Cmp(big.NewRat(r, 1)) < 0 {
			t.Fatalf("r=%d in t=%d is faster than the refill %v", r, secs, rate)
		}
		if less := new(big.Rat).Mul(rate, big.NewRat(secs-1, 1)); r > 0 && secs > 1 && less.Mul(less, big.NewRat(1e9, 1)).Cmp(big.NewRat(r, 1)) >= 0 {
			t.Fatalf("r=%d refills in less than t=%d", r, secs)
		}
		if d.Allowed != (h.Get("Retry-After") == "") {
			t.Fatalf("allowed=%v with Retry-After %q", d.Allowed, h.Get("Retry-After"))
		}
		if after, ok := h["Retry-After"]; ok {
			it := item(t, after)
			if n, ok := it.Value.(int64); !ok || n < 1 || time.Duration(n) < d.RetryAfter/time.Second {
				t.Fatalf("Retry-After %v for %v", after, d.RetryAfter)
			}
			if r == 0 && it.Value != secs {
				t.Fatalf("with nothing left t=%d, but Retry-After %v", secs, after)
			}
		}
	})
}

func item(t *rapid.T, field []string) httpsfv.Item {
	list, err := httpsfv.UnmarshalList(field)
	if err != nil || len(list) != 1 {
		t.Fatalf("%q is no list of one: %v", field, err)
	}
	it, ok := list[0].(httpsfv.Item)
	if !ok {
		t.Fatalf("%q is no item", field)
	}
	return it
}

func param(t *rapid.T, it httpsfv.Item, name string) int64 {
	v, _ := it.Params.Get(name)
	n, ok := v.(int64)
	if !ok {
		t.Fatalf("parameter %s is %v", name, v)
	}
	return n
}

// TestLegacyFields are there only when asked for.
func TestLegacyFields(t *testing.T) {
	d := decision("default", 1000, 1, 1000./3600, 2)
	d.Reset = 3596*time.Second + 1
	h := http.Header{}
	new(rateFields).set(h, &d, true)
	for name, want := range map[string]string{
		"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "3597", "retry-after-ms": "3600", "Retry-After": "4",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	d.Allowed = true
	h = http.Header{}
	new(rateFields).set(h, &d, true)
	if h.Get("retry-after-ms") != "" || h.Get("X-RateLimit-Limit") == "" {
		t.Errorf("allowed: %v", h)
	}
}

// TestCeil: rounding up, at the edges.
func TestCeil(t *testing.T) {
	for _, c := range []struct {
		d           time.Duration
		secs, milli int64
	}{
		{-5, 1, 0},
		{0, 1, 0},
		{1, 1, 1},
		{time.Millisecond, 1, 1},
		{time.Millisecond + 1, 1, 2},
		{time.Second, 1, 1000},
		{time.Second + 1, 2, 1001},
		{1<<63 - 1, 9223372037, 9223372036855},
	} {
		if s, m := seconds(c.d), millis(c.d); s != c.secs || m != c.milli {
			t.Errorf("%d: %d s and %d ms, want %d and %d", c.d, s, m, c.secs, c.milli)
		}
	}
}
