package main

import (
	"fmt"
	"slices"
	"time"
)

// A round counts only if in each of its loads the rest of the machine used at
// most this share of it. The ratios of a disturbed round say as much about the
// disturbance as about the servers.
const quiet = 0.10

// enough is how many quiet rounds there must be, or else all rounds count and
// the table says so.
const enough = 3

// rounds are the samples that count.
type rounds struct {
	samples   []sample
	ran       int
	dropped   int
	disturbed bool // no round was dropped although some were disturbed
}

// keep drops the disturbed rounds.
func keep(all []sample) rounds {
	noisy := map[int]bool{}
	for _, s := range all {
		noisy[s.round] = noisy[s.round] || s.others > quiet
	}
	r := rounds{ran: len(noisy)}
	for _, bad := range noisy {
		if bad {
			r.dropped++
		}
	}
	if r.ran-r.dropped < min(enough, r.ran) {
		r.samples, r.dropped, r.disturbed = all, 0, true
		return r
	}
	for _, s := range all {
		if !noisy[s.round] {
			r.samples = append(r.samples, s)
		}
	}
	return r
}

// String tells how many rounds count.
func (r rounds) String() string {
	switch {
	case r.disturbed:
		return fmt.Sprintf("All %d rounds count, although others used more than %.0f %% of the machine in most of them: **measured on a busy machine**",
			r.ran, 100*quiet)
	case r.dropped > 0:
		return fmt.Sprintf("%d of %d rounds count; in the others more than %.0f %% of the machine was used by something else",
			r.ran-r.dropped, r.ran, 100*quiet)
	}
	return fmt.Sprintf("All %d rounds count", r.ran)
}

// each returns f of every sample of a server, in the order of the rounds.
func (r rounds) each(name string, f func(sample) float64) []float64 {
	var out []float64
	for _, s := range r.samples {
		if s.target == name {
			out = append(out, f(s))
		}
	}
	return out
}

func (r rounds) median(name string, f func(sample) float64) float64 { return median(r.each(name, f)) }

// ratios compares a server with another round by round; empty when that was not
// measured.
func (r rounds) ratios(name, base string, f func(sample) float64) []float64 {
	ours, theirs := r.each(name, f), r.each(base, f)
	if len(ours) != len(theirs) {
		return nil
	}
	out := make([]float64, len(ours))
	for i := range ours {
		out[i] = ours[i] / theirs[i]
	}
	return out
}

// spread writes the median of ratios with the least and the greatest.
func spread(ratios []float64) string {
	if len(ratios) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", median(ratios), slices.Min(ratios), slices.Max(ratios))
}

// median of the values, 0 when there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// micros writes a latency that is given in microseconds with three digits.
func micros(us float64) string {
	switch d := time.Duration(us * float64(time.Microsecond)); {
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", us)
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", us/1e3)
	default:
		return fmt.Sprintf("%.3g s", us/1e6)
	}
}

func latency(d time.Duration) string { return micros(float64(d) / float64(time.Microsecond)) }
