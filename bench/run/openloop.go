package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/openclaw/clawd/bench/chart"
	"github.com/openclaw/clawd/bench/load"
)

// rates of the open loop, with how long each is measured in all and at a time.
var rates = []struct {
	perSecond        float64
	total, slice     time.Duration
	tailRatio        float64 // goal: p99 at most so many times the no-op's
	longest          float64 // goal: likewise for the longest, 0 = none
	name, file, what string
}{
	{10_000, 60 * time.Second, 15 * time.Second, 2, 3, "10,000/s", "openloop-10k.svg", "10k"},
	{30_000, 20 * time.Second, 10 * time.Second, 2, 0, "30,000/s", "openloop-30k.svg", "30k"},
}

// openLoop measures latency at a constant rate, with a fasthttp no-op and one of
// three nodes taking turns.
func openLoop(ctx context.Context, b *bench) (section, error) {
	noop, err := b.startBaseline(ctx, "fasthttp", "fasthttp, no-op")
	if err != nil {
		return section{}, err
	}
	nodes, err := b.startNodes(ctx, 3)
	if err != nil {
		return section{}, err
	}
	if err := converge(ctx, nodes); err != nil {
		return section{}, err
	}
	targets := []*target{noop, b.target("clawd3", "clawd, one of three nodes", nodes...)}
	s := section{Setup: fmt.Sprintf("Requests are sent when they are due, whatever became of those before, over %d connections and %d agents; latency counts from when a request was due "+
		"([bench/load](../bench/load/doc.go)). The servers take turns. The other two nodes run on the same machine and receive every row; flushes, compactions and collections go on.",
		b.connections, b.agents)}
	s.head("rate", "server", "answered", "p50", "p90", "p99", "p99.9", "max", "generator CPU µs", "others")
	for _, rate := range rates {
		var lines []*sequence
		for range int(rate.total / rate.slice) {
			for i, t := range targets {
				if len(lines) <= i {
					lines = append(lines, &sequence{target: t})
				}
				if err := lines[i].run(ctx, b, rate.perSecond, rate.slice); err != nil {
					return section{}, err
				}
			}
		}
		for _, l := range lines {
			s.row(append([]string{rate.name, l.target.label}, l.cells()...)...)
		}
		s.draw(rate.file, "Latency at "+rate.name, percentilePlot(rate.name, lines))
		s.Goals = append(s.Goals, openLoopGoals(rate.name, rate.tailRatio, rate.longest, lines)...)
	}
	gc, err := nodes[0].metric(ctx, "go_gc_duration_seconds_count")
	if err != nil {
		return section{}, err
	}
	flushes, err := nodes[0].metric(ctx, "clawd_flush_duration_seconds_count")
	if err != nil {
		return section{}, err
	}
	compactions, err := nodes[0].metric(ctx, "clawd_storage_compactions_total")
	if err != nil {
		return section{}, err
	}
	s.note("The loaded node went through %.0f flushes, %.0f compactions and %.0f garbage collections meanwhile.", flushes, compactions, gc)
	return s, nil
}

func openLoopGoals(rate string, tail, longest float64, lines []*sequence) []goal {
	noop, clawd := lines[0], lines[1]
	goals := []goal{
		atMost("open loop at "+rate+": p99 ÷ fasthttp no-op", ratio(clawd.sum.Latency.Quantile(0.99), noop.sum.Latency.Quantile(0.99)), tail, "%.2f"),
	}
	if longest > 0 {
		goals = append(goals, atMost("open loop at "+rate+": longest ÷ fasthttp no-op", ratio(clawd.sum.Latency.Max(), noop.sum.Latency.Max()), longest, "%.2f"))
	}
	missing := clawd.sum.Lost + clawd.sum.Refused
	return append(goals, goal{"open loop at " + rate + ": everything answered", "all", fmt.Sprintf("%d of %d", clawd.sum.Answered, clawd.sum.Due), missing == 0})
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(max(b, 1)) }

// sequence is what one server did in all its turns at a rate.
type sequence struct {
	target *target
	sum    load.Result
	others []float64
}

func (q *sequence) run(ctx context.Context, b *bench, rate float64, d time.Duration) error {
	if err := settle(ctx, q.target.procs); err != nil {
		return err
	}
	before, err := machineUsage()
	if err != nil {
		return err
	}
	cpu, err := cpuOf(q.target.procs)
	if err != nil {
		return err
	}
	res, err := load.Run(ctx, load.Options{
		Addr: strings.TrimPrefix(q.target.url, "http://"), Rate: rate, Duration: d,
		Connections: b.connections, Request: load.Agents(fullAgents, b.agents),
	})
	if err != nil {
		return err
	}
	after, err := machineUsage()
	if err != nil {
		return err
	}
	cpuAfter, err := cpuOf(q.target.procs)
	if err != nil {
		return err
	}
	q.others = append(q.others, others(before, after, cpuAfter-cpu+res.CPU).Seconds()/(res.Elapsed.Seconds()*float64(runtime.NumCPU())))
	q.sum.Due += res.Due
	q.sum.Answered += res.Answered
	q.sum.Refused += res.Refused
	q.sum.Lost += res.Lost
	q.sum.CPU += res.CPU
	q.sum.Latency.Merge(&res.Latency)
	b.say("%6.0f/s  %-9s p50 %-8s p99 %-8s max %-8s lost %d  others %2.0f %%", rate, q.target.name, latency(res.Latency.Quantile(0.5)),
		latency(res.Latency.Quantile(0.99)), latency(res.Latency.Max()), res.Lost, 100*q.others[len(q.others)-1])
	return ctx.Err()
}

func (q *sequence) cells() []string {
	h := &q.sum.Latency
	cells := []string{fmt.Sprintf("%d of %d", q.sum.Answered, q.sum.Due)}
	for _, p := range []float64{0.5, 0.9, 0.99, 0.999} {
		cells = append(cells, latency(h.Quantile(p)))
	}
	return append(cells, latency(h.Max()), fmt.Sprintf("%.2f", float64(q.sum.CPU.Microseconds())/float64(max(q.sum.Due, 1))),
		fmt.Sprintf("%.0f %%", 100*median(q.others)))
}

// percentilePlot shows how much of the load took how long: each step to the
// right is a tenth of the requests of the step before.
func percentilePlot(rate string, lines []*sequence) string {
	l := chart.Lines{
		Title: "Latency at " + rate + ", open loop", Subtitle: "from when a request was due; clawd syncs with two other nodes on the machine",
		X: "share of the requests", Y: "ms", Log: true,
	}
	quantiles := []float64{0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1}
	for i, q := range quantiles {
		label := fmt.Sprintf("%v %%", 100*q)
		if q == 1 {
			label = "max"
		}
		l.Ticks = append(l.Ticks, chart.Tick{At: float64(i), Label: label})
	}
	for _, q := range lines {
		s := chart.Series{Label: q.target.label}
		for i, p := range quantiles {
			s.X = append(s.X, float64(i))
			s.Y = append(s.Y, max(q.sum.Latency.Quantile(p).Seconds()*1000, 0.001))
		}
		l.Series = append(l.Series, s)
	}
	return l.SVG()
}
