package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/openclaw/clawd/api/wire"
)

// The shapes of package wire under the names callers use.
type (
	Agent        = wire.Agent
	AgentSummary = wire.AgentSummary
	AgentList    = wire.AgentList
	Refund       = wire.RefundResponse
	InlinePolicy = wire.InlinePolicy
	BatchRequest = wire.BatchRequest
	BatchCheck   = wire.BatchCheck
	BatchResult  = wire.BatchResponse
)

// Agents is the limiter: consumption and what is known of each agent.
type Agents struct{ t *transport }

// Decision is the answer to one check.
type Decision struct {
	wire.Decision
	// Violated names the policies that denied.
	Violated []string `json:"violated-policies,omitempty"`
}

// RetryAfter is how long to wait until the same question can pass; 0 when allowed.
func (d Decision) RetryAfter() time.Duration {
	return time.Duration(d.RetryAfterMS) * time.Millisecond
}

// Err is nil when allowed and wraps ErrDenied when not, for callers that
// handle a denial like any other failure.
func (d Decision) Err() error {
	if d.Allowed {
		return nil
	}
	return fmt.Errorf("%w: %q asked for %d tokens, %d of %d are left, retry in %v",
		ErrDenied, d.Agent, d.Tokens, d.Remaining, d.Limit, d.RetryAfter())
}

// Consume asks for tokens on behalf of agent. The error is nil for a denial
// too: read Decision.Allowed. An error other than ErrUnreachable leaves open
// whether the node counted the tokens.
func (a *Agents) Consume(ctx context.Context, agent string, tokens int64) (Decision, error) {
	return a.consume(ctx, agent, wire.ConsumeRequest{Tokens: &tokens})
}

// ConsumeInline is Consume under a limit the caller brings along. Calls with
// equal numbers share a bucket. A stored policy that matches the agent and
// forbids inline ones wins over it.
func (a *Agents) ConsumeInline(ctx context.Context, agent string, tokens int64, p InlinePolicy) (Decision, error) {
	return a.consume(ctx, agent, wire.ConsumeRequest{Tokens: &tokens, Policy: &p})
}

func (a *Agents) consume(ctx context.Context, agent string, in wire.ConsumeRequest) (Decision, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return Decision{}, err
	}
	c := call{
		method: http.MethodPost,
		path:   agentPath(agent, "/consume"),
		header: withHeader(nil, "Content-Type", wire.ContentTypeJSON),
		body:   body,
		accept: []int{http.StatusTooManyRequests},
	}
	ans, err := a.t.do(ctx, c)
	if err != nil {
		return Decision{}, err
	}
	if ans.status == http.StatusTooManyRequests {
		return ans.denial(c)
	}
	var d Decision
	return d, ans.decode(c, &d.Decision)
}

// denial reads the decision out of a 429. One that carries none was sent by
// something in between, and says nothing about the agent's tokens.
func (a answer) denial(c call) (Decision, error) {
	var body struct {
		wire.Denial
		Allowed *bool `json:"allowed"`
	}
	if err := json.Unmarshal(a.body, &body); err != nil || body.Allowed == nil {
		return Decision{}, &Error{
			Method: c.method, Path: c.path, Status: a.status,
			Problem: body.Problem, RetryAfter: retryAfter(a.header),
		}
	}
	d := Decision{Decision: body.Decision, Violated: body.Violated}
	d.Allowed = *body.Allowed
	return d, nil
}

// ConsumeBatch asks several questions in one call, at most
// wire.MaxBatchChecks. With Atomic all are granted or none. As with Consume, a
// denial is not an error: read BatchResult.Allowed and its Results.
func (a *Agents) ConsumeBatch(ctx context.Context, in BatchRequest) (BatchResult, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return BatchResult{}, err
	}
	c := call{
		method: http.MethodPost,
		path:   "/v1/consume",
		header: withHeader(nil, "Content-Type", wire.ContentTypeJSON),
		body:   body,
		accept: []int{http.StatusTooManyRequests},
	}
	ans, err := a.t.do(ctx, c)
	if err != nil {
		return BatchResult{}, err
	}
	var out BatchResult
	err = json.Unmarshal(ans.body, &out)
	if ans.status == http.StatusTooManyRequests && (err != nil || out.Results == nil) {
		return BatchResult{}, &Error{Method: c.method, Path: c.path, Status: ans.status, RetryAfter: retryAfter(ans.header)}
	}
	return out, ans.decode(c, &out)
}

