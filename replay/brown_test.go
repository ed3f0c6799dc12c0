package replay

import (
	"testing"
	"time"
)

func TestBrown(t *testing.T) {
	gen := func(w World) *Load {
		w.Rate = 1000
		l, err := w.Generate()
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	d := 50 * time.Millisecond
	calm, few := gen(World{Name: "steady"}), gen(World{Name: "surge", Few: true})
	msm := load(t, msmall)
	msm.Seconds = msm.Seconds[:3600]
	for _, p := range []string{Static, Adaptive, Ideal} {
		show(t, "calm 16k brown", calm, Options{Capacity: 1600, MaxDelay: d, Policy: p, Brownouts: []Brownout{{100, 160, .4}}})
		show(t, "few 24k brown", few, Options{Capacity: 2400, MaxDelay: d, Policy: p, Brownouts: []Brownout{{100, 160, .4}}})
		show(t, "few 24k brown 90", few, Options{Capacity: 2400, MaxDelay: d, Policy: p, Brownouts: []Brownout{{90, 150, .4}}})
		show(t, "msm brown", msm, Options{Capacity: msm.Quantile(.97), Policy: p, Brownouts: []Brownout{{100, 160, .4}}})
		show(t, "calm 16k brown 5 nodes", calm, Options{Capacity: 1600, MaxDelay: d, Policy: p, Nodes: 5, Brownouts: []Brownout{{100, 160, .4}}})
	}
	for _, k := range []float64{1.5, 2, 3} {
		for _, p := range []string{Adaptive} {
			show(t, "few 24k believed", few, Options{Capacity: 2400, MaxDelay: d, Policy: p, Believed: 2400 * k})
			show(t, "few 8k believed", few, Options{Capacity: 800, MaxDelay: d, Policy: p, Believed: 800 * k})
			show(t, "msm tight believed", msm, Options{Capacity: msm.Mean(), Policy: p, Believed: msm.Mean() * k})
			show(t, "msm q97 believed", msm, Options{Capacity: msm.Quantile(.97), Policy: p, Believed: msm.Quantile(.97) * k})
		}
	}
}
