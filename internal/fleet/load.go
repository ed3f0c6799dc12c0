package fleet

import (
	"context"

	"github.com/openclaw/clawd/internal/load"
	"github.com/openclaw/clawd/internal/witness"
)

// Load is consumption offered to nodes of the fleet; its fields are those of
// load.Load.
type Load struct {
	Nodes     []*Node
	PerSecond float64
	Agents    []string
	Tokens    int64
	Seed      uint64
}

// Offer sends requests until ctx ends, and returns once all are answered and
// noted in the Book.
func (f *Fleet) Offer(ctx context.Context, l Load) {
	out := load.Load{PerSecond: l.PerSecond, Agents: l.Agents, Tokens: l.Tokens, Seed: l.Seed}
	for _, n := range l.Nodes {
		out.Targets = append(out.Targets, n.target())
	}
	load.Offer(ctx, out, f.notes())
}

// Ask makes one request and notes its answer.
func (f *Fleet) Ask(ctx context.Context, n *Node, agent string, tokens int64) witness.Answer {
	return load.Ask(ctx, n.target(), agent, tokens, f.notes())
}

func (n *Node) target() load.Target { return load.Target{Name: n.Name, Client: n.Client} }

func (f *Fleet) notes() load.Notes { return load.Notes{Book: &f.Book, Since: f.Since} }
