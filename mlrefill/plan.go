package mlrefill

import "math"

// Claim is one agent (or node) in a plan. Rates are requests, or tokens, a second.
type Claim struct {
	Forecast float64 // mean
	Bound    float64 // P95
	// Weight is the contract's share.
	Weight float64
	// Guarantee is the least rate, from the contract; never from a forecast.
	Guarantee float64
	// Max is the greatest rate; 0 = the pool's capacity.
	Max float64
	// Static is the rate without a model, within [Guarantee, Max].
	Static float64
	// Trust is how much of the forecast is believed: Trust.Weight.
	Trust float64
	// Rate is the rate in force, and after Plan the new one.
	Rate float64
}

// A rate at most doubles in a second and falls by a third, so that a forecast
// that swings moves buckets slowly. The capacity and the bounds of a claim win
// over that.
const (
	slewUp   = 2
	slewDown = 1.5
)

// Planner holds the scratch of plans, so that a plan of many allocates nothing
// once it has grown.
type Planner struct {
	want, weight, share []float64
	order               []int
}

// Plan sets the rates of the claims on one pool:
//
//	a = waterfill(forecast, weight, capacity)
//	h = bound − forecast
//	rate = a + h·min(1, left/Σh) + rest·(w/2W + f/2F)
//
// blended with Static by Trust, clipped to [Guarantee, Max], slewed, and cut to
// the capacity. Means are served before anybody's headroom: reserving everybody's
// P95 first starves the ones with heavy tails.
//
// The sum of the rates is at most capacity, whatever the claims are. When the
// guarantees alone exceed it, as in a brown-out, all are cut in proportion.
func (p *Planner) Plan(capacity float64, claims []Claim) {
	if !sane(capacity) {
		capacity = 0
	}
	p.fill(capacity, claims)
	left, heads, weights, forecasts := capacity, 0.0, 0.0, 0.0
	for i := range claims {
		left -= p.share[i]
		heads += p.head(&claims[i], i)
		weights += p.weight[i]
		forecasts += p.want[i]
	}
	left = max(left, 0)
	part := 1.0
	if heads > left {
		part = left / heads
	}
	rest := max(left-heads*part, 0)
	for i := range claims {
		c := &claims[i]
		r := p.share[i] + p.head(c, i)*part
		if weights > 0 {
			r += rest * half(p.weight[i]/weights, p.want[i], forecasts)
		}
		c.Rate = c.settle(r, capacity)
	}
	cutTo(capacity, claims)
}

// fill copies what can be believed of the claims into the scratch, and the
// waterfilled means into share.
func (p *Planner) fill(capacity float64, claims []Claim) {
	p.want, p.weight, p.share = p.want[:0], p.weight[:0], p.share[:0]
	for i := range claims {
		c := &claims[i]
		c.clean(capacity)
		p.want = append(p.want, min(c.Forecast, c.Max))
		p.weight = append(p.weight, c.Weight)
		p.share = append(p.share, 0)
	}
	p.order = Waterfill(capacity, p.want, p.weight, p.share, p.order)
}

func (p *Planner) head(c *Claim, i int) float64 {
	return max(min(c.Bound, c.Max)-p.want[i], 0)
}

// half shares the rest half by contract and half by forecast.
func half(weight, forecast, forecasts float64) float64 {
	if forecasts <= 0 {
		return weight
	}
	return weight/2 + forecast/forecasts/2
}

// clean makes a claim one that arithmetic can be done with. A forecast that is no
// number counts as one that is not trusted.
func (c *Claim) clean(capacity float64) {
	if !sane(c.Weight) {
		c.Weight = 0
	}
	if !sane(c.Guarantee) {
		c.Guarantee = 0
	}
	if !sane(c.Max) || c.Max == 0 {
		c.Max = max(capacity, c.Guarantee)
	}
	c.Guarantee = min(c.Guarantee, c.Max)
	if !sane(c.Static) {
		c.Static = c.Guarantee
	}
	c.Static = clip(c.Static, c.Guarantee, c.Max)
	if !sane(c.Forecast) || !sane(c.Bound) || !(c.Trust >= 0 && c.Trust <= 1) {
		c.Forecast, c.Bound, c.Trust = 0, 0, 0
	}
	if !sane(c.Rate) {
		c.Rate = 0
	}
}

// settle blends, bounds and slews a rate.
func (c *Claim) settle(r, capacity float64) float64 {
	r = c.Trust*r + (1-c.Trust)*c.Static
	if c.Rate > 0 {
		r = clip(r, c.Rate/slewDown, c.Rate*slewUp)
	}
	return clip(r, c.Guarantee, max(min(c.Max, capacity), c.Guarantee))
}

// cutTo takes what is above the guarantees, and then of the guarantees, in
// proportion until the rates fit.
func cutTo(capacity float64, claims []Claim) {
	sum, guaranteed := 0.0, 0.0
	for i := range claims {
		sum += claims[i].Rate
		guaranteed += claims[i].Guarantee
	}
	if sum <= capacity {
		return
	}
	above, whole := 0.0, 1.0
	if guaranteed > capacity {
		whole = capacity / guaranteed
	} else {
		above = (capacity - guaranteed) / (sum - guaranteed)
	}
	for i := range claims {
		c := &claims[i]
		// A hair less, so that rounding never lifts the sum above the capacity.
		c.Rate = (c.Guarantee*whole + (c.Rate-c.Guarantee)*above) * (1 - 1e-12)
	}
}

// Alone is the rate of an agent without a pool: between Static and Max by its
// P95 bound. It never falls below Static, so that whatever the model says an
// agent gets at least what it would without one; and above it only as far as
// the model is trusted.
func (c Claim) Alone() float64 {
	c.clean(c.Max)
	r := c.Static + c.Trust*max(c.Bound-c.Static, 0)
	if c.Rate > 0 {
		r = clip(r, c.Rate/slewDown, max(c.Rate*slewUp, c.Static))
	}
	r = clip(r, c.Static, c.Max)
	if math.IsNaN(r) {
		return c.Static
	}
	return r
}
