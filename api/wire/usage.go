package wire

import "github.com/openclaw/clawd/rating"

// Limits of usage.
const (
	MaxEventIDBytes = 512
	MaxUsageEvents  = 1000 // of one request
)

// Content types of events as CloudEvents, in structured mode.
const (
	ContentTypeCloudEvent      = "application/cloudevents+json"
	ContentTypeCloudEventBatch = "application/cloudevents-batch+json"
	ContentTypeCSV             = "text/csv"
)

type (
	// Price is one version of what a model costs.
	Price = rating.Price
	// Item is a line of a charge.
	Item = rating.Item
	// Money is an amount; its JSON form is a decimal string.
	Money = rating.Nano
	// Time is an instant; its JSON form is RFC 3339.
	Time = rating.UnixMS
)

// PriceList answers GET /v1/prices, ordered by model, then by effective_from.
type PriceList struct {
	Prices []Price `json:"prices"`
	Next   string  `json:"next,omitempty"`
}

// UsageEvent is what a call of a model used. EventID makes it count once, however often and wherever it is sent.
type UsageEvent struct {
	EventID string `json:"event_id"`
	Agent   string `json:"agent"`
	Model   string `json:"model"`
	rating.Usage
	OccurredAt Time `json:"occurred_at,omitzero"` // now when absent
}

// UsageRequest is the body of POST /v1/usage with several events.
type UsageRequest struct {
	Events []UsageEvent `json:"events"`
}

// UsageResult is a rated event. Without a known price Total, Currency and PriceVersion are absent: the quantities are
// kept, and priced once there is a price for their day.
type UsageResult struct {
	EventID      string        `json:"event_id"`
	Total        *Money        `json:"total,omitempty"`
	Currency     string        `json:"currency,omitempty"`
	Items        []Item        `json:"items"`
	PriceVersion *PriceVersion `json:"price_version,omitempty"`
	Provisional  bool          `json:"provisional,omitempty"` // tiers: the bill of the month decides
	Duplicate    bool          `json:"duplicate,omitempty"`   // billed before; nothing was added
	DedupeUntil  Time          `json:"dedupe_until,omitzero"` // the id is remembered until then
	// Status and Problem tell, in a batch, what became of this event: 200 without a problem, or what it would have been
	// answered alone.
	Status  int      `json:"status,omitempty"`
	Problem *Problem `json:"problem,omitempty"`
}

// PriceVersion names a version of a price.
type PriceVersion struct {
	Model         string `json:"model"` // the glob
	EffectiveFrom Time   `json:"effective_from"`
}

// UsageResponse answers POST /v1/usage with several events, in their order.
type UsageResponse struct {
	Results    []UsageResult `json:"results"`
	Accepted   int           `json:"accepted"` // new
	Duplicates int           `json:"duplicates"`
	Rejected   int           `json:"rejected"`
}

// Statement answers GET /v1/agents/{agent}/usage. From and To are days (UTC), both included.
type Statement struct {
	Agent    string          `json:"agent"`
	From     string          `json:"from"`
	To       string          `json:"to"`
	Currency string          `json:"currency,omitempty"`
	Total    Money           `json:"total"`
	Items    []StatementItem `json:"items"`
	// Unpriced tells that some items have no amount, since their model has no price.
	Unpriced bool `json:"unpriced,omitempty"`
}

// StatementItem is the usage of one model, or of one day, or of one model on one day.
type StatementItem struct {
	Day   string `json:"day,omitempty"`
	Model string `json:"model,omitempty"`
	rating.Usage
	Amount *Money `json:"amount,omitempty"` // absent when nothing of it has a price
}
