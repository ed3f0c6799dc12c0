package mlrefill

import "math"

const (
	second = 1_000_000_000 // ns

	rungs = 4
	// The experts of a record: the last second, the rungs of the ladder, Holt.
	experts    = 1 + rungs + 1
	expertLast = 0
	expertSlow = rungs // the slowest rung: the level of minutes, and the reference of the skill
	expertHolt = experts - 1

	fastestTau = 4 // seconds; each further rung is four times slower
)

// Damping of Holt's linear trend: how much of a trend is believed to go on.
const (
	holtLevel = 0.5
	holtTrend = 0.1
	holtDamp  = 0.8
)

// maxIdle bounds the seconds that are worked off one by one or decay: after an
// hour of silence nothing of a ladder of minutes is left.
const maxIdle = 3600

// decays[i] is what a second leaves of rung i.
var decays = func() (d [rungs]float64) {
	tau := float64(fastestTau)
	for i := range d {
		d[i] = math.Exp(-1 / tau)
		tau *= 4
	}
	return d
}()

// climb moves the rungs by one second with y requests. A young ladder averages
// what there is, age being the seconds seen before, so that it does not start
// from a guess.
func climb(e *[rungs]float32, y float32, age int) {
	if age >= grownUp {
		for i, gain := range gains {
			e[i] += gain * (y - e[i])
		}
		return
	}
	young := 1 / float32(age+1)
	for i, gain := range gains {
		if gain < young {
			gain = young
		}
		e[i] += gain * (y - e[i])
	}
}

// gains[i] is what a second adds to rung i.
var gains = func() (g [rungs]float32) {
	for i, d := range decays {
		g[i] = float32(1 - d)
	}
	return g
}()

// sink moves the rungs by k idle seconds. Each rung is four times slower than
// the one before, so that one power gives all: d^k is the fourth power of the
// next rung's. A rung that is still young is the mean of what there was, and
// idle seconds make it age/(age+k) of itself.
func sink(e *[rungs]float32, k, age int) {
	if age < grownUp {
		for i, d := range decays {
			young := clip(math.Ceil(1/(1-d)-1-float64(age)), 0, float64(k))
			e[i] *= float32(float64(age) / (float64(age) + young) * math.Pow(d, float64(k)-young))
		}
		return
	}
	d := math.Exp(-float64(k) / (fastestTau << (2 * (rungs - 1))))
	for i := rungs - 1; i >= 0; i-- {
		e[i] *= float32(d)
		d *= d
		d *= d
	}
}

// grownUp is the age in seconds from which no rung is young.
const grownUp = fastestTau<<(2*(rungs-1)) + 1
