package node

import (
	"context"
	"math"
	"time"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/ratelimit"
)

// Explain implements api.Agents.
func (p public) Explain(_ context.Context, c api.Check) (wire.Agent, error) {
	if err := p.n.started(); err != nil {
		return wire.Agent{}, err
	}
	q, err := request(c)
	if err != nil {
		return wire.Agent{}, err
	}
	asked := c.Tokens > 0
	if !asked {
		q.Tokens = microTokens // RetryAfter is then about one token
	}
	v, err := p.n.replica.Explain(p.n.now(), &q)
	if err != nil {
		return wire.Agent{}, apiError(err)
	}
	a := agentOf(&v)
	a.Refill = p.n.refillOf(c.Tenant, c.Agent, a.Refill)
	if asked {
		a.WouldAllow = &v.WouldAllow
	}
	return a, nil
}

// request translates one check.
func request(c api.Check) (replica.Request, error) {
	q := replica.Request{Tenant: c.Tenant, Agent: c.Agent, Tokens: micro(c.Tokens)}
	if !c.Inline.Given {
		return q, nil
	}
	limit, err := inlineLimit(c.Inline.Policy)
	if err != nil {
		return replica.Request{}, err
	}
	q.Inline = &limit
	return q, nil
}

// agentOf shows the first bucket as the agent's own: it is the one asked
// about.
func agentOf(v *replica.AgentView) wire.Agent {
	b := &v.Buckets[0]
	a := wire.Agent{
		Agent: v.Agent, Tenant: v.Tenant,
		Policy: b.Policy, PolicySource: b.Source,
		Level: wholeDown(b.Level), Limit: b.Decision.Capacity / microTokens,
		Consumed: whole(v.Total.Consumed), Refunded: whole(v.Total.Refunded),
		RetryAfterMS: millisUp(v.RetryAfter), ResetMS: millisUp(b.Decision.Reset),
		OvershootBound: (b.Overshoot + microTokens - 1) / microTokens,
		StalenessMS:    b.Staleness.Milliseconds(),
		Refill:         wire.Refill{TokensPerSecond: perSecond(&b.Policy), Source: "policy"},
		Origins:        []wire.Origin{},
	}
	at := make(map[crdt.Origin]int)
	for i := range v.Buckets {
		a.Buckets = append(a.Buckets, bucketOf(&v.Buckets[i]))
		a.Origins = addOrigins(a.Origins, at, v.Buckets[i].Rows)
	}
	return a
}

func bucketOf(b *replica.BucketView) wire.Bucket {
	return wire.Bucket{
		Policy: b.Policy, Source: b.Source,
		Level: wholeDown(b.Level), Limit: b.Decision.Capacity / microTokens,
		Consumed: whole(b.Total.Consumed), Refunded: whole(b.Total.Refunded),
	}
}

// addOrigins sums the rows of several buckets by run.
func addOrigins(list []wire.Origin, at map[crdt.Origin]int, rows []replica.RowView) []wire.Origin {
	for _, row := range rows {
		i, seen := at[row.Origin]
		if !seen {
			i = len(list)
			at[row.Origin] = i
			name := row.Name
			if name == "" {
				name = row.Node.String()
			}
			list = append(list, wire.Origin{Node: name, Run: row.Origin.String(), AgeMS: row.Age.Milliseconds()})
		}
		o := &list[i]
		o.Consumed += row.Consumed / microTokens
		o.Refunded += row.Refunded / microTokens
		o.AgeMS = min(o.AgeMS, row.Age.Milliseconds())
	}
	return list
}

// ListAgents implements api.Agents.
func (p public) ListAgents(_ context.Context, page api.Page) ([]wire.AgentSummary, bool, error) {
	if err := p.n.started(); err != nil {
		return nil, false, err
	}
	list, err := p.n.replica.Agents(p.n.now(), page.Tenant, page.Prefix, page.After, page.Limit+1)
	if err != nil {
		return nil, false, apiError(err)
	}
	more := len(list) > page.Limit
	if more {
		list = list[:page.Limit]
	}
	out := make([]wire.AgentSummary, len(list))
	for i := range list {
		out[i] = p.n.summary(page.Tenant, &list[i])
	}
	return out, more, nil
}

