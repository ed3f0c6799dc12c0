package refill

import (
	"github.com/openclaw/clawd/mlrefill"
)

// PoolPlan is what the last plan of a pool came to.
type PoolPlan struct {
	Agents    int
	Promised  float64 // sum of the guarantees of active agents, tokens a second
	Refill    float64 // sum of the planned rates
	Expected  float64 // sum of the forecasts of the agents
	Protected float64 // what of them is within guarantees
	Took      int64   // ns
	Fallback  int     // agents that are not trusted
	Trusted   bool    // the pool's own model is
	Why       Reason
	Contended bool
}

// planner holds the scratch of plans.
type planner struct {
	claims  []mlrefill.Claim
	planner mlrefill.Planner
}

// plan sets the rates up to which agents are lent to before others, and how much
// of the guarantees can be kept.
func (p *Pool) plan(pl *planner, now int64) {
	agents := p.active(func(a *Agent) bool { return a.pool == p && now-a.lastSeen() < idleAfter })
	p.gate.Lock()
	part := p.rate
	scale := p.scale()
	p.gate.Unlock()
	pl.claims = pl.claims[:0]
	plan := PoolPlan{Agents: len(agents)}
	for _, a := range agents {
		f, t := a.forecast(now)
		policy := &a.policy.Policy
		g := policy.GuaranteedRate()
		plan.Promised += g
		plan.Expected += f.Mean
		plan.Protected += min(f.Mean, g*scale)
		g = max(g*scale, policy.LeastRate())
		if t.Fallback() {
			plan.Fallback++
		}
		pl.claims = append(pl.claims, mlrefill.Claim{
			Forecast: f.Mean, Bound: f.Bound, Weight: policy.SpareWeight(), Guarantee: g, Max: policy.MostRate(),
			Static: g, Trust: t.Weight(), Rate: a.plannedRate(),
		})
		a.note(f, t, policy.GuaranteedRate()*scale, p)
	}
	pl.planner.Plan(part, pl.claims)
	for i, a := range agents {
		plan.Refill += pl.claims[i].Rate
		a.publish(pl.claims[i].Rate, now)
	}
	p.gate.Lock()
	defer p.gate.Unlock()
	p.rescaleLocked(part, plan.Promised)
	use := mlrefill.Shared
	switch {
	case len(agents) == 1:
		use = mlrefill.Lone
	case plan.Expected > part:
		use, plan.Contended = mlrefill.Contended, true
	}
	p.noteFallbackLocked(now, &plan)
	p.shown = plan
	p.resizeLocked(now, p.rate, use)
}

// crowd keeps a reserve for guarantees as soon as a second agent comes, and not
// with the next plan only.
func (p *Pool) crowd(now int64) {
	p.gate.Lock()
	defer p.gate.Unlock()
	if p.use == mlrefill.Lone {
		p.resizeLocked(now, p.rate, mlrefill.Shared)
	}
}

// rescaleLocked sets what part of the guarantees holds: all of it, unless the
// downstream takes less than was promised.
func (p *Pool) rescaleLocked(part, promised float64) {
	if !(promised > 0) {
		p.setScale(1)
		return
	}
	scale := part / promised
	if m := p.c.members.Load(); m.count() > 1 {
		// Its peers may serve the same agents: a small part alone is no shortage.
		scale = max(scale, p.capacity.Rate()/p.capacity.Limit())
	}
	p.setScale(min(scale, 1))
}

func (a *Agent) lastSeen() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen
}

// note keeps what a plan was made of, to be shown.
func (a *Agent) note(f mlrefill.Forecast, t mlrefill.Trust, guarantee float64, home *Pool) {
	home.flock.mu.Lock()
	defer home.flock.mu.Unlock()
	a.shown = Shown{Forecast: f, Trust: t, Guarantee: guarantee, Source: SourcePlan, Considered: true}
	if t.Fallback() {
		a.shown.Source = SourceFallback
	}
}

// Reason is why a model is not used.
type Reason int

// The reasons of a fallback.
const (
	Trusted   Reason = iota
	LowTrust         // skill or coverage are too low, or input could not be
	Warming          // not enough was seen yet
	ClockJump        // the process stood still, or its clock jumped
	Blind            // no capacity is stated and nobody reports
	reasons   = iota
)

func (r Reason) String() string {
	return [...]string{"", "low_confidence", "warming_up", "clock_jump", "no_feedback"}[r]
}

// Reasons lists all reasons of a fallback.
func Reasons() []Reason { return []Reason{LowTrust, Warming, ClockJump, Blind} }

// noteFallbackLocked says whether the pool's own model is used.
func (p *Pool) noteFallbackLocked(now int64, plan *PoolPlan) {
	why := Trusted
	trust := p.demand.Trust()
	switch {
	case p.c.hasJumped(now):
		why = ClockJump
	case p.spec.CapacityPerSecond == 0 && (p.fed.heard == 0 || now-p.fed.heard > feedSilence):
		why = Blind
	case trust.Fallback():
		why = LowTrust
	case trust.Confidence() == 0:
		why = Warming
	}
	plan.Why, plan.Trusted = why, why == Trusted
	if why != Trusted && why != p.shown.Why {
		p.total.Fallbacks[why]++
	}
}
