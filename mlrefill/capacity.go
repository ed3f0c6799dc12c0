package mlrefill

import "math"

// Capacity estimates how much a downstream takes: Ĝ, requests a second. It falls
// when requests queue longer than the limiter allows for, or fail, to what the
// downstream was seen to complete; and it probes upwards, fast to where it was
// last seen to work and slowly beyond.
//
// Demand has no say in it, and it has none in the forecasts.
type Capacity struct {
	limit   float64 // configured, or the hard maximum of an unknown one
	known   bool    // limit is configured and not only a ceiling
	rate    float64 // Ĝ
	base    baseline
	hold    float64 // seconds without probing
	ceiling float64 // what was too much, 0 = nothing was
	calm    float64 // seconds without congestion since the last cut
	cuts    int
	busy    float64 // completions a second while requests queued throughout
}

// Report is what was seen of a downstream in a window.
type Report struct {
	Seconds   float64 // length of the window
	Requests  float64 // completed, errors included
	Errors    float64
	Latency   float64 // mean of the completed, seconds
	Offered   float64 // admitted to it in the window
	MaxDelay  float64 // queue delay that is allowed, seconds
	Saturated bool    // the limiter denied for want of capacity in the window
}

// Steps of the estimate.
const (
	cutTo085    = 0.85
	cutToBusy   = 0.95
	holdSeconds = 3
	probeFactor = 1.03
	probePart   = 0.005
	slowFactor  = 1.002 // beyond a ceiling that was hit
	ceilingLife = 120   // seconds of calm after which a ceiling is forgotten
	errorShare  = 0.05
	delaySlack  = 0.02 // seconds beyond what is allowed before it is congestion
	leastPart   = 0.02 // of the limit: what is always tried
)

// NewCapacity estimates a downstream with a stated capacity; nothing probes above
// it but Raise.
func NewCapacity(stated float64) *Capacity {
	return &Capacity{limit: stated, known: true, rate: stated}
}

// NewUnknownCapacity estimates a downstream whose capacity nobody stated, from
// start upwards and at most hardMax.
func NewUnknownCapacity(start, hardMax float64) *Capacity {
	return &Capacity{limit: hardMax, rate: min(start, hardMax)}
}

// Rate is Ĝ.
func (c *Capacity) Rate() float64 { return c.rate }

// Limit is what Ĝ never exceeds.
func (c *Capacity) Limit() float64 { return c.limit }

// Cuts counts how often congestion lowered Ĝ.
func (c *Capacity) Cuts() int { return c.cuts }

// Congested reports whether the last cut is so recent that nothing is probed.
func (c *Capacity) Congested() bool { return c.hold > 0 }

// QueueDelay is the part of a latency that is waiting: what is above the least
// mean latency of the last minutes.
func (c *Capacity) QueueDelay(latency float64) float64 { return max(latency-c.base.least(), 0) }

// Report takes what was seen in a window and returns the queue delay in it. A
// report that cannot be is ignored.
func (c *Capacity) Report(r Report) (delay float64) {
	if !sane(r.Requests) || !sane(r.Errors) || !sane(r.Latency) || !sane(r.MaxDelay) || !(r.Seconds > 0) || r.Seconds > 60 {
		return 0
	}
	if r.Requests > 0 {
		c.base.add(r.Latency, r.Seconds)
		delay = c.QueueDelay(r.Latency)
	}
	done := max(r.Requests-r.Errors, 0) / r.Seconds
	switch {
	case r.Requests > 0 && (delay > r.MaxDelay+delaySlack || r.Errors > errorShare*r.Requests):
		c.cut(done)
	default:
		c.probe(r.Seconds, r.Saturated)
	}
	return delay
}

// cut follows the completions down. While a queue stands, completions are the
// capacity itself; a little less lets the queue go.
func (c *Capacity) cut(done float64) {
	if c.hold <= 0 {
		c.cuts++
		c.ceiling = c.rate
	}
	c.ceiling = min(c.ceiling, max(done, leastPart*c.limit))
	c.rate = max(min(c.rate, cutTo085*done), leastPart*c.limit)
	c.hold, c.calm = holdSeconds, 0
}

func (c *Capacity) probe(seconds float64, saturated bool) {
	c.calm += seconds
	if c.calm > ceilingLife {
		c.ceiling = 0
	}
	if c.hold > 0 {
		c.hold -= seconds
		return
	}
	up := math.Pow(probeFactor, seconds)
	next := c.rate*up + probePart*c.limit*seconds
	if c.ceiling > 0 && next > c.ceiling {
		if saturated || c.rate < c.ceiling {
			// Only what is used can be told from what is too much.
			c.ceiling *= math.Pow(slowFactor, seconds)
		}
		next = max(min(next, c.ceiling), min(c.rate, c.limit))
	}
	c.rate = min(next, c.limit)
}

// Raise sets the stated capacity, as when an operator changes it.
func (c *Capacity) Raise(stated float64) {
	if !sane(stated) || stated == 0 {
		return
	}
	if c.rate >= c.limit || c.rate > stated {
		c.rate = stated
	}
	c.limit = stated
}

// baseline is the least of a series over the last minutes, in two halves, so that
// it forgets.
type baseline struct {
	now, before float64
	age         float64
}

const baselineSeconds = 150

func (b *baseline) add(v, seconds float64) {
	if b.now == 0 || v < b.now {
		b.now = v
	}
	if b.age += seconds; b.age > baselineSeconds {
		b.before, b.now, b.age = b.now, v, 0
	}
}

func (b *baseline) least() float64 {
	if b.before > 0 && b.before < b.now {
		return b.before
	}
	return b.now
}
