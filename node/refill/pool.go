package refill

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openclaw/clawd/mlrefill"
	"github.com/openclaw/clawd/ratelimit"
)

// Pool is this node's part of a downstream's capacity.
type Pool struct {
	c            *Controller
	tenant, name string
	flock

	// Read on every request, by one atomic load each.
	scaled  atomic.Uint64 // float64 bits: what part of the guarantees is in force
	ceiled  atomic.Uint64 // float64 bits: the most the pool may ever take
	retired atomic.Bool   // the pool was deleted

	gate sync.Mutex // guards what follows
	spec ratelimit.Pool

	bucket        ratelimit.Bucket
	limit         ratelimit.Limit
	floor         [3]int64 // by tier, µtok
	use           mlrefill.Use
	rate          float64 // this node's part of Ĝ, tokens a second
	depth, shaped float64 // what may wait over the share of it: now, and as limit is made for

	demand   mlrefill.Hot
	capacity *mlrefill.Capacity
	depths   mlrefill.Depths
	members  int // that depths are made for
	before   float64
	fed      feed
	ledger   *mlrefill.Ledger
	told     told
	tuner    *tuner

	window window // since the last tick
	last   window // the one before, a second
	total  Totals
	shown  PoolPlan
}

// window is what happened between two ticks.
type window struct {
	offered, admitted, borrowed float64 // tokens
	requests                    float64 // admitted
	saturated                   bool
	seconds                     float64
}

// Totals count since the process began. Tokens are whole ones as a float.
type Totals struct {
	Offered, Admitted, Borrowed float64
	// Throttled for want of capacity, in requests: Avoidable are those refused
	// while the pool held the tokens (kept for guarantees), Unavoidable the others.
	Avoidable, Unavoidable uint64
	// Ceiling are requests refused by the agent's own bucket.
	Ceiling   uint64
	Fallbacks [reasons]uint64 // how often each began
}

// full is the most a pool's bucket may owe: requests larger than its depth are
// paid off.
const full = int64(1) << 52

// poolID is how a pool of a tenant is found.
func poolID(tenant, name string) string { return tenant + "\x00" + name }

func newPool(c *Controller, tenant, name string, spec ratelimit.Pool, now int64) *Pool {
	p := &Pool{
		c: c, tenant: tenant, name: name, spec: spec, use: mlrefill.Shared, members: 1,
		depths: mlrefill.NewDepths(1), ledger: mlrefill.NewLedger(c.opts.Self),
		demand: mlrefill.NewHot(c.model, now, mlrefill.Jitter(c.opts.Seed, poolID(tenant, name))),
	}
	p.fed.last = now
	p.depth = p.depths.Factor()
	p.setScale(1)
	p.estimate()
	p.shape()
	p.bucket = ratelimit.NewBucket(now, &p.limit, nil)
	p.tuner = newTuner(spec.Tuner, now)
	return p
}

// Name is the pool's, within its Tenant.
func (p *Pool) Name() string { return p.name }

// Tenant is whose pool it is.
func (p *Pool) Tenant() string { return p.tenant }

// estimate begins the estimate of the capacity anew.
func (p *Pool) estimate() {
	stated, hard := p.spec.CapacityPerSecond.Float(), p.spec.HardMax.Float()
	switch {
	case hard == 0:
		p.capacity = mlrefill.NewCapacity(stated)
	case stated == 0:
		p.capacity = mlrefill.NewUnknownCapacity(hard*unknownStart, hard)
	default:
		p.capacity = mlrefill.NewUnknownCapacity(stated, hard)
	}
	p.ceiled.Store(math.Float64bits(p.capacity.Limit()))
}

// unknownStart of the hard maximum is where a capacity that nobody stated begins.
const unknownStart = 0.1

// configure takes a changed specification.
func (p *Pool) configure(spec ratelimit.Pool, now int64) {
	p.gate.Lock()
	defer p.gate.Unlock()
	old := p.spec
	p.spec = spec
	p.retired.Store(false)
	if old.CapacityPerSecond != spec.CapacityPerSecond || old.HardMax != spec.HardMax {
		if old.HardMax == 0 && spec.HardMax == 0 {
			p.capacity.Raise(spec.CapacityPerSecond.Float())
			p.ceiled.Store(math.Float64bits(p.capacity.Limit()))
		} else {
			p.estimate()
		}
	}
	if old.Tuner != spec.Tuner {
		p.tuner = newTuner(spec.Tuner, now)
	}
	p.adoptLocked(now)
}

