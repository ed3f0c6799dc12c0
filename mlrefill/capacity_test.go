package mlrefill

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// downstream answers as one that takes so many requests a second would.
type downstream struct{ takes, queue float64 }

func (d *downstream) second(admitted, allowed float64, denied bool) Report {
	d.queue += admitted
	done := min(d.queue, d.takes)
	d.queue -= done
	return Report{
		Seconds: 1, Requests: done, Latency: 0.05 + d.queue/d.takes,
		Offered: admitted, MaxDelay: allowed, Saturated: denied,
	}
}

func TestCapacityTimeline(t *testing.T) {
	c := NewCapacity(1000)
	d := &downstream{takes: 1000}
	serve := func(seconds int, offered float64) {
		for range seconds {
			admitted := min(offered, c.Rate())
			if d.queue > 0 { // the limiter takes what waits off its bucket
				admitted = max(min(admitted, c.Rate()-d.queue), 0)
			}
			c.Report(d.second(admitted, 0.1, offered > c.Rate()))
		}
	}
	serve(20, 600)
	if c.Rate() != 1000 || c.Cuts() != 0 {
		t.Fatalf("calm: Ĝ %v after %d cuts", c.Rate(), c.Cuts())
	}
	d.takes = 400
	serve(10, 600)
	if c.Rate() > 480 || c.Rate() < 300 {
		t.Errorf("brown-out to 400: Ĝ %v after 10 s", c.Rate())
	}
	d.takes = 1000
	serve(15, 600)
	if c.Rate() < 600 {
		t.Errorf("15 s after the brown-out Ĝ is %v, 600 are wanted", c.Rate())
	}
	if c.Cuts() > 3 {
		t.Errorf("%d cuts", c.Cuts())
	}
}

func TestErrorsCutTheCapacity(t *testing.T) {
	c := NewCapacity(1000)
	c.Report(Report{Seconds: 1, Requests: 500, Errors: 0, Latency: 0.05, MaxDelay: 0.1})
	c.Report(Report{Seconds: 1, Requests: 500, Errors: 100, Latency: 0.05, MaxDelay: 0.1})
	if c.Rate() > 400*cutFar+1e-9 {
		t.Errorf("Ĝ %v with 400 of 500 answered", c.Rate())
	}
	if !c.Congested() {
		t.Error("probing at once")
	}
}

func TestUnknownCapacityIsFound(t *testing.T) {
	c := NewUnknownCapacity(50, 10_000)
	d := &downstream{takes: 700}
	for range 120 {
		admitted := max(c.Rate()-d.queue, 0)
		c.Report(d.second(admitted, 0.1, true))
	}
	if c.Rate() < 500 || c.Rate() > 800 {
		t.Errorf("Ĝ %v, the downstream takes 700", c.Rate())
	}
}

// Whatever is reported, Ĝ is a number between a part of the limit and the limit.
func TestCapacityStaysWithinItsLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := NewCapacity(rapid.Float64Range(1, 1e6).Draw(t, "stated"))
		for range rapid.IntRange(1, 50).Draw(t, "reports") {
			c.Report(Report{
				Seconds: drawn(t, "seconds"), Requests: drawn(t, "requests"), Errors: drawn(t, "errors"),
				Latency: drawn(t, "latency"), MaxDelay: drawn(t, "delay"), Saturated: rapid.Bool().Draw(t, "saturated"),
			})
			if r := c.Rate(); !(r >= leastPart*c.Limit()*(1-1e-9) && r <= c.Limit()) || math.IsNaN(r) {
				t.Fatalf("Ĝ %v of %v", r, c.Limit())
			}
		}
	})
}

func TestDepths(t *testing.T) {
	d := NewDepths(4)
	if d.Factor() != 2 {
		t.Fatalf("factor %v of 4 nodes", d.Factor())
	}
	d.Report(0.08, 0.1, 1)
	if d.Factor() != 1 {
		t.Errorf("factor %v with a long queue", d.Factor())
	}
	for range 30 {
		d.Report(0.01, 0.1, 1)
	}
	if d.Factor() != 2 {
		t.Errorf("factor %v after half a minute of calm", d.Factor())
	}
	if d.Report(math.NaN(), 0.1, 1); d.Factor() != 1 {
		t.Errorf("factor %v after nonsense", d.Factor())
	}
	if one := NewDepths(1); one.Factor() != 1 {
		t.Errorf("factor %v of one node", one.Factor())
	}
}
