package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// report is the outcome of a run.
type report struct {
	opts    options
	samples []sample
	machine machine
}

func newReport(o options, samples []sample, m machine) report {
	return report{opts: o, samples: samples, machine: m}
}

// Markdown is the table with what is needed to judge and repeat it.
func (r report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Commit %s, %s; %s.\n", r.machine.commit, r.machine.date, r.machine.String())
	fmt.Fprintf(&b, "Rounds: %d, each %s a server, interleaved; wrk with %d threads and %d connections on the same machine; %d agents, one token a call.\n\n",
		r.opts.rounds, r.opts.duration, r.opts.threads, r.opts.connections, r.opts.agents)
	b.WriteString("| server | requests/s | p50 | p99 | max | CPU µs/request | requests/s ÷ mux no-op | CPU ÷ mux no-op | wrk CPU µs/request |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, name := range r.opts.targets {
		r.row(&b, name)
	}
	b.WriteString("\nMedians over the rounds; a ratio is the median of the ratios within each round, with the smallest and the largest in brackets.\n")
	b.WriteString("wrk is a closed loop, so its tail latencies are lower bounds. Every round was checked: the servers took what wrk was answered.")
	return b.String()
}

func (r report) row(b *strings.Builder, name string) {
	of := func(f func(sample) float64) float64 { return median(r.each(name, f)) }
	fmt.Fprintf(b, "| %s | %.0f | %s | %s | %s | %.2f | %s | %s | %.2f |\n", label(name),
		of(sample.perSecond),
		micros(of(func(s sample) float64 { return s.Wrk.P50US })),
		micros(of(func(s sample) float64 { return s.Wrk.P99US })),
		micros(slices.Max(r.each(name, func(s sample) float64 { return s.Wrk.MaxUS }))),
		of(sample.cpuPerRequest),
		spread(r.ratios(name, sample.perSecond)),
		spread(r.ratios(name, sample.cpuPerRequest)),
		of(sample.loadCPUPerRequest))
}

func label(name string) string {
	switch name {
	case "nethttp":
		return "net/http, no-op"
	case "mux":
		return "net/http + gorilla/mux, no-op"
	default:
		return name
	}
}

// each returns f of every sample of a server, in the order of the rounds.
func (r report) each(name string, f func(sample) float64) []float64 {
	var out []float64
	for _, s := range r.samples {
		if s.Target == name {
			out = append(out, f(s))
		}
	}
	return out
}

// ratios compares a server with the yardstick round by round; empty when the
// yardstick was not measured.
func (r report) ratios(name string, f func(sample) float64) []float64 {
	ours, base := r.each(name, f), r.each(yardstick, f)
	if len(base) != len(ours) {
		return nil
	}
	out := make([]float64, len(ours))
	for i := range ours {
		out[i] = ours[i] / base[i]
	}
	return out
}

func spread(ratios []float64) string {
	if len(ratios) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", median(ratios), slices.Min(ratios), slices.Max(ratios))
}

// median of at least one value.
func median(values []float64) float64 {
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
