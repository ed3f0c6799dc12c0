package mlrefill

import "math"

// Hot is the model of a pool or of one of the busiest agents: a record, and
// recursive least squares at one second and at one window as one more expert.
type Hot struct {
	record      Record
	quick, slow rls
	prev        float32 // requests of the second before the last
	x, xw       [features]float32
	unit, unitW float32 // what the features were divided by
	guess       [hotExperts]float32
	guessW      [hotExperts]float32
	lag, lagW   [hotExperts]float32 // Hedge over record, regression and, at one second, a network
	f, u        float64
	z, s        float64
	window      float64
	windowBound float64
	zw, sw      float64
	trust       Trust
	missed      int
	net         bool // a network has a say
	at          int32
	windows     int
}

const (
	hotExperts  = 3
	quickForget = 0.999
	slowForget  = 0.98
	hotRate     = 0.05
	hotRateSlow = 0.3
	hotKeep     = 0.99
	hotMaxLag   = 5
	maxFeature  = 16
	// unitFloor keeps the few requests of a series that is mostly silent from
	// counting like a crowd, in requests a second.
	unitFloor = 0.3
	doubt     = 1 // how far behind the regression starts at windows, of which there are few to learn from
)

// NewHot returns the model of what is first seen at now.
func NewHot(m *Model, now int64, phase uint8) Hot {
	return Hot{
		record: NewRecord(m, now, phase), quick: newRLS(m.prior.QuickRLS, quickVariance), slow: newRLS(m.prior.SlowRLS, slowVariance),
		lag: [hotExperts]float32{expertNet: netDoubt}, lagW: [hotExperts]float32{0, doubt}, z: startZ, zw: startZ, at: int32(now / second),
	}
}

// Observe counts n offered requests at now; see Record.Observe.
func (h *Hot) Observe(m *Model, now int64, n float64) bool {
	if !sane(n) {
		h.trust.Distrust()
		return false
	}
	h.Advance(m, now)
	return h.record.Observe(m.whole, now, n)
}

// Advance closes the seconds before now one by one: a hot series is seldom idle.
func (h *Hot) Advance(m *Model, now int64) {
	sec := int32(now / second)
	if sec-h.at > 2*m.windowLength { // idle, suspended or a jump: nothing is scored
		h.record.Advance(m.whole, now)
		h.at, h.unit, h.unitW, h.missed = sec, 0, 0, 0
		h.f, h.u = float64(h.record.f), float64(h.record.u)
		return
	}
	for h.at < sec {
		h.closeSecond(m)
	}
}

func (h *Hot) closeSecond(m *Model) {
	r := &h.record
	y := float64(r.acc)
	last, windowStart, windowSum := r.last, r.start, r.sum
	h.scoreSecond(y)
	h.at++
	r.Advance(m.whole, int64(h.at)*second)
	h.prev = last
	h.foreseeSecond(m)
	if r.start == windowStart {
		return
	}
	if n := m.windowLength; int32(r.age) >= n {
		h.scoreWindow((float64(windowSum)+y)/float64(n), float64(n))
	}
	h.foreseeWindow(m)
}

func (h *Hot) scoreSecond(y float64) {
	if h.unit == 0 {
		return
	}
	if y > h.u {
		h.missed++
		h.z = min(h.z+boundStep*quantile, maxZ)
	} else {
		h.z = max(h.z-boundStep*(1-quantile), 0)
	}
	h.s += max(errorGain, 1/float64(h.record.age+1)) * (math.Abs(y-h.f) - h.s)
	hedge(h.lag[:h.voices()], h.guess[:h.voices()], y, h.s, hotRate)
	var x feature
	for i := range x {
		x[i] = float64(h.x[i])
	}
	h.quick.learn(&x, y/float64(h.unit), quickForget)
	if h.quick.broken() {
		h.quick = newRLS(FlatPrior().QuickRLS, quickVariance)
	}
}

func (h *Hot) scoreWindow(y, n float64) {
	if h.unitW > 0 {
		if y > h.windowBound {
			h.zw = min(h.zw+boundStep*quantile, maxZ)
		} else {
			h.zw = max(h.zw-boundStep*(1-quantile), 0)
		}
		h.sw += max(errorGain, 1/float64(h.windows+1)) * (math.Abs(y-h.window) - h.sw)
		h.windows++
		hedge(h.lagW[:expertNet], h.guessW[:expertNet], y, h.sw, hotRateSlow)
		var x feature
		for i := range x {
			x[i] = float64(h.xw[i])
		}
		h.slow.learn(&x, y/float64(h.unitW), slowForget)
		if h.slow.broken() {
			h.slow = newRLS(FlatPrior().SlowRLS, slowVariance)
		}
		h.trust.Score(y, h.window, float64(h.guessReference()), 1-float64(h.missed)/n, noise(h.s, n))
	}
	h.missed = 0
}

// guessReference is the slow average as it was when the window began.
func (h *Hot) guessReference() float32 { return h.xw[5] * h.unitW }

func (h *Hot) features() (x feature, unit float64) {
	ex := h.record.experts()
	return Features(&ex, float64(h.prev))
}

