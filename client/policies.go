package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/openclaw/clawd/api/wire"
)

// Shapes of package wire under the names callers use.
type (
	Policy     = wire.Policy
	PolicyList = wire.PolicyList
)

// Policies is the configuration of limits. A change takes effect on a node
// when the node learns it, normally within a second.
type Policies struct{ t *transport }

// Get returns the policy of that name, or ErrNotFound.
func (p *Policies) Get(ctx context.Context, name string) (Policy, error) {
	var out Policy
	return out, p.t.json(ctx, call{method: http.MethodGet, path: policyPath(name)}, nil, &out)
}

// Put creates or replaces the policy named in it and returns what is stored.
func (p *Policies) Put(ctx context.Context, policy Policy) (Policy, error) {
	var out Policy
	return out, p.t.json(ctx, call{method: http.MethodPut, path: policyPath(policy.Name)}, policy, &out)
}

// Delete removes a policy, or returns ErrNotFound. Its agents fall to the next
// policy that matches, in the end to the node's default.
func (p *Policies) Delete(ctx context.Context, name string) error {
	return p.t.json(ctx, call{method: http.MethodDelete, path: policyPath(name)}, nil, nil)
}

// List returns one page of policies.
func (p *Policies) List(ctx context.Context, o ListOptions) (PolicyList, error) {
	var out PolicyList
	return out, p.t.json(ctx, call{method: http.MethodGet, path: "/v1/policies", query: o.query()}, nil, &out)
}

// All walks over every policy, a page at a time. It ends after the first error.
func (p *Policies) All(ctx context.Context) iter.Seq2[Policy, error] {
	return pages(func(after string) ([]Policy, string, error) {
		l, err := p.List(ctx, ListOptions{After: after, Limit: 1000})
		return l.Policies, l.Next, err
	})
}

func policyPath(name string) string { return "/v1/policies/" + segment(name) }