func (n *Node) summary(tenant string, s *replica.Summary) wire.AgentSummary {
	return wire.AgentSummary{
		Agent: s.Agent, Tenant: tenant, Policy: s.Policy,
		Level: wholeDown(s.Level), Limit: s.Limit / microTokens,
		Consumed: whole(s.Total.Consumed), Refunded: whole(s.Total.Refunded),
	}
}

// TopAgents implements api.Agents.
func (p public) TopAgents(_ context.Context, tenant string, count int) ([]wire.AgentSummary, error) {
	if err := p.n.started(); err != nil {
		return nil, err
	}
	out := []wire.AgentSummary{}
	for _, r := range p.n.top.best(count) {
		if r.name.tenant != tenant {
			continue
		}
		v, err := p.n.replica.Explain(p.n.now(), &replica.Request{Tenant: tenant, Agent: r.name.agent})
		if err != nil {
			return nil, apiError(err)
		}
		b := &v.Buckets[0]
		out = append(out, wire.AgentSummary{
			Agent: r.name.agent, Tenant: tenant, Policy: b.Policy.Name,
			Level: wholeDown(b.Level), Limit: b.Decision.Capacity / microTokens,
			Consumed: whole(v.Total.Consumed), Refunded: whole(v.Total.Refunded),
			Admitted: r.count / microTokens,
		})
	}
	return out, nil
}

// Refund implements api.AgentAdmin.
func (p public) Refund(ctx context.Context, c api.Check) (wire.RefundResponse, error) {
	if err := p.n.started(); err != nil {
		return wire.RefundResponse{}, err
	}
	q, err := request(c)
	if err != nil {
		return wire.RefundResponse{}, err
	}
	given, out, err := p.n.replica.Refund(p.n.now(), &q)
	if err != nil {
		return wire.RefundResponse{}, apiError(err)
	}
	if err := p.n.waiters.wait(ctx, out.Wait); err != nil {
		return wire.RefundResponse{}, err
	}
	p.n.metrics.refundedTokens.Add(float64(given) / microTokens)
	return wire.RefundResponse{
		Agent: c.Agent, Tokens: c.Tokens, Refunded: given / microTokens,
		Limit: out.Decision.Capacity / microTokens, Remaining: out.Decision.Remaining / microTokens,
	}, nil
}

// ResetAgent implements api.AgentAdmin.
func (p public) ResetAgent(ctx context.Context, tenant, agent string) error {
	if err := p.n.started(); err != nil {
		return err
	}
	wait, err := p.n.replica.ResetAgent(p.n.now(), tenant, agent)
	return p.n.durably(ctx, wait, err)
}

// DeleteAgent implements api.AgentAdmin.
func (p public) DeleteAgent(ctx context.Context, tenant, agent string) error {
	if err := p.n.started(); err != nil {
		return err
	}
	wait, err := p.n.replica.DeleteAgent(p.n.now(), tenant, agent)
	return p.n.durably(ctx, wait, err)
}

// durably ends a write: it returns its error, or waits until it is on disk.
func (n *Node) durably(ctx context.Context, wait uint64, err error) error {
	if err != nil {
		return apiError(err)
	}
	return n.waiters.wait(ctx, wait)
}

// whole is µtok as whole tokens, rounded down and saturating.
func whole(u crdt.Uint128) uint64 {
	q := u.Div64(microTokens)
	if q.Hi > 0 {
		return math.MaxUint64
	}
	return q.Lo
}

// wholeDown is a level in whole tokens; a debt of half a token is a debt.
func wholeDown(level int64) int64 {
	q := level / microTokens
	if level%microTokens < 0 {
		q--
	}
	return q
}

func millisUp(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

func perSecond(p *ratelimit.Policy) float64 {
	return float64(p.RefillRate.Millionths()) / float64(p.IntervalSeconds.Millionths())
}
