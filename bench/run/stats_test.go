package main

import (
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, row := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0}, {[]float64{3}, 3}, {[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}, {[]float64{1, 1, 1000}, 1},
	} {
		if got := median(row.values); got != row.want {
			t.Errorf("median of %v: %v, want %v", row.values, got, row.want)
		}
	}
}

// answers makes a sample of one second with a given rate.
func answers(target string, round int, perSecond uint64, cpu time.Duration, others float64) sample {
	return sample{target: target, round: round, cpu: cpu, others: others, wrk: wrkResult{Requests: perSecond, DurationUS: 1e6}}
}

func TestRatiosAreTakenWithinARound(t *testing.T) {
	// The machine is ten times slower in the second round: the ratio does not change.
	r := keep([]sample{
		answers("mux", 0, 1000, 100*time.Millisecond, 0), answers("clawd", 0, 500, 100*time.Millisecond, 0),
		answers("clawd", 1, 50, 100*time.Millisecond, 0), answers("mux", 1, 100, 100*time.Millisecond, 0),
	})
	for i, ratio := range r.ratios("clawd", "mux", sample.perSecond) {
		if ratio != 0.5 {
			t.Errorf("round %d: %v, want 0.5", i, ratio)
		}
	}
	for i, ratio := range r.ratios("clawd", "mux", sample.cpuPerRequest) {
		if ratio != 2 {
			t.Errorf("CPU, round %d: %v, want 2", i, ratio)
		}
	}
	if got := r.ratios("clawd", "nginx", sample.perSecond); got != nil {
		t.Errorf("a ratio to what was not measured: %v", got)
	}
}

func TestDisturbedRoundsAreDropped(t *testing.T) {
	var all []sample
	for round := range 5 {
		others := 0.02
		if round == 1 {
			others = 0.5
		}
		all = append(all, answers("mux", round, 1, time.Second, 0.01), answers("clawd", round, 1, time.Second, others))
	}
	r := keep(all)
	if len(r.samples) != 8 || r.dropped != 1 || !strings.Contains(r.String(), "4 of 5 rounds count") {
		t.Errorf("%d samples: %s", len(r.samples), r)
	}
	for _, s := range r.samples {
		if s.round == 1 {
			t.Error("a sample of the disturbed round counts")
		}
	}
}

func TestABusyMachineIsSaid(t *testing.T) {
	var all []sample
	for round := range 7 {
		all = append(all, answers("mux", round, 1, time.Second, 0.3))
	}
	r := keep(all)
	if len(r.samples) != 7 || !strings.Contains(r.String(), "busy machine") {
		t.Errorf("%d samples: %s", len(r.samples), r)
	}
}
