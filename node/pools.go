package node

import (
	"context"
	"fmt"
	"strings"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/mlrefill"
	"github.com/openclaw/clawd/node/refill"
)

// Pool implements api.PoolReader.
func (p public) Pool(_ context.Context, tenant, name string, top int) (wire.PoolState, string, error) {
	if err := p.n.started(); err != nil {
		return wire.PoolState{}, "", err
	}
	pool, version, err := p.n.replica.Pool(tenant, name)
	if err != nil {
		return wire.PoolState{}, "", apiError(err)
	}
	s := wire.PoolState{Pool: pool}
	if state := p.n.refill.Pool(tenant, name); state != nil {
		s.Status = p.n.poolStatus(state, top)
	}
	s.Status.Nodes = orNone(s.Status.Nodes)
	return s, versionText(version), nil
}

// ListPools implements api.PoolReader.
func (p public) ListPools(_ context.Context, page api.Page) ([]wire.Pool, bool, error) {
	if err := p.n.started(); err != nil {
		return nil, false, err
	}
	list := p.n.replica.Pools(page.Tenant, page.Prefix, page.After, page.Limit+1)
	if len(list) > page.Limit {
		return list[:page.Limit], true, nil
	}
	return list, false, nil
}

// PutPool implements api.PoolWriter.
func (p public) PutPool(ctx context.Context, tenant string, pool wire.Pool, cond api.Condition) (api.Written, error) {
	if err := p.n.started(); err != nil {
		return api.Written{}, err
	}
	n := p.n
	now := n.now()
	n.refill.SetMembers(now.Mono, n.replica.RefillMembers(now))
	version, created, wait, err := n.replica.PutPool(now, tenant, pool, versionCondition(cond))
	if err == nil {
		// Who shares it is settled along with it, so that it can be used at once.
		if w, needed := n.refill.Begin(tenant, pool.Name); needed {
			wait, err = n.replica.PublishRefill(now, w)
		}
	}
	if err := n.durably(ctx, wait, err); err != nil {
		return api.Written{}, err
	}
	return api.Written{Version: versionText(version), Created: created}, nil
}

// DeletePool implements api.PoolWriter.
func (p public) DeletePool(ctx context.Context, tenant, name string, cond api.Condition) error {
	if err := p.n.started(); err != nil {
		return err
	}
	wait, err := p.n.replica.DeletePool(p.n.now(), tenant, name, versionCondition(cond))
	return p.n.durably(ctx, wait, err)
}

// Feedback implements api.Feedback.
func (p public) Feedback(_ context.Context, tenant string, r api.Reported) error {
	if err := p.n.started(); err != nil {
		return err
	}
	now := p.n.now().Mono
	o := refill.Outcome{Requests: r.Requests, Errors: r.Errors, LatencySum: r.LatencySum, Seconds: r.Seconds}
	p.n.metrics.feedbackReports.Inc()
	if r.Agent != "" {
		p.n.refill.ReportAgent(now, p.n.replica.SideOf(tenant, r.Agent), o)
		return nil
	}
	pool := p.n.refill.Pool(tenant, r.Pool)
	if pool == nil {
		return fmt.Errorf("%w: pool %q", api.ErrNotFound, r.Pool)
	}
	pool.Report(now, o)
	return nil
}

