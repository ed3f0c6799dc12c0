package node

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/openclaw/clawd/mlrefill"
	"github.com/openclaw/clawd/mlrefill/tflite"
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
	return refill.New(refill.Options{Self: uint64(n.id.node), Seed: uint64(n.id.node), Model: n.model})
}

// loadModel reads the forecaster that came as a file, if one did.
func loadModel(path string) (*mlrefill.Model, error) {
	m := mlrefill.NewModel(mlrefill.DefaultPrior())
	if path == "" {
		return m, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the refill model cannot be read: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	content, err := io.ReadAll(io.LimitReader(f, tflite.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("the refill model cannot be read: %w", err)
	}
	net, err := tflite.Parse(content)
	if err != nil {
		return nil, fmt.Errorf("the refill model %s: %w", path, err)
	}
	return m.WithNetwork(net.Predict), nil
}

// age is how long ago an instant of the monotonic clock was, in ms; nil for never.
func (n *Node) age(at int64) *int64 {
	if at == 0 {
		return nil
	}
	ms := max(n.now().Mono-at, 0) / int64(time.Millisecond)
	return &ms
}
