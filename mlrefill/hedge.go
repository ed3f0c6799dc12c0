package mlrefill

import "math"

// Hedge is kept as losses behind the best expert, in 1/lossUnit, discounted with
// time. A loss is cut off at maxLag: no expert's weight falls below about e^-6 of
// the best's, so that a change of regime is followed within some windows (the
// effect of a fixed share).
const (
	lossUnit = 10_000
	maxLag   = 6 * lossUnit
)

type lags [experts]uint16

// weightOf is e^-lag by the upper bits of a lag: a power for each expert would be
// most of what a second costs.
var weightOf = func() (t [maxLag>>weightShift + 1]float64) {
	for i := range t {
		t[i] = math.Exp(-float64(i<<weightShift) / lossUnit)
	}
	return t
}()

const weightShift = 7

// mix returns the weighted mean of the experts' forecasts.
func (l *lags) mix(x *[experts]float64) float64 {
	var sum, total float64
	for i, v := range x {
		w := weightOf[l[i]>>weightShift]
		sum += w * v
		total += w
	}
	return sum / total
}

// score adds losses to what is kept of the old ones.
func (l *lags) score(loss *[experts]float64, keep float64) {
	var sum [experts]float64
	for i := range sum {
		sum[i] = float64(l[i])*keep + loss[i]*lossUnit
	}
	best := sum[0]
	for _, v := range sum[1:] {
		if v < best {
			best = v
		}
	}
	for i, v := range sum {
		v -= best
		if v > maxLag {
			v = maxLag
		}
		l[i] = uint16(int32(v + 0.5))
	}
}

// weights returns the weights, which sum to 1.
func (l *lags) weights() (w [experts]float64) {
	var total float64
	for i := range w {
		w[i] = math.Exp(-float64(l[i]) / lossUnit)
		total += w[i]
	}
	for i := range w {
		w[i] /= total
	}
	return w
}

// lagsOf is the start for given weights.
func lagsOf(w [experts]float64) (l lags) {
	best := 0.0
	for _, v := range w {
		best = max(best, v)
	}
	for i, v := range w {
		l[i] = uint16(min(math.Log(best/max(v, 1e-9))*lossUnit, maxLag))
	}
	return l
}