// Features is what the regressions see: the experts' forecasts, the second
// before the last, and the slow average, divided by the unit, about the slow
// average. The unit is 0 when there is nothing to divide.
func Features(ex *[experts]float64, previous float64) (x [features]float64, unit float64) {
	slow := ex[expertSlow]
	if !(slow > 1e-3) {
		return x, 0
	}
	unit = slow + unitFloor
	x = [features]float64{ex[expertLast], previous, ex[1], ex[2], ex[3], ex[4], ex[expertHolt], slow}
	for i, v := range x {
		x[i] = clip(v/unit, 0, maxFeature)
	}
	return x, unit
}

func (h *Hot) foreseeSecond(m *Model) {
	x, unit := h.features()
	h.unit = float32(unit)
	own := float64(h.record.f)
	h.guess[0] = float32(own)
	h.f = own
	if unit > 0 {
		for i, v := range x {
			h.x[i] = float32(v)
		}
		ex := h.record.experts()
		h.guess[1] = float32(bounded(h.quick.predict(&x)*unit, &ex))
		if h.net = m.net != nil; h.net {
			h.guess[expertNet] = h.guess[0] // what is no number has no say
			if v, ok := m.net(&x); ok {
				h.guess[expertNet] = float32(bounded(v*unit, &ex))
			}
		}
		h.f = mix(h.lag[:h.voices()], h.guess[:h.voices()])
	}
	h.u = max(h.f+h.z*h.s, 0)
	h.f, h.u = m.publish(h.f, h.u)
	if !sane(h.f) || !sane(h.u) {
		h.trust.Distrust()
		h.f, h.u = unit, unit
	}
}

func (h *Hot) foreseeWindow(m *Model) {
	x, unit := h.features()
	h.unitW = float32(unit)
	h.guessW[0] = h.record.window
	h.window = float64(h.record.window)
	if unit > 0 {
		for i, v := range x {
			h.xw[i] = float32(v)
		}
		ex := h.record.experts()
		most := max(ex[2], ex[3], ex[4]) // of the rungs that last for a part of a window
		h.guessW[1] = float32(clip(h.slow.predict(&x)*unit, 0, 1.25*most))
		h.window = mix(h.lagW[:expertNet], h.guessW[:expertNet])
	}
	h.windowBound = max(h.window+h.zw*h.sw, 0)
	h.window, h.windowBound = m.publish(h.window, h.windowBound)
	if !sane(h.window) || !sane(h.windowBound) {
		h.trust.Distrust()
		h.window, h.windowBound = unit, unit
	}
}

// expertNet is the place of a network among the experts, and netDoubt how far it
// starts behind: nobody knows where it comes from.
const (
	expertNet = 2
	netDoubt  = 2
)

// voices is how many experts there are at one second.
func (h *Hot) voices() int {
	if h.net {
		return hotExperts
	}
	return expertNet
}

// NetWeight is the weight of the network, 0 without one.
func (h *Hot) NetWeight() float64 {
	if !h.net {
		return 0
	}
	sum := 0.0
	for _, lag := range h.lag {
		sum += math.Exp(-float64(lag))
	}
	return math.Exp(-float64(h.lag[expertNet])) / sum
}

// hedge scores forecasts in squared average errors.
func hedge(lag, guess []float32, y, s, rate float64) {
	var sum [hotExperts]float64
	best := math.Inf(1)
	for i, g := range guess {
		d := (float64(g) - y) / (s*1.25 + 1e-6)
		sum[i] = float64(lag[i])*hotKeep + rate*min(d*d, maxLoss)
		best = min(best, sum[i])
	}
	for i := range lag {
		lag[i] = float32(min(sum[i]-best, hotMaxLag))
	}
}

func mix(lag, guess []float32) float64 {
	sum, weights := 0.0, 0.0
	for i, g := range guess {
		w := math.Exp(-float64(lag[i]))
		sum += w * float64(g)
		weights += w
	}
	return sum / weights
}

// Forecast returns what was forecast for the current second.
func (h *Hot) Forecast() Forecast {
	return Forecast{Mean: h.f, Bound: h.u, Window: h.window, Error: h.s}
}

// WindowBound is the P95 bound of the current window's mean, for autoscalers.
func (h *Hot) WindowBound() float64 { return h.windowBound }

// Trust tells whether the forecast is to be used.
func (h *Hot) Trust() *Trust { return &h.trust }

// Record is the part that agents which are not hot have as well.
func (h *Hot) Record() *Record { return &h.record }

// Expectation is what a node publishes of its demand.
type Expectation struct{ Mean, Deviation float64 }

// Expect returns the forecast as far as it is trusted, and for the rest the
// average of about sixteen seconds, which cannot break.
func (h *Hot) Expect() Expectation {
	c := h.trust.Weight()
	base := float64(h.record.ladder[1])
	mean := c*h.f + (1-c)*base
	if !sane(mean) {
		mean = base
	}
	return Expectation{Mean: mean, Deviation: 1.25 * float64(h.record.s)}
}
