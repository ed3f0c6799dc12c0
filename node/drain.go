package node

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/openclaw/clawd/node/antientropy"
)

var errClosed = errors.New("the node is closed")

// lastFlush makes everything durable and tells the peers, after the loops have
// ended. The store must be closed with nothing pending, whatever ctx says; the
// peers are told as long as it lasts.
func (n *Node) lastFlush(ctx context.Context) error {
	if n.started() != nil {
		return nil
	}
	f, err := n.replica.BeginLastFlush(n.now())
	if err != nil {
		n.log.Warn("the next start counts what was reserved, not what was consumed", "error", err)
	}
	err = n.commit(f)
	n.replica.EndFlush(f, n.now(), err)
	n.waiters.fail(math.MaxUint64, errClosed)
	if err != nil {
		return fmt.Errorf("what was not flushed yet is lost: %w", err)
	}
	n.farewell(ctx, f.Pages)
	return nil
}

// farewell pushes the last pages to all live peers, each once and without a
// queue. A peer that misses them pulls them after the restart.
func (n *Node) farewell(ctx context.Context, pages []*antientropy.Page) {
	if len(pages) == 0 {
		pages = []*antientropy.Page{n.replica.IdlePage(n.now())}
	}
	bodies := frame(pages)
	var wg sync.WaitGroup
	for _, m := range n.membership.reachable() {
		wg.Go(func() {
			for _, body := range bodies {
				if _, err := n.client.merge(ctx, m.peer, body); err != nil {
					n.log.Debug("a peer missed the last push", "peer", m.name, "error", err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// leaveGossip says goodbye, so that the others release this node's share at
// once, and ends gossip.
func (n *Node) leaveGossip(ctx context.Context) error {
	var err error
	if len(n.membership.reachable()) > 0 && ctx.Err() == nil {
		err = n.membership.leave()
	}
	return errors.Join(err, n.membership.close())
}
