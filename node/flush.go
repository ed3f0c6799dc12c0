package node

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/storage"
)

// flushLoop makes what changed durable and pushes it, every FlushInterval and
// at once when somebody waits. It is the only goroutine that commits flushes;
// those who wait while one is under way share the next.
func (n *Node) flushLoop(ctx context.Context) error {
	ticker := time.NewTicker(n.options.FlushInterval)
	defer ticker.Stop()
	// Nobody waits for a flush that will not come: when a node fails, its calls
	// end at once and not with the patience of its drain.
	defer n.waiters.fail(math.MaxUint64, errClosed)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-n.replica.WantFlush():
		}
		if err := n.flush(); errors.Is(err, storage.ErrFailed) {
			return err // nothing reaches the disk any more: start again
		}
	}
}

// flush runs one flush to its end. An error leaves everything in memory for
// the next one.
func (n *Node) flush() error {
	began := n.options.Now()
	f := n.replica.BeginFlush(n.instant(began))
	if f.PushEarly {
		n.push(f.Pages)
	}
	f.Spent(n.rank)
	err := n.commit(f)
	n.replica.EndFlush(f, n.now(), err)
	if err != nil {
		n.waiters.fail(f.Gen, err)
		n.metrics.flushErrors.Inc()
		n.health.degrade(reasonFlush, fmt.Sprintf("changes are kept in memory only: %v", err))
		return err
	}
	n.waiters.done(f.Gen)
	n.health.degrade(reasonFlush, "")
	if !f.PushEarly {
		n.push(f.Pages)
	}
	return nil
}

// commit writes the batch of a flush. A slow disk is noticed while it is slow.
func (n *Node) commit(f *replica.Flush) error {
	if f.Batch.Len() == 0 {
		return nil // nothing changed: no fsync
	}
	slow := time.AfterFunc(n.options.tuning.slowFlush, func() {
		n.health.degrade(reasonSlow, fmt.Sprintf("a flush takes longer than %v", n.options.tuning.slowFlush))
	})
	began := n.options.Now()
	err := n.store.Commit(f.Batch, true)
	took := n.options.Now().Sub(began)
	n.metrics.flushSeconds.Observe(took.Seconds())
	n.metrics.flushBytes.Add(float64(f.Batch.Bytes()))
	if slow.Stop() {
		n.health.degrade(reasonSlow, "")
	}
	return err
}

// push hands pages to the queues of all live peers.
func (n *Node) push(pages []*antientropy.Page) {
	if len(pages) == 0 {
		return
	}
	mono := n.now().Mono
	for _, frames := range frame(pages) {
		n.peers.broadcast(frames, mono)
	}
}

// frame encodes pages into as few bodies as their size allows.
func frame(pages []*antientropy.Page) (bodies [][]byte) {
	var body, page []byte
	for _, p := range pages {
		page = p.Append(page[:0])
		if len(body) > 0 && len(body)+len(page) > outboxBody {
			bodies = append(bodies, body)
			body = nil
		}
		body = antientropy.AppendFrame(body, page)
	}
	return append(bodies, body)
}

// rank counts what an agent spent for the ranking of the busiest. Doing it
// once a flush keeps the ranking's locks off the hot path.
func (n *Node) rank(s replica.Spent) {
	if n.top == nil {
		return
	}
	if k, err := crdt.ParseBucketKey(s.Key); err == nil {
		n.top.add(k.Tenant, k.Agent, s.Amount)
	}
}
