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
	wanted  bool    // the limiter denied for want of capacity in the last window
	up      float64 // growth of the last second, while there is demand for it
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
	cutFar      = 0.85 // of the completions, when the queue is long
	cutNear     = 0.97 // when it is little too long
	farQueue    = 3    // allowed delays
	holdSeconds = 3
	probeFactor = 1.03
	probePart   = 0.005 // of the limit
	probeFaster = 2     // each second in which there is demand for it and no queue
	probeFirst  = 0.005
	probeMost   = 0.25
	backOff     = 0.95
	noQueue     = 0.04   // of the allowed delay: there may be much more room
	shortQueue  = 0.4    // of the allowed delay: as long as it is no longer, there is room
	slowFactor  = 1.0005 // beyond a ceiling that was hit, while nobody wants it
	ceilingLife = 600    // seconds of calm after which a ceiling is forgotten
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
	failing := r.Errors > errorShare*r.Requests
	switch {
	case r.Requests > 0 && (delay > farQueue*(r.MaxDelay+delaySlack) || failing):
		c.cut(done, cutFar, holdSeconds)
	case r.Requests > 0 && delay > r.MaxDelay+delaySlack:
		c.cut(done, cutNear, 1)
	default:
		c.probe(r.Seconds, done, r.Saturated, delay/(r.MaxDelay+1e-9))
	}
	return delay
}

// cut follows the completions down. While a queue stands, completions are the
// capacity itself; a little less lets the queue go.
func (c *Capacity) cut(done, part, hold float64) {
	if c.hold <= 0 {
		c.cuts++
	}
	floor := leastPart * c.limit
	c.ceiling = max(cutNear*done, floor)
	c.rate = max(min(c.rate, part*done), floor)
	c.hold, c.calm, c.up = max(c.hold, hold), 0, 0
}

// probe raises Ĝ; queue is the delay over the allowed one. When the limiter denies for want of capacity and yet hardly
// anything queues, there is more than Ĝ: faster and faster. When nobody asks for
// more, it cannot be told whether there is, so it stops at what was too much the
// last time, until that is long ago.
func (c *Capacity) probe(seconds, done float64, wanted bool, queue float64) {
	defer func() { c.wanted = wanted }()
	if c.calm += seconds; c.calm > ceilingLife {
		c.ceiling = 0
	}
	if c.hold > 0 {
		c.hold -= seconds
		return
	}
	switch {
	case queue > shortQueue:
		if c.up > 0 && wanted { // it was raised too far: what is completed while a queue stands is the capacity
			c.rate = min(c.rate, max(done, c.rate*backOff))
		}
		c.up = 0
	case wanted && !c.wanted: // one window may be a burst
	case wanted:
		if c.up *= probeFaster; queue > noQueue {
			c.up = 0
		}
		c.up = clip(c.up, probeFirst, probeMost)
		c.rate = min(c.rate*math.Pow(1+c.up, seconds), c.limit)
		c.ceiling = max(c.ceiling, min(c.rate, c.ceiling*2))
	default:
		c.up = 0
		next := c.rate*math.Pow(probeFactor, seconds) + probePart*c.limit*seconds
		if c.ceiling > 0 {
			c.ceiling *= math.Pow(slowFactor, seconds)
			next = max(min(next, c.ceiling), c.rate)
		}
		c.rate = min(next, c.limit)
	}
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
