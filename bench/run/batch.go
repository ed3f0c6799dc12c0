package main

import (
	"context"
	"fmt"
)

// batch asks for a thousand decisions a request.
func batch(ctx context.Context, b *bench) (section, error) {
	nodes, err := b.startNodes(ctx, 1)
	if err != nil {
		return section{}, err
	}
	t := b.target("batch", "POST /v1/consume", nodes[0])
	t.load.script, t.load.checks, t.load.connections = "batch", 1000, 8
	r, err := b.rounds(ctx, []*target{t}, max(3, b.options.rounds-2))
	if err != nil {
		return section{}, err
	}
	perSecond := func(s sample) float64 { return s.perSecond() * float64(s.checks) }
	cpu := func(s sample) float64 { return s.cpuPerRequest() / float64(s.checks) * 1000 }
	rate := r.each("batch", perSecond)
	s := section{Setup: fmt.Sprintf("One node, %d connections, batches of 1000 checks of one token over %d agents. %s.", t.load.connections, b.agents, r)}
	s.head("call", "decisions/s", "least–greatest", "CPU ns/decision", "p50 of a batch", "p99 of a batch")
	s.row("`POST /v1/consume`", fmt.Sprintf("%.2f M", median(rate)/1e6), extent(rate, 1e-6, "%.2f"), fmt.Sprintf("%.0f", r.median("batch", cpu)),
		micros(r.median("batch", sample.p50)), micros(r.median("batch", sample.p99)))
	s.note("Totals over all agents grew by 1000 for each batch wrk was answered.")
	s.Goals = []goal{atLeast("decisions a second over HTTP in batches of 1000, million", median(rate)/1e6, 1.5, "%.2f")}
	return s, nil
}

func extent(values []float64, scale float64, format string) string {
	least, greatest := values[0], values[0]
	for _, v := range values {
		least, greatest = min(least, v), max(greatest, v)
	}
	return fmt.Sprintf(format+"–"+format, least*scale, greatest*scale)
}
