package refill

import (
	"math"

	"github.com/openclaw/clawd/mlrefill"
	"github.com/openclaw/clawd/ratelimit"
)

// Arm is one setting of a pool's knobs that the tuner tries.
type Arm struct {
	// Headroom multiplies what is kept for guarantees, Depth what may wait, and
	// Slew bounds how fast the part may rise in a second.
	Headroom, Depth, Slew float64
}

// arms are all settings there are: the tuner chooses among these and nothing else.
// None lets more wait than the pool allows, and none grows its part faster than
// without a tuner, so the worst it can do is to throttle.
var arms = [...]Arm{
	{1, 1, Instant}, // what a pool without a tuner has
	{0.5, 1, Instant},
	{2, 1, Instant},
	{1, 0.75, Instant},
	{1, 0.5, Instant},
	{1, 1, 1.25},
	{0.5, 0.75, 1.25},
}

// Instant is the Slew of an arm that does not bound it.
const Instant = 1e9

const (
	overWeight  = 4    // λ: a token over what may wait counts like so many throttled
	tunerRate   = 8    // of Hedge, a second
	tunerKeep   = 0.98 // a second: what was long ago counts less
	tunerMargin = 0.02 // how much better an arm must be than the one in use
	tunerDwell  = 30   // seconds between changes
	tunerMaxLag = 40
)

// tuner runs a shadow bucket for each arm on the same offered requests: demand is
// seen whatever is admitted, so what each arm would have done is known, and
// nothing is tried out on live requests. Arms are weighted by Hedge on
//
//	throttled / offered + λ · (tokens waiting beyond the allowed delay) / offered
//
// A nil tuner is off: it leaves all knobs as they are.
type tuner struct {
	on      bool
	chosen  int
	applied int
	since   int64
	changes uint64
	lag     [len(arms)]float64
	shadow  [len(arms)]shadow
	offered float64
}

// shadow is the bucket of one arm, and the queue that would stand behind it.
type shadow struct {
	bucket    ratelimit.Bucket
	limit     ratelimit.Limit
	floor     [3]int64
	rate      float64
	queue     float64 // tokens that would wait
	throttled float64
	over      float64
}

func newTuner(mode string, now int64) *tuner {
	if mode != ratelimit.TunerShadow && mode != ratelimit.TunerOn {
		return nil
	}
	return &tuner{on: mode == ratelimit.TunerOn, since: now}
}

func (t *tuner) arm() Arm {
	if t == nil || !t.on {
		return arms[0]
	}
	return arms[t.chosen]
}

func (t *tuner) reserve() float64 { return t.arm().Headroom }
func (t *tuner) depth() float64   { return t.arm().Depth }

// moved reports, once, that the knobs are others than they were.
func (t *tuner) moved() bool {
	if t == nil || t.applied == t.chosen {
		return false
	}
	t.applied = t.chosen
	return t.on
}

// slewed is the part after the chosen arm's bound on its growth.
func (t *tuner) slewed(part, before float64) float64 {
	if a := t.arm(); before > 0 && a.Slew < Instant {
		return min(part, before*a.Slew)
	}
	return part
}

// offer shows a request to all arms.
func (t *tuner) offer(now int64, n int64, wish float64, tier mlrefill.Tier, p *Pool) {
	if t == nil {
		return
	}
	t.offered += wish
	for i := range t.shadow {
		s := &t.shadow[i]
		if s.limit.RateDen == 0 {
			s.shape(now, arms[i], p)
		}
		level := s.bucket.Level(now, &s.limit, nil)
		if level-n >= s.floor[tier] || n > s.limit.Capacity-s.floor[tier] && level >= s.limit.Capacity {
			s.bucket.Charge(now, &s.limit, nil, n)
			s.queue += float64(n) / ratelimit.Token
		} else {
			s.throttled += wish
		}
	}
}

func (s *shadow) shape(now int64, a Arm, p *Pool) {
	old := s.limit
	next := p.rate
	if s.rate > 0 && a.Slew < Instant {
		next = min(next, s.rate*a.Slew)
	}
	s.rate = next
	l := mlrefill.NewLender(s.rate, p.spec.QueueDelay()*p.depth*a.Depth, 1, p.use)
	s.limit = ratelimit.Limit{Capacity: int64(l.Depth * ratelimit.Token), Floor: full, Durability: ratelimit.Async}.WithRate(s.rate)
	for t := range s.floor {
		s.floor[t] = int64(l.Floor(mlrefill.Tier(t)) * a.Headroom * ratelimit.Token)
	}
	if old.RateDen == 0 {
		s.bucket = ratelimit.NewBucket(now, &s.limit, nil)
	} else {
		s.bucket.Relimit(now, &old, &s.limit, nil)
	}
}

// tick ends a second: what the downstream took is served is what drains the
// shadow queues, so an arm that admits more than that is seen to.
func (t *tuner) tick(now int64, p *Pool, served, seconds float64) {
	if t == nil || !(seconds > 0) {
		return
	}
	allowed := served * p.spec.QueueDelay()
	best := math.Inf(1)
	for i := range t.shadow {
		s := &t.shadow[i]
		s.queue = max(s.queue-served*seconds, 0)
		s.over += max(s.queue-allowed, 0)
		loss := 0.0
		if t.offered > 0 {
			loss = min((s.throttled+overWeight*s.over)/t.offered, 1+overWeight)
		}
		t.lag[i] = t.lag[i]*tunerKeep + tunerRate*loss*min(seconds, 1)
		s.throttled, s.over = 0, 0
		best = min(best, t.lag[i])
		s.shape(now, arms[i], p)
	}
	t.offered = 0
	for i := range t.lag {
		t.lag[i] = min(t.lag[i]-best, tunerMaxLag)
	}
	t.choose(now)
}

// choose follows the weights, but not at once and not for little.
func (t *tuner) choose(now int64) {
	if now-t.since < tunerDwell*second {
		return
	}
	w := t.weights()
	best := t.chosen
	for i := range w {
		if w[i] > w[best]+tunerMargin {
			best = i
		}
	}
	if best != t.chosen {
		t.chosen, t.since = best, now
		t.changes++
	}
}

func (t *tuner) weights() (w [len(arms)]float64) {
	sum := 0.0
	for i, lag := range t.lag {
		w[i] = math.Exp(-lag)
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}
