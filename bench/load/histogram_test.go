package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantilesAreWithinOnePercent(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h, half Histogram
	var all []time.Duration
	for i := range 100_000 {
		d := time.Duration(rng.ExpFloat64() * float64(300*time.Microsecond))
		all = append(all, d)
		if i%2 == 0 {
			h.Add(d)
		} else {
			half.Add(d)
		}
	}
	h.Merge(&half)
	slices.Sort(all)
	if h.Count() != uint64(len(all)) || h.Max() != all[len(all)-1] {
		t.Errorf("count %d, max %v", h.Count(), h.Max())
	}
	for _, q := range []float64{0.001, 0.5, 0.9, 0.99, 0.999, 0.9999} {
		want := all[int(q*float64(len(all)))-1+1]
		if got := h.Quantile(q); float64(got) < 0.99*float64(want) || float64(got) > 1.01*float64(want)+1 {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	if h.Quantile(1) != h.Max() {
		t.Errorf("quantile 1 is %v, the longest %v", h.Quantile(1), h.Max())
	}
}

func TestEverySlotHoldsItsUpperBound(t *testing.T) {
	for _, d := range []time.Duration{0, 1, 127, 128, 129, 255, 256, 257, 1023, 1 << 20, 1<<20 + 12345, time.Hour} {
		i := slot(d)
		if d > 0 && upper(i) < d || i > 0 && upper(i-1) >= max(d, 1) {
			t.Errorf("%d: slot %d holds up to %d, the one before up to %d", d, i, upper(i), upper(i-1))
		}
	}
}

func TestAnEmptyHistogramHasNoQuantile(t *testing.T) {
	if got := new(Histogram).Quantile(0.5); got != 0 {
		t.Error(got)
	}
}
