package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/openclaw/clawd/api/wire"
)

// Shapes of package wire under the names callers use.
type (
	Money         = wire.Money
	Price         = wire.Price
	PriceList     = wire.PriceList
	UsageEvent    = wire.UsageEvent
	UsageResult   = wire.UsageResult
	UsageResponse = wire.UsageResponse
	Statement     = wire.Statement
	StatementItem = wire.StatementItem
)

// Prices is what models cost. A version that holds is never changed.
type Prices struct{ t *transport }

// At returns the version that rates a model at an instant, or ErrNotFound. The
// zero time is now.
func (p *Prices) At(ctx context.Context, model string, at time.Time) (Price, error) {
	q := url.Values{}
	if !at.IsZero() {
		q.Set("at", at.UTC().Format(time.RFC3339Nano))
	}
	var out Price
	return out, p.t.json(ctx, call{method: http.MethodGet, path: pricePath(model), query: q}, nil, &out)
}

// Put publishes a version for the models that price.Model matches. Without
// EffectiveFrom it holds from now on.
func (p *Prices) Put(ctx context.Context, price Price) (Price, error) {
	var out Price
	return out, p.t.json(ctx, call{method: http.MethodPut, path: pricePath(price.Model)}, price, &out)
}

// Delete withdraws the versions of a model that do not hold yet.
func (p *Prices) Delete(ctx context.Context, model string) error {
	return p.t.json(ctx, call{method: http.MethodDelete, path: pricePath(model)}, nil, nil)
}

// List returns one page of versions, by model and time.
func (p *Prices) List(ctx context.Context, o ListOptions) (PriceList, error) {
	var out PriceList
	return out, p.t.json(ctx, call{method: http.MethodGet, path: "/v1/prices", query: o.query()}, nil, &out)
}

func pricePath(model string) string { return "/v1/prices/" + segment(model) }

// Usage bills what calls of models used, and tells what it comes to.
type Usage struct{ t *transport }

// Record bills an event once, however often it is sent.
func (u *Usage) Record(ctx context.Context, e UsageEvent) (UsageResult, error) {
	var out UsageResult
	return out, u.t.json(ctx, call{method: http.MethodPost, path: "/v1/usage"}, e, &out)
}

// RecordAll bills up to 1000 events. Those that are refused are so alone: the
// results say which.
func (u *Usage) RecordAll(ctx context.Context, events []UsageEvent) (UsageResponse, error) {
	var out UsageResponse
	return out, u.t.json(ctx, call{method: http.MethodPost, path: "/v1/usage"}, wire.UsageRequest{Events: events}, &out)
}

// StatementOptions says which days (UTC, both included) a statement is about,
// and what its items are summed up by: "model", "day", or "" for neither. The
// zero values are the current month.
type StatementOptions struct {
	From, To time.Time
	GroupBy  string
}

// Statement tells what an agent used and what it costs, as the node that is
// asked knows it.
func (u *Usage) Statement(ctx context.Context, agent string, o StatementOptions) (Statement, error) {
	q := url.Values{}
	for name, day := range map[string]time.Time{"from": o.From, "to": o.To} {
		if !day.IsZero() {
			q.Set(name, day.Format(time.DateOnly))
		}
	}
	if o.GroupBy != "" {
		q.Set("group_by", o.GroupBy)
	}
	var out Statement
	return out, u.t.json(ctx, call{method: http.MethodGet, path: "/v1/agents/" + segment(agent) + "/usage", query: q}, nil, &out)
}
