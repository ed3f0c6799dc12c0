package refill

import (
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openclaw/clawd/mlrefill"
	"github.com/openclaw/clawd/ratelimit"
)

// Agent is what an adaptive bucket has beside it.
type Agent struct {
	c      *Controller
	name   string // tenant 0x00 agent
	policy *ratelimit.Compiled
	pool   *Pool // nil without one, or when nobody has heard of it

	// Under the caller's lock of the bucket.
	bound ratelimit.Compiled // the policy with the limit of the caller's bucket
	rate  float64            // that limit is made for, tokens a second
	own   ratelimit.Bucket   // the guarantee of a pool
	ownOf ratelimit.Limit
	scale float64 // of the guarantee that ownOf is made for
	most  int64   // largest request, µtok

	mu     sync.Mutex
	record mlrefill.Record
	seen   int64 // instant of the last request

	planned atomic.Uint64 // float64 bits: tokens a second
	since   atomic.Int64  // instant of the publication
	listed  atomic.Bool   // in the list of its flock
	shown   Shown         // as of the last plan; under the flock's lock
}

// Shown is what the last plan knew of an agent.
type Shown struct {
	Forecast   mlrefill.Forecast
	Trust      mlrefill.Trust
	Rate       float64 // planned, tokens a second
	Guarantee  float64 // in force, tokens a second
	Source     string  // Source…
	Considered bool    // there was a plan
}

// Where a rate comes from.
const (
	SourcePolicy   = "policy"   // the policy's static rate
	SourcePlan     = "plan"     // planned here
	SourceOwner    = "owner"    // decided by another node
	SourceFallback = "fallback" // the model is not trusted
)

// Bind returns what a bucket of the policy has beside it at now, nil when the
// policy is not adaptive. What was learnt of the agent under an earlier policy is
// kept. Name is the tenant and the agent, parted by a zero byte.
func (c *Controller) Bind(old *Agent, name string, p *ratelimit.Compiled, now int64, v *ratelimit.View) *Agent {
	if c == nil || !p.Adaptive {
		return nil
	}
	a := &Agent{c: c, name: name, policy: p, scale: 1}
	if old != nil {
		old.mu.Lock()
		a.record, a.seen, a.most = old.record, old.seen, old.most
		old.seen = now - 2*idleAfter // the next plan lets go of it
		old.mu.Unlock()
	} else {
		a.record = mlrefill.NewRecord(c.model, now, mlrefill.Jitter(c.opts.Seed, name))
		a.seen = now
	}
	if p.Policy.Pool != "" {
		tenant, _, _ := strings.Cut(name, "\x00")
		a.pool = c.pool(poolID(tenant, p.Policy.Pool))
	}
	a.publish(p.Policy.StaticRate(), now)
	a.rate = a.ceiling()
	a.bound = *p
	a.bound.Limit = p.Limit.WithRate(a.rate)
	if a.pool != nil {
		a.guarantee()
		a.own = ratelimit.NewBucket(now, &a.ownOf, v)
	}
	return a
}

// Policy is the policy with the limit of the caller's bucket, which changes only
// in Renew.
func (a *Agent) Policy() *ratelimit.Compiled { return &a.bound }

// Renew makes the limit of Policy what it is to be by now. When that is another,
// it returns the one before and since when: the caller's bucket is to be settled
// with it.
func (a *Agent) Renew() (old ratelimit.Limit, since int64, changed bool) {
	rate := a.ceiling()
	if rate == a.rate {
		return old, 0, false
	}
	old, a.rate = a.bound.Limit, rate
	a.bound.Limit = a.policy.Limit.WithRate(rate)
	return old, a.since.Load(), true
}

// ceiling is how fast the caller's bucket refills.
func (a *Agent) ceiling() float64 {
	switch {
	case a.pool == nil && a.policy.Policy.Pool != "":
		return a.policy.Policy.StaticRate() // a pool that is not there lends nothing
	case a.pool == nil:
		return a.plannedRate()
	}
	if most := a.policy.Policy.MostRate(); most > 0 {
		return most
	}
	return a.pool.ceiling()
}

// publish is the one store by which a plan takes effect.
func (a *Agent) publish(rate float64, now int64) {
	bits := math.Float64bits(rate)
	if a.planned.Load() == bits {
		return
	}
	a.since.Store(now)
	a.planned.Store(bits)
}

func (a *Agent) plannedRate() float64 { return math.Float64frombits(a.planned.Load()) }

