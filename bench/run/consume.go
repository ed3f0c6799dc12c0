package main

import (
	"context"
	"fmt"

	"github.com/openclaw/clawd/bench/chart"
)

// consume is the main comparison: what a call costs on clawd, on servers that
// do nothing, and on what one would build instead.
func consume(ctx context.Context, b *bench) (section, error) {
	targets, err := b.comparison(ctx)
	if err != nil {
		return section{}, err
	}
	r, err := b.rounds(ctx, targets, b.options.rounds)
	if err != nil {
		return section{}, err
	}
	s := section{Setup: fmt.Sprintf("wrk with one thread and %d connections on the same machine, %s a load, %d agents, one token a call. %s; medians, "+
		"ratios are medians of the ratios within each round with the least and the greatest in brackets.", b.connections, b.duration, b.agents, r)}
	s.head("server", "requests/s", "CPU µs/request", "CPU ÷ mux no-op", "requests/s ÷ mux no-op", "requests/s ÷ fasthttp no-op", "p50", "p99", "wrk CPU µs", "others")
	bars := chart.Bars{Title: "Server CPU a consume call, µs", Subtitle: "median over the rounds, whiskers are the range; all processes of a server"}
	for _, t := range targets {
		cpus := r.each(t.name, sample.cpuPerRequest)
		s.row(t.label, fmt.Sprintf("%.0f", r.median(t.name, sample.perSecond)), fmt.Sprintf("%.2f", median(cpus)),
			spread(r.ratios(t.name, "mux", sample.cpuPerRequest)), spread(r.ratios(t.name, "mux", sample.perSecond)), spread(r.ratios(t.name, "fasthttp", sample.perSecond)),
			micros(r.median(t.name, sample.p50)), micros(r.median(t.name, sample.p99)), fmt.Sprintf("%.2f", r.median(t.name, sample.loadCPUPerRequest)),
			fmt.Sprintf("%.0f %%", 100*r.median(t.name, func(x sample) float64 { return x.others })))
		bars.Bars = append(bars.Bars, bar(t, cpus))
	}
	s.draw("consume.svg", "Server CPU a consume call", bars.SVG())
	s.note("Every load was checked: the agents' totals grew by the answers wrk counted, and all agents were asked about.")
	s.note("wrk is a closed loop, so its latencies are lower bounds; for latency see the open loop below.")
	s.Goals = consumeGoals(r)
	return s, nil
}

func bar(t *target, values []float64) chart.Bar {
	x := chart.Bar{Label: t.label, Value: median(values), Strong: t.name == "clawd" || t.name == "clawd3"}
	for i, v := range values {
		if i == 0 {
			x.Least = v
		}
		x.Least, x.Greatest = min(x.Least, v), max(x.Greatest, v)
	}
	return x
}

func consumeGoals(r rounds) []goal {
	cpu := median(r.ratios("clawd", "mux", sample.cpuPerRequest))
	rate := median(r.ratios("clawd", "mux", sample.perSecond))
	fast := median(r.ratios("clawd", "fasthttp", sample.perSecond))
	return []goal{
		atMost("CPU of a consume call ÷ gorilla/mux no-op", cpu, 0.80, "%.2f"),
		atMost("… stretch", cpu, 0.70, "%.2f"),
		{
			What: "requests/s ÷ gorilla/mux no-op, or ÷ fasthttp no-op", Want: "≥ 1.30, or ≥ 0.90",
			Got: fmt.Sprintf("%.2f, %.2f", rate, fast), Met: rate >= 1.30 || fast >= 0.90,
		},
		atMost("three nodes, load on one: CPU of all ÷ that of one node alone", median(r.ratios("clawd3", "clawd", sample.cpuPerRequest)), 1.5, "%.2f"),
		atLeast("three nodes: requests/s ÷ gorilla/mux no-op (twice patrol's 0.36)", median(r.ratios("clawd3", "mux", sample.perSecond)), 0.72, "%.2f"),
	}
}

// comparison starts the servers that are compared.
func (b *bench) comparison(ctx context.Context) ([]*target, error) {
	var targets []*target
	for _, s := range []struct{ kind, label string }{
		{"mux", "net/http + gorilla/mux, no-op"},
		{"nethttp", "net/http, no-op"},
		{"fasthttp", "fasthttp, no-op"},
		{"xrate", "net/http + x/time/rate, in memory"},
		{"redis", "net/http + Redis with Lua"},
	} {
		t, err := b.startBaseline(ctx, s.kind, s.label)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.kind, err)
		}
		targets = append(targets, t)
	}
	for _, s := range []struct {
		name, label string
		nodes       int
	}{{"clawd", "clawd", 1}, {"clawd3", "clawd, three nodes", 3}} {
		nodes, err := b.startNodes(ctx, s.nodes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		if err := converge(ctx, nodes); err != nil {
			return nil, err
		}
		targets = append(targets, b.target(s.name, s.label, nodes...))
	}
	return targets, nil
}