// Get explains an agent: level, policy, who consumed what, and how wrong this
// node may be. An agent never seen has consumed nothing; it is no error.
func (a *Agents) Get(ctx context.Context, agent string) (Agent, error) {
	var out Agent
	return out, a.t.json(ctx, call{method: http.MethodGet, path: agentPath(agent, "")}, nil, &out)
}

// Peek is Get with the question whether tokens would be granted now, answered
// in WouldAllow. Nothing is consumed.
func (a *Agents) Peek(ctx context.Context, agent string, tokens int64) (Agent, error) {
	var out Agent
	return out, a.t.json(ctx, call{
		method: http.MethodGet,
		path:   agentPath(agent, ""),
		query:  url.Values{"tokens": {strconv.FormatInt(tokens, 10)}},
	}, nil, &out)
}

// Refund gives tokens back, never more than the agent consumed as far as the
// node knows: read what was given back from the answer.
func (a *Agents) Refund(ctx context.Context, agent string, tokens int64) (Refund, error) {
	return a.refund(ctx, agent, wire.RefundRequest{Tokens: tokens})
}

// RefundInline is Refund for tokens taken with ConsumeInline under p.
func (a *Agents) RefundInline(ctx context.Context, agent string, tokens int64, p InlinePolicy) (Refund, error) {
	return a.refund(ctx, agent, wire.RefundRequest{Tokens: tokens, Policy: &p})
}

func (a *Agents) refund(ctx context.Context, agent string, in wire.RefundRequest) (Refund, error) {
	var out Refund
	return out, a.t.json(ctx, call{method: http.MethodPost, path: agentPath(agent, "/refund")}, in, &out)
}

// Reset fills the agent's buckets everywhere; its lifetime totals stay.
func (a *Agents) Reset(ctx context.Context, agent string) error {
	return a.t.json(ctx, call{method: http.MethodPost, path: agentPath(agent, "/reset")}, nil, nil)
}

// Delete forgets an agent and its totals.
func (a *Agents) Delete(ctx context.Context, agent string) error {
	return a.t.json(ctx, call{method: http.MethodDelete, path: agentPath(agent, "")}, nil, nil)
}

// ListOptions choose a page of a listing, which is ordered by name.
type ListOptions struct {
	Prefix string // only names that start with it
	After  string // only names greater than it: the Next of the page before
	Limit  int    // names per page, at most 1000; 0 = the node's default
}

func (o ListOptions) query() url.Values {
	q := url.Values{}
	if o.Prefix != "" {
		q.Set("prefix", o.Prefix)
	}
	if o.After != "" {
		q.Set("after", o.After)
	}
	if o.Limit > 0 {
		q.Set("limit", strconv.Itoa(o.Limit))
	}
	return q
}

// List returns one page of agents.
func (a *Agents) List(ctx context.Context, o ListOptions) (AgentList, error) {
	var out AgentList
	return out, a.t.json(ctx, call{method: http.MethodGet, path: "/v1/agents", query: o.query()}, nil, &out)
}

// All walks over every agent whose name starts with prefix, a page at a time.
// It ends after the first error.
func (a *Agents) All(ctx context.Context, prefix string) iter.Seq2[AgentSummary, error] {
	return pages(func(after string) ([]AgentSummary, string, error) {
		l, err := a.List(ctx, ListOptions{Prefix: prefix, After: after, Limit: 1000})
		return l.Agents, l.Next, err
	})
}

// Top returns the n agents this node admitted most tokens for, busiest first.
func (a *Agents) Top(ctx context.Context, n int) ([]AgentSummary, error) {
	var out AgentList
	q := url.Values{"top": {strconv.Itoa(n)}}
	err := a.t.json(ctx, call{method: http.MethodGet, path: "/v1/agents", query: q}, nil, &out)
	return out.Agents, err
}

func agentPath(agent, verb string) string { return "/v1/agents/" + segment(agent) + verb }

// segment escapes a name so that it stays one path segment. A name of dots
// only would otherwise be taken for a relative path.
func segment(name string) string {
	switch name {
	case ".":
		return "%2E"
	case "..":
		return "%2E%2E"
	}
	return url.PathEscape(name)
}

// pages strings pages of a listing together.
func pages[T any](page func(after string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		after := ""
		for {
			items, next, err := page(after)
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" || next == after {
				return
			}
			after = next
		}
	}
}
