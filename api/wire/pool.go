package wire

import "github.com/openclaw/clawd/ratelimit"

// Pool is a shared downstream capacity: the body of a PUT.
type Pool = ratelimit.Pool

// DefaultQueueDelayMS is the max_queue_delay_ms of a pool that does not say.
const DefaultQueueDelayMS = ratelimit.DefaultQueueDelayMS

// PoolList answers GET /v1/pools, ordered by name.
type PoolList struct {
	Pools []Pool `json:"pools"`
	Next  string `json:"next,omitempty"`
}

// PoolState answers GET /v1/pools/{name}: the pool, and how it stands on this node.
type PoolState struct {
	Pool
	Status PoolStatus `json:"status"`
}

// PoolStatus is how a pool stands on one node. Rates are tokens a second, of the last second where they were measured.
type PoolStatus struct {
	// Estimate is what the downstream is thought to take (Ĝ) by this node, Agreed the least of what all nodes think.
	Estimate float64 `json:"estimate"`
	Agreed   float64 `json:"agreed"`
	// Share of the pool that this node holds, 0..1, and what that is now.
	Share float64 `json:"share"`
	Part  float64 `json:"part"`
	// Settled is false while the nodes agree on who shares the pool; a node then uses less than its share.
	Settled bool    `json:"settled"`
	Level   float64 `json:"level"` // tokens that could be had now
	Depth   float64 `json:"depth"` // tokens that may wait downstream
	Refill  float64 `json:"refill"`
	// GuaranteeScale is what part of the guarantees is kept; below 1 more was promised than there is.
	GuaranteeScale float64 `json:"guarantee_scale"`

	Offered  float64 `json:"offered"`
	Admitted float64 `json:"admitted"`
	Borrowed float64 `json:"borrowed"`

	Forecast Forecast `json:"forecast"`
	// Totals since the node started.
	Totals   PoolTotals   `json:"totals"`
	Feedback PoolFeedback `json:"feedback"`
	Agents   int          `json:"agents"` // active ones
	Top      []PoolAgent  `json:"top,omitempty"`
	Nodes    []PoolNode   `json:"nodes"`
	Tuner    *PoolTuner   `json:"tuner,omitempty"`
}

// Forecast is a demand model and how far it can be trusted. Rates are tokens a second.
type Forecast struct {
	Mean   float64 `json:"mean"`  // of the current second
	Bound  float64 `json:"bound"` // P95 of it
	Window float64 `json:"window"`
	// WindowBound is the P95 of the mean of the current half minute, for autoscalers; only pools have it.
	WindowBound float64 `json:"window_bound,omitempty"`
	Coverage    float64 `json:"coverage"`
	Skill       float64 `json:"skill"`
	Confidence  float64 `json:"confidence"`
	// Fallback: the model is not used, and why.
	Fallback bool   `json:"fallback"`
	Reason   string `json:"reason,omitempty"`
}

// PoolTotals count since the node started. Throttled requests are avoidable when the pool held the tokens at that
// moment and kept them for guarantees, and ceiling when the agent's own bucket refused.
type PoolTotals struct {
	Offered              float64           `json:"offered"`
	Admitted             float64           `json:"admitted"`
	Borrowed             float64           `json:"borrowed"`
	ThrottledAvoidable   uint64            `json:"throttled_avoidable"`
	ThrottledUnavoidable uint64            `json:"throttled_unavoidable"`
	ThrottledCeiling     uint64            `json:"throttled_ceiling"`
	Fallbacks            map[string]uint64 `json:"fallbacks"`
}

// PoolFeedback is what callers last reported of the downstream.
type PoolFeedback struct {
	Reports      uint64  `json:"reports"`
	Refused      uint64  `json:"refused"`
	AgeMS        *int64  `json:"age_ms,omitempty"` // absent: never
	QueueDelayMS float64 `json:"queue_delay_ms"`
	LatencyMS    float64 `json:"latency_ms"`
	ErrorRate    float64 `json:"error_rate"`
	Cuts         int     `json:"cuts"` // how often congestion lowered the estimate
}

// PoolAgent is one agent of a pool as of the last plan.
type PoolAgent struct {
	Agent     string   `json:"agent"`
	Tenant    string   `json:"tenant"`
	Rate      float64  `json:"rate"`
	Guarantee float64  `json:"guarantee"`
	Forecast  Forecast `json:"forecast"`
}

// PoolNode is what another node said of the pool last.
type PoolNode struct {
	Node     string  `json:"node"`
	AgeMS    *int64  `json:"age_ms,omitempty"` // absent: not heard since this node started
	Forecast float64 `json:"forecast"`
	Offered  float64 `json:"offered"`
	Admitted float64 `json:"admitted"`
	Estimate float64 `json:"estimate"` // 0: nobody reports to it
}

// PoolTuner shows what a tuner weighs: each arm is one setting of the knobs, tried on shadow buckets.
type PoolTuner struct {
	On      bool       `json:"on"`
	Chosen  int        `json:"chosen"`
	Changes uint64     `json:"changes"`
	Arms    []TunerArm `json:"arms"`
}

// TunerArm multiplies what is kept for guarantees and what may wait, and bounds how fast the part may grow in a second
// (absent: not at all).
type TunerArm struct {
	Headroom float64 `json:"headroom"`
	Depth    float64 `json:"depth"`
	Slew     float64 `json:"slew,omitempty"`
	Weight   float64 `json:"weight"`
}

// MaxFeedbackReports bounds the reports of one POST /v1/feedback that is not a stream.
const MaxFeedbackReports = 10_000

// ContentTypeLines is the media type of streamed feedback: one report a line.
const ContentTypeLines = "application/x-ndjson"

// FeedbackRequest is the body of POST /v1/feedback.
type FeedbackRequest struct {
	Reports []FeedbackReport `json:"reports"`
}

// FeedbackReport is what a caller saw of a downstream in a window. Exactly one of Pool and Agent names it, and latency
// comes as a sum over all requests or as a histogram.
type FeedbackReport struct {
	Pool     string `json:"pool,omitempty"`
	Agent    string `json:"agent,omitempty"`
	Requests int64  `json:"requests"`
	Errors   int64  `json:"errors,omitempty"`
	// LatencyMSSum is the sum of the latencies of all requests.
	LatencyMSSum float64           `json:"latency_ms_sum,omitempty"`
	Latency      *LatencyHistogram `json:"latency_histogram,omitempty"`
	// WindowSeconds is how long the window was.
	WindowSeconds float64 `json:"window_seconds,omitempty"`
}

// LatencyHistogram counts requests by latency: Counts[i] are those of at most BoundsMS[i], and above the bound before;
// one more count is of those above all bounds.
type LatencyHistogram struct {
	BoundsMS []float64 `json:"bounds_ms"`
	Counts   []int64   `json:"counts"`
}

// FeedbackResponse tells how many reports were taken in.
type FeedbackResponse struct {
	Accepted int `json:"accepted"`
}
