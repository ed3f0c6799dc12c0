package mlrefill

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// series is a demand that wanders, in requests a second.
func series(seed uint64, seconds int) []float64 {
	chance := rand.New(rand.NewPCG(seed, 9))
	y := make([]float64, seconds)
	level := 20.0
	for i := range y {
		level *= math.Exp(0.01 * chance.NormFloat64())
		level = clip(level, 5, 80)
		y[i] = poisson(chance, level)
	}
	return y
}

// noticed runs a model that breaks half way, and returns the windows until it
// is no longer used, or -1, and whether it was distrusted before.
func noticed(y []float64, fault func(f, u float64) (float64, float64)) (windows int, early bool) {
	broken := false
	m := NewModel(DefaultPrior()).Distorted(func(f, u float64) (float64, float64) {
		if broken {
			return fault(f, u)
		}
		return f, u
	})
	h := NewHot(m, second, 0)
	half := len(y) / 2 / WindowSeconds * WindowSeconds
	for i, v := range y {
		now := int64(i+1) * second
		h.Advance(m, now)
		if i == half {
			early, broken = h.Trust().Fallback(), true
		}
		if i > half && h.Trust().Fallback() {
			return (i - half - 1) / WindowSeconds, early
		}
		h.Observe(m, now, v)
	}
	return -1, early
}

func TestFaultsAreNoticed(t *testing.T) {
	for name, k := range map[string]float64{"double": 2, "half": 0.5, "ten-fold": 10, "zero": 0} {
		var after []int
		for seed := range uint64(21) {
			n, early := noticed(series(seed, 3600), func(f, u float64) (float64, float64) { return k * f, k * u })
			if early || n < 0 {
				t.Errorf("%s, seed %d: noticed after %d windows, distrusted before: %v", name, seed, n, early)
			}
			after = append(after, n)
		}
		slices.Sort(after)
		if after[10] > 3 || after[18] > 5 {
			t.Errorf("%s: noticed after %v windows", name, after)
		}
	}
	for seed := range uint64(5) {
		n, _ := noticed(series(seed, 3600), func(f, u float64) (float64, float64) { return math.NaN(), u })
		if n != 0 {
			t.Errorf("NaN, seed %d: noticed after %d windows", seed, n)
		}
	}
}

func TestFalseAlarms(t *testing.T) {
	m := NewModel(DefaultPrior())
	windows, alarms := 0, 0
	for seed := range uint64(30) {
		h := NewHot(m, second, 0)
		for i, v := range series(seed, 3600) {
			now := int64(i+1) * second
			h.Observe(m, now, v)
			if i%WindowSeconds == 0 {
				windows++
				if h.Trust().Fallback() {
					alarms++
				}
			}
		}
	}
	if alarms*50 > windows {
		t.Errorf("%d of %d windows in fallback for nothing, want at most 2 %%", alarms, windows)
	}
}

func TestFallbackIsLeftWithHysteresis(t *testing.T) {
	var tr Trust
	score := func(f float64) { tr.Score(10, f, 12, 1, 0.1) }
	for range 6 {
		score(10)
	}
	if tr.Fallback() || tr.Weight() < 0.9 {
		t.Fatalf("a good model has weight %v", tr.Weight())
	}
	bad := 0
	for !tr.Fallback() {
		score(40)
		if bad++; bad > 3 {
			t.Fatalf("not noticed after %d windows, confidence %v", bad, tr.Confidence())
		}
	}
	if bad < fallWindows {
		t.Errorf("given up after %d windows", bad)
	}
	above := 0
	for range 200 {
		score(10)
		if !tr.Fallback() {
			break
		}
		if tr.Weight() != 0 {
			t.Fatal("a model in fallback is used")
		}
		if tr.Confidence() > leaveAbove {
			above++
		}
	}
	if tr.Fallback() || above != leaveWindows-1 {
		t.Errorf("left after %d windows of confidence, want %d", above+1, leaveWindows)
	}
	tr.Distrust()
	if !tr.Fallback() || tr.Weight() != 0 {
		t.Error("bad input does not fall back")
	}
}

func TestSilenceIsNoEvidence(t *testing.T) {
	var tr Trust
	for range 100 {
		tr.Score(0, 0, 0, 1, 0)
	}
	if tr.windows != 0 {
		t.Errorf("%d windows of nothing were scored", tr.windows)
	}
}
