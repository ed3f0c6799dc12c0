package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/openclaw/clawd/api/wire"
)

// Shapes of package wire under the names callers use.
type (
	Pool             = wire.Pool
	PoolList         = wire.PoolList
	PoolState        = wire.PoolState
	FeedbackReport   = wire.FeedbackReport
	LatencyHistogram = wire.LatencyHistogram
)

// DefaultQueueDelayMS is how long requests of a pool may wait when it does not say.
const DefaultQueueDelayMS = wire.DefaultQueueDelayMS

// Pools are shared capacities of downstreams: agents whose policies name one draw
// on it.
type Pools struct{ t *transport }

// Get returns the pool of that name and how it stands on the node that is asked,
// with the top agents in it by forecast; or ErrNotFound.
func (p *Pools) Get(ctx context.Context, name string, top int) (PoolState, error) {
	var out PoolState
	c := call{method: http.MethodGet, path: poolPath(name)}
	if top > 0 {
		c.query = url.Values{"top": {strconv.Itoa(top)}}
	}
	return out, p.t.json(ctx, c, nil, &out)
}

// Put creates or replaces the pool named in it and returns what is stored.
func (p *Pools) Put(ctx context.Context, pool Pool) (Pool, error) {
	var out Pool
	return out, p.t.json(ctx, call{method: http.MethodPut, path: poolPath(pool.Name)}, pool, &out)
}

// Delete removes a pool, or returns ErrNotFound. Agents whose policy names it have
// their policy's own rate.
func (p *Pools) Delete(ctx context.Context, name string) error {
	return p.t.json(ctx, call{method: http.MethodDelete, path: poolPath(name)}, nil, nil)
}

// List returns one page of pools.
func (p *Pools) List(ctx context.Context, o ListOptions) (PoolList, error) {
	var out PoolList
	return out, p.t.json(ctx, call{method: http.MethodGet, path: "/v1/pools", query: o.query()}, nil, &out)
}

// All walks over every pool, a page at a time. It ends after the first error.
func (p *Pools) All(ctx context.Context) iter.Seq2[Pool, error] {
	return pages(func(after string) ([]Pool, string, error) {
		l, err := p.List(ctx, ListOptions{After: after, Limit: 1000})
		return l.Pools, l.Next, err
	})
}

// Feedback reports outcomes of calls to downstreams and returns how many reports
// were taken in. Once a second is often enough.
func (p *Pools) Feedback(ctx context.Context, reports ...FeedbackReport) (int, error) {
	var out wire.FeedbackResponse
	err := p.t.json(ctx, call{method: http.MethodPost, path: "/v1/feedback"}, wire.FeedbackRequest{Reports: reports}, &out)
	return out.Accepted, err
}

func poolPath(name string) string { return "/v1/pools/" + segment(name) }
