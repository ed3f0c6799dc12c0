package mlrefill

import "math"

// Record is the demand model of one agent: at most 128 bytes, plain memory, no
// pointer. It is brought up to date when it is touched, so an idle agent costs
// nothing. The zero value is not ready: see NewRecord.
type Record struct {
	ladder       [rungs]float32 // averages of requests a second
	last         float32        // requests of the last whole second
	level, trend float32        // Holt's
	acc          float32        // requests of the current second so far
	sum          float32        // of the whole seconds of the current window
	f, u         float32        // published for the current second: mean and P95 bound
	window       float32        // published for the current window: mean a second
	quick, slow  lags           // Hedge over the experts, at one second and at one window
	pend         [experts]float32
	z, s         float32 // the bound is f + z·s, s the average |error|
	trust        Trust
	sec          int32  // the current second
	start        int32  // first second of the current window, also of one begun before the record
	age          uint16 // seconds seen
	missed       uint8  // seconds of the window beyond the bound
}

// Steps of the bound and of Hedge.
const (
	startZ    = 2
	maxZ      = 12
	errorGain = 0.05
	quantile  = 0.95
	boundStep = 0.1 // how far z moves, over all
	quickRate = 0.25
	quickKeep = 0.99
	slowRate  = 0.2
	slowKeep  = 0.95
	maxLoss   = 40  // of one second or window, in squared average errors
	maxBeyond = 4.0 // a forecast is at most so many times the largest feature
)

// NewRecord returns the record of an agent first seen at now. phase, from
// Jitter, is when in a window it is recalibrated.
func NewRecord(m *Model, now int64, phase uint8) Record {
	sec := int32(now / second)
	r := Record{quick: m.quick, slow: m.slow, z: startZ, sec: sec, start: int32(phase) - m.windowLength}
	r.start += (sec - r.start) / m.windowLength * m.windowLength
	return r
}

// Observe counts n offered requests at now. It reports false for input that
// cannot be, which is not counted and sends the record into fallback. An instant
// before the current second counts into the current one.
func (r *Record) Observe(m *Model, now int64, n float64) bool {
	if !sane(n) {
		r.trust.Distrust()
		return false
	}
	r.Advance(m, now)
	r.acc += float32(n)
	return true
}

// Advance closes the seconds and windows before now.
func (r *Record) Advance(m *Model, now int64) {
	sec := int32(now / second)
	if sec <= r.sec {
		return
	}
	if sec-r.sec > maxIdle {
		r.forget(m, sec)
		return
	}
	r.step(m, float64(r.acc))
	r.acc = 0
	r.next(m)
	for r.sec < sec {
		r.idle(m, int(min(sec, r.start+m.windowLength)-r.sec))
		r.turnWindow(m)
	}
}

// forget starts over after a silence in which everything has decayed, or a jump
// of the clock, which looks the same; what was learned about the experts stays.
func (r *Record) forget(m *Model, sec int32) {
	r.ladder, r.last, r.level, r.trend, r.acc, r.sum = [rungs]float32{}, 0, 0, 0, 0, 0
	r.f, r.u, r.window, r.pend = 0, 0, 0, [experts]float32{}
	r.start += (sec - r.start) / m.windowLength * m.windowLength
	r.sec, r.missed, r.age = sec, 0, 0
	r.foresee(m)
}

// step closes the current second with y requests: it scores what was forecast,
// learns, and forecasts the next one.
func (r *Record) step(m *Model, y float64) {
	r.judge(y)
	x := r.experts()
	if r.age > 0 {
		scale := quickRate / (float64(r.s)*float64(r.s)*2 + 1e-6)
		var loss [experts]float64
		for i, f := range x {
			v := (f - y) * (f - y) * scale
			if v > quickRate*maxLoss {
				v = quickRate * maxLoss
			}
			loss[i] = v
		}
		r.quick.score(&loss, quickKeep)
	}
	r.learn(y)
	r.sum += float32(y)
	r.foresee(m)
}

// judge scores the published forecast of the current second.
func (r *Record) judge(y float64) {
	if r.age == 0 {
		r.s = float32(math.Sqrt(y)/2 + 0.1)
		return
	}
	f, u := float64(r.f), float64(r.u)
	if y > u {
		r.missed++
		r.z = min(r.z+boundStep*quantile, maxZ)
	} else if r.z -= boundStep * (1 - quantile); r.z < 0 {
		r.z = 0
	}
	gain := errorGain
	if r.age < 1/errorGain {
		gain = 1 / float64(r.age+1)
	}
	r.s += float32(gain * (math.Abs(y-f) - float64(r.s)))
}

func (r *Record) learn(y float64) {
	climb(&r.ladder, float32(y), int(r.age))
	if r.age == 0 {
		r.level = float32(y)
	} else {
		was := float64(r.level)
		ahead := was + holtDamp*float64(r.trend)
		level := ahead + holtLevel*(y-ahead)
		r.trend = float32((1-holtTrend)*holtDamp*float64(r.trend) + holtTrend*(level-was))
		r.level = float32(level)
	}
	r.last = float32(y)
	if r.age < math.MaxUint16 {
		r.age++
	}
}

