package replay

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/openclaw/clawd/mlrefill"
	"github.com/openclaw/clawd/ratelimit"
)

// burst is how many seconds of its rate the bucket of an agent holds.
const burst = 1.0

// limitOf is a bucket of so many requests a second.
func limitOf(rate, depth float64) ratelimit.Limit {
	rate = max(rate, 1e-6)
	return ratelimit.Limit{
		Capacity: int64(depth * ratelimit.Token), Floor: int64(depth*ratelimit.Token) + 1<<40,
		RateNum: uint64(rate * ratelimit.Token), RateDen: uint64(time.Second), Durability: ratelimit.Async,
	}
}

// fixed gives each agent a bucket of its own with a rate that never changes. The
// nodes of a cluster are taken to know each other's consumption at once.
type fixed struct {
	limits  []ratelimit.Limit
	buckets []ratelimit.Bucket
}

func newFixed(rates []float64) *fixed {
	f := &fixed{}
	for _, r := range rates {
		l := limitOf(r, 1+r*burst)
		f.limits = append(f.limits, l)
		f.buckets = append(f.buckets, ratelimit.NewBucket(start, &l, nil))
	}
	return f
}

func (f *fixed) admit(_ int, agent int32, now int64) bool {
	return f.buckets[agent].Admit(now, &f.limits[agent], nil, ratelimit.Token)
}

func (*fixed) tick(int64, *downstream) {}

func splitRates(l *Load, o *Options) []float64 {
	rates := shares(l)
	for i := range rates {
		rates[i] *= o.Believed
	}
	return rates
}

// tunedRates finds the multiple of each agent's mean demand at which
// StaticThrottle is throttled: by bisection of a quick estimate, and playing what
// it finds a few times to correct its aim.
func tunedRates(l *Load, o *Options) []float64 {
	mean := make([]float64, len(l.Agents))
	for _, s := range l.Seconds {
		for _, d := range s {
			mean[d.Agent] += float64(d.Requests) / float64(len(l.Seconds))
		}
	}
	aim := o.StaticThrottle
	best, miss := estimatedRates(l, mean, aim), math.Inf(1)
	for range 4 {
		rates := estimatedRates(l, mean, aim)
		got := playedBy(l, rates, o.Seed)
		if off := math.Abs(got - o.StaticThrottle); off < miss {
			best, miss = rates, off
		}
		if miss < o.StaticThrottle/100 || got == 0 {
			break
		}
		aim = clip(aim*o.StaticThrottle/got, 1e-6, 0.999)
	}
	return best
}

func clip(x, low, high float64) float64 { return min(max(x, low), high) }

func estimatedRates(l *Load, mean []float64, aim float64) []float64 {
	rates := make([]float64, len(mean))
	low, high := 0.1, 100.0
	for range 16 {
		k := (low + high) / 2
		if high > 4*low {
			k = low * 2
		}
		for i := range rates {
			rates[i] = mean[i] * k
		}
		if throttledBy(l, rates) > aim {
			low = k
		} else {
			high = k
		}
	}
	for i := range rates {
		rates[i] = mean[i] * high
	}
	return rates
}

// playedBy is the throttle rate of fixed rates, request by request.
func playedBy(l *Load, rates []float64, seed uint64) float64 {
	f := newFixed(rates)
	a := arrivals{chance: rand.New(rand.NewPCG(seed, 1))}
	var offered, denied float64
	for sec, demands := range l.Seconds {
		order := a.of(demands)
		for j, agent := range order {
			offered++
			if !f.admit(0, agent, start+int64(sec)*second+int64(j)*second/int64(len(order))) {
				denied++
			}
		}
	}
	return ratio(denied, offered)
}

// throttledBy estimates the throttle rate of fixed rates, taking each agent's
// requests of a second as a fluid: what it asks for against what its bucket holds
// and gets.
func throttledBy(l *Load, rates []float64) float64 {
	level := make([]float64, len(rates))
	last := make([]int, len(rates))
	for i, r := range rates {
		level[i] = 1 + r*burst
	}
	var offered, lost float64
	for sec, demands := range l.Seconds {
		for _, d := range demands {
			i, r := d.Agent, rates[d.Agent]
			have := min(level[i]+r*float64(sec-last[i]-1), 1+r*burst) + r
			if last[i] == sec {
				have = level[i] + r
			}
			n := float64(d.Requests)
			got := min(n, have)
			level[i] = min(have-got, 1+r*burst)
			last[i] = sec
			offered += n
			lost += n - got
		}
	}
	return ratio(lost, offered)
}

// alone refills each agent's bucket by forecast, without a pool.
type alone struct {
	*fixed
	model   *mlrefill.Model
	records []mlrefill.Record
	static  []float64
	max     []float64
	rate    []float64
}

func newAlone(l *Load, o *Options, m *mlrefill.Model) *alone {
	a := &alone{model: m, static: splitRates(l, o)}
	a.fixed = newFixed(a.static)
	for i, agent := range l.Agents {
		a.records = append(a.records, mlrefill.NewRecord(m, start, mlrefill.Jitter(o.Seed, agent.Name)))
		a.rate = append(a.rate, a.static[i])
		most := o.Believed
		if agent.MaxRate > 0 {
			most = agent.MaxRate
		}
		a.max = append(a.max, most)
	}
	return a
}

func (a *alone) admit(node int, agent int32, now int64) bool {
	a.records[agent].Observe(a.model, now, 1)
	return a.fixed.admit(node, agent, now)
}

func (a *alone) tick(now int64, _ *downstream) {
	if (now-start)%second != 0 {
		return
	}
	for i := range a.records {
		r := &a.records[i]
		r.Advance(a.model, now)
		f := r.Forecast()
		c := mlrefill.Claim{
			Forecast: f.Mean, Bound: f.Bound, Static: a.static[i], Max: a.max[i], Rate: a.rate[i],
			Trust: r.Trust().Weight(),
		}
		a.rate[i] = c.Alone()
		next := limitOf(a.rate[i], 1+a.rate[i]*burst)
		a.buckets[i].Relimit(now, &a.limits[i], &next, nil)
		a.limits[i] = next
	}
}
