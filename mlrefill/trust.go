package mlrefill

import "math"

// Trust follows how good published forecasts were, and decides when they are
// not to be used.
//
//	skill      = 1 − E|y−f| / E|y−reference|, the reference being the slowest average
//	coverage   = E[y ≤ bound]
//	confidence = clip((skill+0.5)/0.5) · clip((coverage−0.6)/0.25)
//
// both as averages over about seven windows. Neither sees all: coverage never
// sees a forecast that is too high, skill hardly one that is a little too low.
//
//	trusted ── confidence < 0.3 for 2 windows, or bad input ──► fallback
//	fallback ── confidence > 0.6 for 4 windows ──► trusted
//
// The first three windows have no confidence, but do not fall back: there is
// nothing yet to fall back from. Trusted blends by confidence, so the step in
// either direction is small.
type Trust struct {
	modelErr, refErr float32
	covered          uint16 // of fullCover
	windows          uint8  // scored, saturating
	// run is, while trusted, the windows in a row of low confidence, and in fallback
	// −1 − those of high confidence.
	run int8
}

const fullCover = 60_000

const (
	trustGain    = 0.15
	nothing      = 0.02 // requests a second
	trustWarmup  = 3
	fallBelow    = 0.3
	fallWindows  = 2
	leaveAbove   = 0.6
	leaveWindows = 4
)

// Score takes the end of a window: what came, what had been forecast, what the
// reference would have said, and the share of its seconds within the bound.
// noise is the error that any forecast makes of such demand: what is below it
// is luck and counts as much for either.
func (t *Trust) Score(y, f, ref, covered, noise float64) {
	if !sane(y) || !sane(f) || !sane(ref) || !sane(covered) || !sane(noise) {
		t.Distrust()
		return
	}
	if y == 0 && f < nothing && ref < nothing {
		return // idle: nothing was foretold and nothing came
	}
	gain := max(trustGain, 1/float64(int(t.windows)+1))
	if t.windows >= trustWarmup {
		gain = trustGain
	}
	t.modelErr += float32(gain * (max(math.Abs(y-f), noise) - float64(t.modelErr)))
	t.refErr += float32(gain * (max(math.Abs(y-ref), noise) - float64(t.refErr)))
	t.covered = uint16(math.Round(float64(t.covered) + gain*(min(covered, 1)*fullCover-float64(t.covered))))
	if t.windows < math.MaxUint8 {
		t.windows++
	}
	t.turn(t.Confidence())
}

func (t *Trust) turn(c float64) {
	if t.windows <= trustWarmup {
		return
	}
	switch {
	case !t.Fallback() && c >= fallBelow:
		t.run = 0
	case !t.Fallback():
		if t.run++; t.run >= fallWindows {
			t.run = -1
		}
	case c <= leaveAbove:
		t.run = -1
	default:
		if t.run--; t.run <= -1-leaveWindows {
			t.run = 0
		}
	}
}

// Distrust falls back at once: input that cannot be, a clock that jumped.
func (t *Trust) Distrust() { t.run = -1 }

// Fallback reports whether the forecasts are not to be used.
func (t *Trust) Fallback() bool { return t.run < 0 }

// Skill is 0 for a model as good as the reference and 1 for a perfect one.
func (t *Trust) Skill() float64 {
	if t.refErr <= 0 {
		if t.modelErr <= 0 {
			return 1
		}
		return -1
	}
	return max(1-float64(t.modelErr/t.refErr), -1)
}

// Coverage is the average share of seconds within the bound.
func (t *Trust) Coverage() float64 { return float64(t.covered) / fullCover }

// Confidence is 0..1; what is in use is Weight.
func (t *Trust) Confidence() float64 {
	if t.windows < trustWarmup {
		return 0
	}
	return clip((t.Skill()+0.5)/0.5, 0, 1) * clip((t.Coverage()-0.6)/0.25, 0, 1)
}

// Weight is how much of a plan the forecast may make: the confidence, and 0 in
// fallback.
func (t *Trust) Weight() float64 {
	if t.Fallback() {
		return 0
	}
	return t.Confidence()
}

func clip(x, low, high float64) float64 { return min(max(x, low), high) }

// sane tells counts, rates and forecasts from what arithmetic on garbage gives.
func sane(x float64) bool { return x >= 0 && x <= math.MaxFloat32 }
