package refill

import (
	"cmp"
	"slices"

	"github.com/openclaw/clawd/mlrefill"
	"github.com/openclaw/clawd/ratelimit"
)

// PoolView is what is known of a pool on this node.
type PoolView struct {
	Spec     ratelimit.Pool
	Estimate float64 // Ĝ as this node sees it
	Agreed   float64 // the least Ĝ of all nodes: what parts are reckoned of
	Cuts     int
	Share    float64 // of the pool that this node holds, 0..1
	Part     float64 // tokens a second
	Level    float64 // tokens that could be had now, by anybody
	Depth    float64 // tokens that may wait
	Settled  bool    // one ledger is in use
	Ledger   uint64
	Scale    float64 // of the guarantees

	Forecast    mlrefill.Forecast
	WindowBound float64
	Trust       mlrefill.Trust
	Plan        PoolPlan

	Last   Rates
	Totals Totals

	FedAt   int64 // instant of the last feedback, 0 = never
	Delay   float64
	Latency float64
	Errors  float64
	Reports uint64
	Refused uint64

	Peers []PeerView
	Tuner *TunerView
}

// Rates are of the last second, in tokens a second.
type Rates struct{ Offered, Admitted, Borrowed float64 }

// PeerView is what another node said of the pool.
type PeerView struct {
	Node      uint64
	At        int64 // instant when it was heard, 0 = before this start
	Statement mlrefill.Statement
}

// TunerView is what the tuner weighs.
type TunerView struct {
	On      bool
	Chosen  int
	Changes uint64
	Arms    []Arm
	Weights []float64
}

// View shows the pool.
func (p *Pool) View(now int64) PoolView {
	p.gate.Lock()
	defer p.gate.Unlock()
	p.demand.Advance(p.c.model, now)
	v := PoolView{
		Spec: p.spec, Estimate: p.capacity.Rate(), Agreed: p.agreedLocked(now), Cuts: p.capacity.Cuts(),
		Share: float64(p.ledger.Held()) / mlrefill.Whole, Part: p.rate,
		Level: float64(max(p.bucket.Level(now, &p.limit, nil), 0)) / ratelimit.Token,
		Depth: float64(p.limit.Capacity) / ratelimit.Token, Settled: p.ledger.Settled(), Ledger: p.ledger.Version(), Scale: p.scale(),
		Forecast: p.demand.Forecast(), WindowBound: p.demand.WindowBound(), Trust: *p.demand.Trust(), Plan: p.shown,
		Totals: p.total, FedAt: p.fed.heard, Delay: p.fed.delay, Latency: p.fed.latency, Errors: p.fed.errors,
		Reports: p.fed.reports, Refused: p.fed.refused,
	}
	if s := p.last.seconds; s > 0 {
		v.Last = Rates{p.last.offered / s, p.last.admitted / s, p.last.borrowed / s}
	}
	for _, s := range p.ledger.Peers() {
		v.Peers = append(v.Peers, PeerView{s.Node, p.told.at[s.Node], s})
	}
	if t := p.tuner; t != nil {
		w := t.weights()
		v.Tuner = &TunerView{On: t.on, Chosen: t.chosen, Changes: t.changes, Arms: arms[:], Weights: w[:]}
	}
	return v
}

// Ranked is one agent of a pool, as of the last plan.
type Ranked struct {
	Name string // tenant 0x00 agent
	Shown
}

// Top lists the n agents of which most is expected.
func (p *Pool) Top(n int) []Ranked {
	p.flock.mu.Lock()
	list := make([]Ranked, 0, len(p.agents))
	for _, a := range p.agents {
		r := Ranked{Name: a.name, Shown: a.shown}
		r.Rate = a.plannedRate()
		list = append(list, r)
	}
	p.flock.mu.Unlock()
	slices.SortFunc(list, func(a, b Ranked) int {
		return cmp.Or(cmp.Compare(b.Forecast.Mean, a.Forecast.Mean), cmp.Compare(a.Name, b.Name))
	})
	return list[:min(n, len(list))]
}

// Loose counts the agents whose rate moves without a pool.
func (c *Controller) Loose() LooseTotals {
	c.loose.mu.Lock()
	defer c.loose.mu.Unlock()
	return c.loose.counters
}

// Ticks is how long plans took.
func (c *Controller) Ticks() Ticks {
	c.ticking.Lock()
	defer c.ticking.Unlock()
	return c.ticks
}

// Begin returns the register that begins the first ledger of a pool, for the node
// that makes the pool; false when there is one.
func (c *Controller) Begin(tenant, name string) (Write, bool) {
	if c.HasLedger(tenant, name) {
		return Write{}, false
	}
	value, err := EncodeBeginning(Beginning{Founders: c.members.Load().Nodes, First: true})
	return Write{WriteLedger, tenant, name, value}, err == nil
}
