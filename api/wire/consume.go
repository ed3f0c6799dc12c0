package wire

import "github.com/openclaw/clawd/ratelimit"

// ConsumeRequest is the body of POST /v1/agents/{agent}/consume. An empty body asks for one token.
type ConsumeRequest struct {
	// Tokens to take, at least 1; nil means 1.
	Tokens *int64 `json:"tokens,omitempty"`
	// Policy, if given, is the limit the caller brings along. A matched policy with allow_inline:false wins over it.
	Policy *InlinePolicy `json:"policy,omitempty"`
}

// InlinePolicy is a limit sent with the request. It has just the members that identify a bucket: two requests with
// equal numbers share a bucket, other numbers are another bucket.
type InlinePolicy struct {
	Capacity        int64             `json:"capacity"`
	RefillRate      ratelimit.Decimal `json:"refill_rate"`
	IntervalSeconds ratelimit.Decimal `json:"interval_seconds"`
}

// Decision is the answer to one check: the 200 body of consume, an element of a batch's results, and (as part of
// Denial) the body of a denial.
type Decision struct {
	Allowed      bool   `json:"allowed"`
	Agent        string `json:"agent"`
	Tokens       int64  `json:"tokens"`         // asked for
	Limit        int64  `json:"limit"`          // capacity of the policy that answered
	Remaining    int64  `json:"remaining"`      // whole tokens left, never negative
	RetryAfterMS int64  `json:"retry_after_ms"` // until the same question can pass; 0 when allowed
	ResetMS      int64  `json:"reset_ms"`       // until the bucket is full
}

// Denial is the body of a denied consume: a problem document that carries the decision.
type Denial struct {
	Problem
	Decision
}

// BatchRequest is the body of POST /v1/consume.
type BatchRequest struct {
	// Atomic: all checks are taken, or none is.
	Atomic bool         `json:"atomic,omitempty"`
	Checks []BatchCheck `json:"checks"`
}

// MaxBatchChecks bounds BatchRequest.Checks.
const MaxBatchChecks = 10_000

// BatchCheck is one element of a batch.
type BatchCheck struct {
	Agent  string        `json:"agent"`
	Tokens *int64        `json:"tokens,omitempty"` // nil means 1
	Policy *InlinePolicy `json:"policy,omitempty"`
}

// BatchResponse answers a batch. Results are in the order of the checks. When an atomic batch is denied, nothing was
// taken and every result says allowed:false; those that would have passed alone have retry_after_ms 0.
type BatchResponse struct {
	Allowed bool       `json:"allowed"`
	Results []Decision `json:"results"`
	// Binding is the index of the denied check that will be grantable last: the limit to wait for. Absent when
	// everything was allowed.
	Binding *int `json:"binding,omitempty"`
}

// BatchDenial is the body of a denied atomic batch.
type BatchDenial struct {
	Problem
	BatchResponse
}