// guarantee makes the limit of the guarantee. Its depth is little, since all of
// them together may be drawn from the reserve at once; but a request must fit.
func (a *Agent) guarantee() {
	rate := a.policy.Policy.GuaranteedRate() * a.scale
	cost := max(float64(a.most)/ratelimit.Token, 1)
	depth := int64(mlrefill.GuaranteeDepth(rate, cost) * ratelimit.Token)
	a.ownOf = ratelimit.Limit{Capacity: min(depth, a.policy.Limit.Capacity), Durability: ratelimit.Async}.WithRate(rate)
	if rate <= 0 {
		a.ownOf.Capacity = 0 // nothing is guaranteed: nothing is ever in it
	}
}

func (a *Agent) refit(now int64, n int64, v *ratelimit.View) {
	scale := a.pool.scale()
	if scale == a.scale && n <= a.most {
		return
	}
	old := a.ownOf
	a.scale, a.most = scale, max(a.most, n)
	a.guarantee()
	a.own.Relimit(now, &old, &a.ownOf, v)
}

// Draw is one request for tokens.
type Draw struct {
	Tokens int64 // µtok
	// Fits: the caller's own bucket holds them.
	Fits bool
	// Retry: the caller was refused this before; the wish is counted already.
	Retry bool
}

// Take counts a request as demand and decides about it. When it is refused by the
// pool, wait is until the pool could have the tokens, if nobody else takes any.
// room is what could be had now, in µtok. Of an agent without a pool, only Fits
// decides.
func (a *Agent) Take(now int64, d Draw, v *ratelimit.View) (ok bool, room int64, wait time.Duration) {
	tokens := float64(d.Tokens) / ratelimit.Token
	wish := tokens
	if d.Retry {
		wish = mlrefill.Damped(tokens, 1)
	}
	a.mu.Lock()
	a.record.Observe(a.c.model, now, wish)
	current := a.record.Current()
	a.seen = now
	a.mu.Unlock()
	if !a.listed.Load() {
		a.c.list(a, now)
	}
	if a.pool == nil {
		return d.Fits, math.MaxInt64, 0
	}
	a.refit(now, d.Tokens, v)
	held := a.own.Level(now, &a.ownOf, v)
	tier := mlrefill.Borrowed
	switch {
	case held >= d.Tokens:
		tier = mlrefill.Guaranteed
	case current <= a.plannedRate():
		tier = mlrefill.Planned
	}
	ok, room, wait = a.pool.take(now, d, wish, tier)
	switch {
	case ok && tier == mlrefill.Guaranteed:
		a.own.Admit(now, &a.ownOf, v, d.Tokens)
	case !ok && d.Fits && tier != mlrefill.Guaranteed:
		// The guarantee may come sooner than the pool's spare.
		if g := a.own.RetryAfter(now, &a.ownOf, v, d.Tokens); g < wait {
			wait = max(g, a.pool.waitFor(now, d.Tokens))
		}
	}
	return ok, max(room, 0), wait
}

// GiveBack undoes a Take of this very moment, as when another limit of the same
// batch refused.
func (a *Agent) GiveBack(now int64, n int64, v *ratelimit.View) {
	if a.pool != nil {
		a.own.Refund(now, &a.ownOf, v, n)
		a.pool.giveBack(now, n)
	}
}

// Observe tells what peers consumed of the agent: it uses up the guarantee, which
// is one for the cluster.
func (a *Agent) Observe(now int64, v *ratelimit.View, slot int, delta int64) {
	if a.pool != nil {
		a.own.Observe(now, &a.ownOf, v, slot, delta)
	}
}

// forecast brings the record to now and reads it.
func (a *Agent) forecast(now int64) (mlrefill.Forecast, mlrefill.Trust) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.record.Advance(a.c.model, now)
	return a.record.Forecast(), *a.record.Trust()
}

// Show is what is known of the agent now.
func (a *Agent) Show(now int64) Shown {
	f, t := a.forecast(now)
	home := a.c.home(a)
	home.mu.Lock()
	s := a.shown
	home.mu.Unlock()
	s.Forecast, s.Trust = f, t
	if !s.Considered {
		s.Source, s.Guarantee = SourcePolicy, 0
		if a.pool != nil {
			s.Guarantee = a.policy.Policy.GuaranteedRate()
		}
	}
	s.Rate = a.plannedRate()
	return s
}

// Pool is the agent's pool, nil without one.
func (a *Agent) Pool() *Pool { return a.pool }
