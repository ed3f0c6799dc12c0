package main

import (
	"context"
	"fmt"
)

// denials compares calls that are denied with calls that are granted, on one
// node.
func denials(ctx context.Context, b *bench) (section, error) {
	nodes, err := b.startNodes(ctx, 1)
	if err != nil {
		return section{}, err
	}
	n := nodes[0]
	if err := n.meet(ctx, emptyAgents, b.agents); err != nil { // takes the only token each has
		return section{}, err
	}
	granted := b.target("granted", "granted (200)", n)
	denied := b.target("denied", "denied (429)", n)
	denied.load.prefix, denied.load.denied = emptyAgents, true
	denied.answered = n.admitted
	r, err := b.rounds(ctx, []*target{granted, denied}, b.options.rounds)
	if err != nil {
		return section{}, err
	}
	s := section{Setup: fmt.Sprintf("One node, as above, but half of the loads ask about empty buckets. A denial writes nothing, but its answer is a problem document. %s.", r)}
	s.head("answer", "requests/s", "CPU µs/request", "requests/s ÷ granted", "CPU ÷ granted", "p99")
	for _, t := range []*target{granted, denied} {
		s.row(t.label, fmt.Sprintf("%.0f", r.median(t.name, sample.perSecond)), fmt.Sprintf("%.2f", r.median(t.name, sample.cpuPerRequest)),
			spread(r.ratios(t.name, "granted", sample.perSecond)), spread(r.ratios(t.name, "granted", sample.cpuPerRequest)), micros(r.median(t.name, sample.p99)))
	}
	s.Goals = []goal{atMost("CPU of a denial ÷ a grant", median(r.ratios("denied", "granted", sample.cpuPerRequest)), 1, "%.2f")}
	return s, nil
}
