package wire

// Agent explains one agent: why it gets the answers it gets on this node. consumed and refunded are lifetime totals
// over all origins in whole tokens, rounded down, and equal on all nodes once they are quiet. With inline policies an
// agent has several buckets: level, limit, policy and retry_after_ms are of the matched policy's one, consumed and
// refunded are sums over all of them.
type Agent struct {
	Agent          string   `json:"agent"`
	Tenant         string   `json:"tenant"`
	Policy         Policy   `json:"policy"`
	PolicySource   string   `json:"policy_source"` // "exact", "match", "default" or "inline"
	Level          int64    `json:"level"`         // negative while in debt
	Limit          int64    `json:"limit"`
	Consumed       uint64   `json:"consumed"`
	Refunded       uint64   `json:"refunded"`
	RetryAfterMS   int64    `json:"retry_after_ms"` // until one token, or the tokens asked about, can be had
	ResetMS        int64    `json:"reset_ms"`
	OvershootBound int64    `json:"overshoot_bound"` // tokens that peers may have admitted unseen by this node
	StalenessMS    int64    `json:"staleness_ms"`    // age of the oldest view of a peer that matters
	Origins        []Origin `json:"origins"`
	Buckets        []Bucket `json:"buckets"`
	Refill         Refill   `json:"refill"`
	// WouldAllow answers ?tokens=n: would it pass now. Nothing is consumed.
	WouldAllow *bool `json:"would_allow,omitempty"`
}

// Origin is what one run of one node consumed of an agent, as far as rows are still kept.
type Origin struct {
	Node     string `json:"node"` // member name, or the node id when the name is not known
	Run      string `json:"run"`
	Consumed uint64 `json:"consumed"`
	Refunded uint64 `json:"refunded"`
	AgeMS    int64  `json:"age_ms"` // since this node last heard all of that run's rows
}

// Bucket is one bucket of an agent: the matched policy's, or that of an inline policy.
type Bucket struct {
	Policy   Policy `json:"policy"`
	Source   string `json:"source"`
	Level    int64  `json:"level"`
	Limit    int64  `json:"limit"`
	Consumed uint64 `json:"consumed"`
	Refunded uint64 `json:"refunded"`
}

// Refill tells at what rate the agent's bucket refills now and what decided it. With a pool the rate is the planned one,
// up to which the agent is lent to before others, and Guarantee what it has in any case.
type Refill struct {
	TokensPerSecond float64   `json:"tokens_per_second"`
	Source          string    `json:"source"` // "policy", "plan", "owner" (another node decided) or "fallback"
	Pool            string    `json:"pool,omitempty"`
	Guarantee       *float64  `json:"guarantee,omitempty"`
	Forecast        *Forecast `json:"forecast,omitempty"` // of the requests this node is offered
}

// AgentSummary is one line of a listing.
type AgentSummary struct {
	Agent    string `json:"agent"`
	Tenant   string `json:"tenant"`
	Policy   string `json:"policy"` // name
	Level    int64  `json:"level"`
	Limit    int64  `json:"limit"`
	Consumed uint64 `json:"consumed"`
	Refunded uint64 `json:"refunded"`
	// Admitted is set by ?top=: tokens this node admitted, as its sketch of the busiest counts them (never too low).
	Admitted uint64 `json:"admitted,omitempty"`
}

// AgentList answers GET /v1/agents, ordered by name; with ?top= the busiest first and no next.
type AgentList struct {
	Agents []AgentSummary `json:"agents"`
	Next   string         `json:"next,omitempty"` // pass it as after= to get the following page; absent on the last
}

// RefundRequest is the body of POST /v1/agents/{agent}/refund.
type RefundRequest struct {
	Tokens int64         `json:"tokens"`
	Policy *InlinePolicy `json:"policy,omitempty"` // to refund the bucket of that inline policy
}

// RefundResponse tells what was given back: never more than was consumed as far as this node knows.
type RefundResponse struct {
	Agent     string `json:"agent"`
	Tokens    int64  `json:"tokens"`   // asked for
	Refunded  int64  `json:"refunded"` // given back
	Limit     int64  `json:"limit"`
	Remaining int64  `json:"remaining"`
}

// ResetResponse answers POST /v1/agents/{agent}/reset: every bucket of the agent is full again here, and on the
// peers once they learn of it.
type ResetResponse struct {
	Agent string `json:"agent"`
	Reset bool   `json:"reset"`
}
