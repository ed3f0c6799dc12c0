package replay

import (
	"math"

	"github.com/openclaw/clawd/mlrefill"
)

// downstream is a FIFO queue that is worked off at the capacity. The queue is a
// fluid: a request is one unit of it.
type downstream struct {
	steps   []step // capacity over time
	now     int64
	backlog float64

	under  []answer // admitted, in order of completion
	head   int
	window struct{ done, errors, latency, admitted float64 }
	ticks  int
	over   int
	delays latencies
	errors int64
	limit  float64 // seconds of queue that are no overload yet
}

// step is a capacity from an instant on.
type step struct {
	at   int64
	rate float64
}

type answer struct {
	at      int64
	latency float64
}

func newDownstream(o *Options) *downstream {
	d := &downstream{steps: capacitySteps(o), limit: o.MaxDelay.Seconds() + Tick.Seconds()}
	return d
}

// capacitySteps turns brown-outs into a step function; where several overlap the
// lowest counts.
func capacitySteps(o *Options) []step {
	at := map[int64]bool{0: true}
	for _, b := range o.Brownouts {
		at[int64(b.From*second)], at[int64(b.To*second)] = true, true
	}
	var steps []step
	for _, t := range sortedKeys(at) {
		factor := 1.0
		for _, b := range o.Brownouts {
			if int64(b.From*second) <= t && t < int64(b.To*second) {
				factor = min(factor, b.Factor)
			}
		}
		steps = append(steps, step{t, o.Capacity * factor})
	}
	return steps
}

// rate is the capacity at an instant, and until when it holds.
func (d *downstream) rate(t int64) (rate float64, until int64) {
	until = math.MaxInt64
	for i, s := range d.steps {
		if s.at > t {
			until = s.at
			break
		}
		rate = d.steps[i].rate
	}
	return rate, until
}

// advance works the queue off until t.
func (d *downstream) advance(t int64) {
	for d.now < t {
		rate, until := d.rate(d.now)
		end := min(until, t)
		d.backlog = max(d.backlog-rate*float64(end-d.now)/second, 0)
		d.now = end
	}
}

// wait is how long a request that comes now has to wait, in seconds.
func (d *downstream) wait() float64 {
	left, at, waited := d.backlog, d.now, 0.0
	for left > 0 {
		rate, until := d.rate(at)
		if until == math.MaxInt64 || left <= rate*float64(until-at)/second {
			return waited + left/rate
		}
		left -= rate * float64(until-at) / second
		waited += float64(until-at) / second
		at = until
	}
	return waited
}

// serve takes a request at t.
func (d *downstream) serve(t int64) {
	d.advance(t)
	d.window.admitted++
	wait := d.wait()
	if wait > Patience.Seconds() {
		d.errors++
		d.window.errors++
		d.window.done++
		d.window.latency += ServiceTime.Seconds()
		return
	}
	latency := wait + ServiceTime.Seconds()
	d.backlog++
	d.delays.add(latency)
	d.under = append(d.under, answer{t + int64(latency*second), latency})
}

// tick looks at the queue.
func (d *downstream) tick(t int64) {
	d.advance(t)
	rate, _ := d.rate(t)
	d.ticks++
	if d.backlog > rate*d.limit+1e-6 {
		d.over++
	}
}

// report is what a sidecar tells of the last window.
func (d *downstream) report(t int64, seconds, maxDelay float64, saturated bool) mlrefill.Report {
	w := &d.window
	for d.head < len(d.under) && d.under[d.head].at <= t {
		w.done++
		w.latency += d.under[d.head].latency
		d.head++
	}
	if d.head > 1<<16 {
		d.under = append(d.under[:0], d.under[d.head:]...)
		d.head = 0
	}
	r := mlrefill.Report{
		Seconds: seconds, Requests: w.done, Errors: w.errors, Offered: w.admitted,
		MaxDelay: maxDelay, Saturated: saturated,
	}
	if w.done > 0 {
		r.Latency = w.latency / w.done
	}
	*w = struct{ done, errors, latency, admitted float64 }{}
	return r
}

// latencies is a histogram of milliseconds.
type latencies struct {
	n    int64
	bins [4096]int64
}

func (l *latencies) add(seconds float64) {
	l.n++
	l.bins[min(int(seconds*1000), len(l.bins)-1)]++
}

// quantile is in milliseconds, rounded up.
func (l *latencies) quantile(q float64) float64 {
	need := int64(math.Ceil(q * float64(l.n)))
	for i, n := range l.bins {
		if need -= n; need <= 0 && l.n > 0 {
			return float64(i + 1)
		}
	}
	return 0
}