func (p *Pool) scale() float64     { return math.Float64frombits(p.scaled.Load()) }
func (p *Pool) setScale(x float64) { p.scaled.Store(math.Float64bits(x)) }
func (p *Pool) ceiling() float64   { return math.Float64frombits(p.ceiled.Load()) }

// shape makes limit and floors for the present part.
func (p *Pool) shape() {
	l := mlrefill.NewLender(p.rate, p.delayLocked(), 1, p.use)
	p.limit = ratelimit.Limit{
		Capacity: int64(l.Depth * ratelimit.Token), Floor: full, Durability: ratelimit.Async,
	}.WithRate(p.rate)
	p.shaped = p.depth
	head := p.tuner.reserve()
	for t := range p.floor {
		p.floor[t] = int64(l.Floor(mlrefill.Tier(t)) * head * ratelimit.Token)
	}
}

// delayLocked is how long requests of this node's part may wait, in seconds.
func (p *Pool) delayLocked() float64 { return p.spec.QueueDelay() * p.depth * p.tuner.depth() }

// resizeLocked follows a change of the part.
func (p *Pool) resizeLocked(now int64, rate float64, use mlrefill.Use) {
	if rate == p.rate && use == p.use && p.depth == p.shaped && !p.tuner.moved() {
		return
	}
	old := p.limit
	p.rate, p.use = rate, use
	p.shape()
	p.bucket.Relimit(now, &old, &p.limit, nil)
}

// adoptLocked applies the present Ĝ and share.
func (p *Pool) adoptLocked(now int64) {
	m := p.c.members.Load()
	capacity := p.agreedLocked(now)
	part := p.ledger.Part(capacity, m.Minority, m.count())
	if part > 0 {
		// A hair less, so that rounding never lifts the sum of parts above Ĝ.
		part *= 1 - 1e-9
	}
	p.resizeLocked(now, p.tuner.slewed(part, p.rate), p.use)
}

// take decides one request. wish is what it counts as demand.
func (p *Pool) take(now int64, d Draw, wish float64, tier mlrefill.Tier) (ok bool, room int64, wait time.Duration) {
	p.gate.Lock()
	defer p.gate.Unlock()
	tokens := float64(d.Tokens) / ratelimit.Token
	if d.Fits { // what the agent's own bucket refuses is no demand on the pool
		p.demand.Observe(p.c.model, now, wish)
		p.window.offered += wish
		p.total.Offered += wish
		p.tuner.offer(now, d.Tokens, wish, tier, p)
	}
	level := p.bucket.Level(now, &p.limit, nil)
	floor := p.floor[tier]
	room = level - floor
	enough := room >= d.Tokens
	if !enough && d.Tokens > p.limit.Capacity-floor {
		// Larger than all that is ever free at once: it passes when nothing waits.
		enough = level >= p.limit.Capacity
	}
	if !enough || !d.Fits {
		p.refusedLocked(d, level)
		if !enough {
			need := min(d.Tokens+floor, p.limit.Capacity)
			wait = p.bucket.RetryAfter(now, &p.limit, nil, need)
		}
		return false, room, wait
	}
	p.bucket.Charge(now, &p.limit, nil, d.Tokens)
	p.window.admitted += tokens
	p.window.requests++
	p.total.Admitted += tokens
	if tier != mlrefill.Guaranteed {
		p.window.borrowed += tokens
		p.total.Borrowed += tokens
	}
	return true, room - d.Tokens, 0
}

func (p *Pool) refusedLocked(d Draw, level int64) {
	switch {
	case !d.Fits:
		p.total.Ceiling++
		return
	case level >= d.Tokens:
		p.total.Avoidable++
	default:
		p.total.Unavoidable++
	}
	p.window.saturated = true
}

// waitFor is until an empty pool had n µtok for a guaranteed request.
func (p *Pool) waitFor(now int64, n int64) time.Duration {
	p.gate.Lock()
	defer p.gate.Unlock()
	return p.bucket.RetryAfter(now, &p.limit, nil, min(n, p.limit.Capacity))
}

func (p *Pool) giveBack(now int64, n int64) {
	p.gate.Lock()
	defer p.gate.Unlock()
	p.bucket.Refund(now, &p.limit, nil, n)
	tokens := float64(n) / ratelimit.Token
	p.window.admitted -= tokens
	p.window.requests--
	p.total.Admitted -= tokens
}