func (n *Node) poolStatus(p *refill.Pool, top int) wire.PoolStatus {
	v := p.View(n.now().Mono)
	s := wire.PoolStatus{
		Estimate: v.Estimate, Agreed: v.Agreed, Share: v.Share, Part: v.Part, Settled: v.Settled,
		Level: v.Level, Depth: v.Depth, Refill: v.Plan.Refill, GuaranteeScale: v.Scale,
		Offered: v.Last.Offered, Admitted: v.Last.Admitted, Borrowed: v.Last.Borrowed,
		Forecast: forecastOf(v.Forecast, &v.Trust), Agents: v.Plan.Agents,
		Totals: wire.PoolTotals{
			Offered: v.Totals.Offered, Admitted: v.Totals.Admitted, Borrowed: v.Totals.Borrowed,
			ThrottledAvoidable: v.Totals.Avoidable, ThrottledUnavoidable: v.Totals.Unavoidable, ThrottledCeiling: v.Totals.Ceiling,
			Fallbacks: make(map[string]uint64),
		},
		Feedback: wire.PoolFeedback{
			Reports: v.Reports, Refused: v.Refused, AgeMS: n.age(v.FedAt), QueueDelayMS: v.Delay * 1000,
			LatencyMS: v.Latency * 1000, ErrorRate: v.Errors, Cuts: v.Cuts,
		},
		Nodes: n.poolNodes(v.Peers), Tuner: tunerOf(v.Tuner),
	}
	s.Forecast.WindowBound = v.WindowBound
	if !v.Plan.Trusted {
		s.Forecast.Fallback, s.Forecast.Reason = true, v.Plan.Why.String()
	}
	for _, why := range refill.Reasons() {
		s.Totals.Fallbacks[why.String()] = v.Totals.Fallbacks[why]
	}
	if top > 0 {
		for _, a := range p.Top(top) {
			s.Top = append(s.Top, poolAgent(&a))
		}
	}
	return s
}

func poolAgent(r *refill.Ranked) wire.PoolAgent {
	tenant, agent, _ := strings.Cut(r.Name, "\x00")
	return wire.PoolAgent{
		Agent: agent, Tenant: tenant, Rate: r.Rate, Guarantee: r.Guarantee, Forecast: forecastOf(r.Forecast, &r.Trust),
	}
}

func (n *Node) poolNodes(peers []refill.PeerView) []wire.PoolNode {
	names := make(map[crdt.NodeID]string)
	for _, m := range n.replica.Members(n.now()) {
		names[m.Node] = m.Name
	}
	list := []wire.PoolNode{}
	for _, p := range peers {
		id := crdt.NodeID(p.Node)
		name := names[id]
		if name == "" {
			name = id.String()
		}
		list = append(list, wire.PoolNode{
			Node: name, AgeMS: n.age(p.At), Forecast: p.Statement.Forecast,
			Offered: p.Statement.Offered, Admitted: p.Statement.Admitted, Estimate: p.Statement.Capacity,
		})
	}
	return list
}

func forecastOf(f mlrefill.Forecast, t *mlrefill.Trust) wire.Forecast {
	w := wire.Forecast{
		Mean: f.Mean, Bound: f.Bound, Window: f.Window,
		Coverage: t.Coverage(), Skill: t.Skill(), Confidence: t.Confidence(), Fallback: t.Fallback(),
	}
	if w.Fallback {
		w.Reason = refill.LowTrust.String()
	}
	return w
}

func tunerOf(v *refill.TunerView) *wire.PoolTuner {
	if v == nil {
		return nil
	}
	t := &wire.PoolTuner{On: v.On, Chosen: v.Chosen, Changes: v.Changes}
	for i, a := range v.Arms {
		arm := wire.TunerArm{Headroom: a.Headroom, Depth: a.Depth, Weight: v.Weights[i]}
		if a.Slew < refill.Instant {
			arm.Slew = a.Slew
		}
		t.Arms = append(t.Arms, arm)
	}
	return t
}

func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// refillOf tells at what rate an agent's bucket refills and what decided it.
func (n *Node) refillOf(tenant, agent string, r wire.Refill) wire.Refill {
	a := n.replica.SideOf(tenant, agent)
	if a == nil {
		return r
	}
	s := a.Show(n.now().Mono)
	f := forecastOf(s.Forecast, &s.Trust)
	r.TokensPerSecond, r.Source, r.Forecast = s.Rate, s.Source, &f
	if p := a.Pool(); p != nil {
		r.Pool, r.Guarantee = p.Name(), &s.Guarantee
	}
	return r
}
