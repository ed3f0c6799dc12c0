package node

import (
	"context"
	"time"

	"github.com/openclaw/clawd/node/refill"
	"github.com/openclaw/clawd/node/replica"
)

// refillLoop plans pools and adaptive rates and tells the others, once a second.
// Recalibration of the models falls into it, each key in its own phase.
func (n *Node) refillLoop(ctx context.Context) error {
	return every(ctx, n.options.tuning.refillInterval, func() { n.planRefill(n.now()) })
}

func (n *Node) planRefill(now replica.Instant) {
	n.refill.SetMembers(now.Mono, n.replica.RefillMembers(now))
	began := n.options.Now()
	writes := n.refill.Tick(now.Mono)
	n.metrics.planSeconds.Observe(n.options.Now().Sub(began).Seconds())
	for _, w := range writes {
		if _, err := n.replica.PublishRefill(now, w); err != nil {
			n.log.Warn("what this node expects could not be told to the others", "error", err)
			n.metrics.planErrors.Inc()
		}
	}
}

// newRefill makes the adaptive side of the node.
func (n *Node) newRefill() *refill.Controller {
	return refill.New(refill.Options{Self: uint64(n.id.node), Seed: uint64(n.id.node)})
}

// age is how long ago an instant of the monotonic clock was, in ms; nil for never.
func (n *Node) age(at int64) *int64 {
	if at == 0 {
		return nil
	}
	ms := max(n.now().Mono-at, 0) / int64(time.Millisecond)
	return &ms
}
