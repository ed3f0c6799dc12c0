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
		{[]float64{3}, 3},
		{[]float64{3, 1, 2}, 2},
		{[]float64{4, 1, 3, 2}, 2.5},
		{[]float64{1, 1, 1000}, 1},
	} {
		if got := median(row.values); got != row.want {
			t.Errorf("median of %v: %v, want %v", row.values, got, row.want)
		}
	}
}

// answers makes a sample of one second with a given rate.
func answers(target string, perSecond uint64, cpu time.Duration) sample {
	return sample{Target: target, CPU: cpu, Wrk: wrkResult{Requests: perSecond, DurationUS: 1e6, P50US: 700, P99US: 11_600, MaxUS: 1_210_000}}
}

func TestRatiosAreTakenWithinARound(t *testing.T) {
	// The machine is ten times slower in the second round: the ratio does not change.
	r := newReport(options{targets: []string{"mux", "clawd"}, rounds: 2}, []sample{
		answers("mux", 1000, 100*time.Millisecond), answers("clawd", 500, 100*time.Millisecond),
		answers("clawd", 50, 100*time.Millisecond), answers("mux", 100, 100*time.Millisecond),
	}, machine{})
	for i, ratio := range r.ratios("clawd", sample.perSecond) {
		if ratio != 0.5 {
			t.Errorf("round %d: %v, want 0.5", i, ratio)
		}
	}
	for i, ratio := range r.ratios("clawd", sample.cpuPerRequest) {
		if ratio != 2 {
			t.Errorf("CPU, round %d: %v, want 2", i, ratio)
		}
	}
}

func TestTheTable(t *testing.T) {
	o := options{targets: []string{"mux", "clawd"}, rounds: 1, duration: 5 * time.Second, threads: 2, connections: 64, agents: 10_000}
	got := newReport(o, []sample{
		answers("mux", 1000, 20*time.Millisecond), answers("clawd", 900, 27*time.Millisecond),
	}, machine{commit: "abc1234", date: "2026-11-22", cpu: "Some CPU", kernel: "6.1", goes: "go1.26.8", cores: 2, load: "0.10"}).Markdown()
	for _, want := range []string{
		"Commit abc1234, 2026-11-22; 2 cores of Some CPU, Linux 6.1, go1.26.8, load average 0.10 before the run.",
		"Rounds: 1, each 5s a server, interleaved; wrk with 2 threads and 64 connections on the same machine; 10000 agents",
		"| net/http + gorilla/mux, no-op | 1000 | 700 µs | 11.6 ms | 1.21 s | 20.00 | 1.00 (1.00–1.00) | 1.00 (1.00–1.00) | 0.00 |",
		"| clawd | 900 | 700 µs | 11.6 ms | 1.21 s | 30.00 | 0.90 (0.90–0.90) | 1.50 (1.50–1.50) | 0.00 |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, got)
		}
	}
}

func TestWithoutTheYardstickThereIsNoRatio(t *testing.T) {
	got := newReport(options{targets: []string{"clawd"}}, []sample{answers("clawd", 900, time.Millisecond)}, machine{}).Markdown()
	if !strings.Contains(got, "| – | – |") {
		t.Errorf("a ratio to nothing:\n%s", got)
	}
}
