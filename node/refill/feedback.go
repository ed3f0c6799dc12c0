package refill

import (
	"math"

	"github.com/openclaw/clawd/mlrefill"
	"github.com/openclaw/clawd/ratelimit"
)

// Outcome is what a caller saw of a downstream.
type Outcome struct {
	Requests, Errors float64
	// LatencySum is of all requests, in seconds.
	LatencySum float64
	// Seconds is how long the window was, 0 = since the last report.
	Seconds float64
}

// sane tells whether arithmetic can be done with it.
func (o *Outcome) sane() bool {
	for _, x := range []float64{o.Requests, o.Errors, o.LatencySum, o.Seconds} {
		if !(x >= 0 && x <= math.MaxFloat32) {
			return false
		}
	}
	return o.Errors <= o.Requests
}

// feed gathers outcomes between two ticks.
type feed struct {
	sum      Outcome
	last     int64 // instant of the last tick that took some in
	heard    int64 // instant of the last outcome, 0 = never
	reports  uint64
	refused  uint64
	delay    float64 // queue delay of the last window, seconds
	latency  float64 // mean of the last window, seconds
	errors   float64 // share of the last window
	complete float64 // tokens a second of the last window, here
}

// Times of the feedback.
const (
	feedSilence = 30 * second // after which a stated capacity recovers
	feedWindow  = 60.0        // longest window of an estimate, seconds
)

// Report takes in an outcome. It reports false for one that cannot be.
func (p *Pool) Report(now int64, o Outcome) bool {
	p.gate.Lock()
	defer p.gate.Unlock()
	if !o.sane() {
		p.fed.refused++
		return false
	}
	p.fed.sum.Requests += o.Requests
	p.fed.sum.Errors += o.Errors
	p.fed.sum.LatencySum += o.LatencySum
	p.fed.heard = now
	p.fed.reports++
	return true
}

// feedbackLocked makes an estimate of what was reported since the last time.
func (p *Pool) feedbackLocked(now int64, elapsed float64) {
	f := &p.fed
	m := p.c.members.Load()
	if p.members != m.count() {
		p.members = m.count()
		p.depths = mlrefill.NewDepths(p.members)
		p.depth = p.depths.Factor()
	}
	allowed := p.allowedLocked()
	longest := max(allowed, p.before)
	p.before = allowed
	o := f.sum
	switch {
	case o.Requests > 0:
	case f.heard == 0 || now-f.heard < feedSilence || p.spec.CapacityPerSecond == 0:
		// Nobody reports, or not every second: the estimate stays where it is.
		return
	default:
		f.complete, f.delay, f.latency, f.errors = 0, 0, 0, 0
		p.capacity.Report(mlrefill.Report{Seconds: min(elapsed, feedWindow), MaxDelay: longest, Saturated: p.window.saturated})
		return
	}
	seconds := min(max(float64(now-f.last)/float64(second), 1e-3), feedWindow)
	f.sum, f.last = Outcome{}, now
	// Requests there are tokens here: as many as those admitted had on average.
	each := 1.0
	if p.window.requests > 0 {
		each = p.window.admitted / p.window.requests
	}
	f.complete = (o.Requests - o.Errors) * each / seconds
	f.latency, f.errors = o.LatencySum/o.Requests, o.Errors/o.Requests
	// Callers may report to another node than they asked: what all nodes were
	// told together is what the downstream completed.
	all := f.complete
	for _, s := range p.ledger.Peers() {
		if p.c.fresh(p.told.at[s.Node], now) {
			all += s.Completed
		}
	}
	more := 1.0
	if f.complete > 0 {
		more = all / f.complete
	}
	report := mlrefill.Report{
		Seconds: seconds, Requests: o.Requests * each * more, Errors: o.Errors * each * more, Latency: f.latency,
		Offered: p.window.admitted, MaxDelay: longest, Saturated: p.window.saturated,
	}
	f.delay = p.capacity.Report(report)
	p.depths.Report(f.delay, p.spec.QueueDelay(), seconds)
	p.depth = p.depths.Factor()
	p.drainLocked(now, f.delay)
}

// allowedLocked is how long requests wait at most as long as Ĝ is right.
func (p *Pool) allowedLocked() float64 {
	if !(p.rate > 0) {
		return p.spec.QueueDelay()
	}
	return max(float64(p.limit.Capacity)/ratelimit.Token/p.rate, p.spec.QueueDelay())
}

// drainLocked takes from the bucket what waits downstream beyond what it knows of.
func (p *Pool) drainLocked(now int64, delay float64) {
	p.adoptLocked(now)
	beyond := (delay - p.allowedLocked()) * p.rate * ratelimit.Token
	if !(beyond > 0) {
		return
	}
	beyond = min(beyond, p.rate*ratelimit.Token*maxDrain)
	if debt := p.bucket.Level(now, &p.limit, nil) + int64(beyond); debt > 0 {
		p.bucket.Charge(now, &p.limit, nil, debt)
	}
}

// maxDrain bounds, in seconds, for how long one report may stop a pool.
const maxDrain = 5