func (r *Record) next(m *Model) {
	r.sec++
	r.turnWindow(m)
}

// idle closes k empty seconds at once. Against y = 0 the loss of a rung over
// them is a geometric sum, so nothing has to be gone through but the window.
func (r *Record) idle(m *Model, k int) {
	if k <= 0 {
		return
	}
	r.step(m, 0)
	r.sec++
	if k--; k == 0 {
		return
	}
	x := r.experts()
	unit := float64(r.s)*float64(r.s)*2 + 1e-6
	var loss [experts]float64
	for i := range rungs {
		d := decays[i] * decays[i]
		sq := x[1+i] * x[1+i] * (1 - math.Pow(d, float64(k))) / (1 - d)
		loss[1+i] = quickRate * min(sq/unit, maxLoss*float64(k))
	}
	loss[expertHolt] = quickRate * min(x[expertHolt]*x[expertHolt]/(unit*holtLevel), maxLoss*float64(k))
	r.quick.score(&loss, math.Pow(quickKeep, float64(k)))
	sink(&r.ladder, k, int(r.age))
	left := math.Pow(1-holtLevel, float64(k))
	r.level, r.trend, r.last = r.level*float32(left), 0, 0
	r.z = float32(max(float64(r.z)-boundStep*(1-quantile)*float64(k), 0))
	r.s *= float32(math.Pow(1-errorGain, float64(k)))
	r.age = uint16(min(int(r.age)+k, math.MaxUint16))
	r.sec += int32(k)
	r.foresee(m)
}

// turnWindow recalibrates at the end of a window.
func (r *Record) turnWindow(m *Model) {
	n := m.windowLength
	if r.sec < r.start+n {
		return
	}
	if int32(r.age) >= n { // a part of a window, the first one, says little
		r.scoreWindow(float64(r.sum)/float64(n), float64(n))
	}
	r.start, r.sum, r.missed = r.sec, 0, 0
	x := r.experts()
	for i := range x {
		r.pend[i] = float32(x[i])
	}
	f := bounded(r.slow.mix(&x), &x)
	f, _ = m.publish(f, f)
	r.window = float32(f)
}

func (r *Record) scoreWindow(y, n float64) {
	if ref := float64(r.trust.refErr); ref > 0 {
		var loss [experts]float64
		for i, f := range r.pend {
			d := (float64(f) - y) / (ref*1.25 + 1e-6)
			loss[i] = slowRate * min(d*d, maxLoss)
		}
		r.slow.score(&loss, slowKeep)
	}
	r.trust.Score(y, float64(r.window), float64(r.pend[expertSlow]), 1-float64(r.missed)/n, noise(float64(r.s), n))
}

// noise is the error of a window's mean by chance alone, when seconds miss by s.
func noise(s, n float64) float64 { return s / math.Sqrt(n) }

// foresee publishes forecast and bound of the second that begins.
func (r *Record) foresee(m *Model) {
	x := r.experts()
	f := bounded(r.quick.mix(&x), &x)
	u := max(f+float64(r.z)*float64(r.s), 0)
	f, u = m.publish(f, u)
	if !sane(f) || !sane(u) {
		r.trust.Distrust()
		f, u = float64(r.ladder[rungs-1]), float64(r.ladder[rungs-1])
	}
	r.f, r.u = float32(f), float32(u)
}

// experts are their forecasts, for the next second as for the next window.
func (r *Record) experts() (x [experts]float64) {
	x[expertLast] = float64(r.last)
	for i, e := range r.ladder {
		x[1+i] = float64(e)
	}
	x[expertHolt] = max(float64(r.level)+holtDamp*float64(r.trend), 0)
	return x
}

func bounded(f float64, x *[experts]float64) float64 {
	most := 0.0
	for _, v := range x {
		if v > most {
			most = v
		}
	}
	switch most *= maxBeyond; {
	case !(f > 0):
		return 0
	case f > most:
		return most
	}
	return f
}

// Forecast is what one record says about the current second.
type Forecast struct {
	Mean   float64 // requests a second
	Bound  float64 // P95 of the second
	Window float64 // mean a second over the current window
	Error  float64 // average |error| of Mean
}

// Forecast returns what was forecast for the current second, the one of the
// last Observe or Advance.
func (r *Record) Forecast() Forecast {
	return Forecast{Mean: float64(r.f), Bound: float64(r.u), Window: float64(r.window), Error: float64(r.s)}
}

// Trust tells whether the forecast is to be used.
func (r *Record) Trust() *Trust { return &r.trust }

// Current is what was offered in the current second so far.
func (r *Record) Current() float64 { return float64(r.acc) }

// Weights returns the experts' weights at one second and at one window: the
// last second, the four averages from fast to slow, and Holt's trend.
func (r *Record) Weights() (quick, slow [experts]float64) { return r.quick.weights(), r.slow.weights() }

// Damped is what a refused request that is tried again counts: attempt is 0 for
// the first one. The same wish counts once.
func Damped(n float64, attempt int) float64 {
	if attempt > 0 {
		return 0
	}
	return n
}

// Experts returns what each of them says of the current second, in the order of
// Weights: what a prior is trained on.
func (r *Record) Experts() [experts]float64 { return r.experts() }
