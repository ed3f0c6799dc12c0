package node

import (
	"context"
	"fmt"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/node/replica"
)

// begin makes the replica: at once when this node has data, or is to be the
// first of its cluster; after the bootstrap when it is empty and has peers.
func (n *Node) begin() error {
	vectors, err := n.store.Vectors()
	if err != nil {
		return err
	}
	if len(vectors) == 0 && len(n.options.Join) > 0 {
		n.group.Go("bootstrap", n.beginFromPeers)
		return nil
	}
	if err := n.openReplica(); err != nil {
		return err
	}
	n.catchUp = len(n.options.Join) > 0 || n.hasHistory()
	n.beginCounting()
	return nil
}

func (n *Node) beginFromPeers(ctx context.Context) error {
	loaded, err := n.bootstrap(ctx)
	if err != nil || ctx.Err() != nil {
		return err
	}
	if err := n.openReplica(); err != nil {
		return err
	}
	n.catchUp = loaded
	n.beginCounting()
	return nil
}

// beginCounting starts everything that works on the replica.
func (n *Node) beginCounting() {
	n.peers = newPeers(n.client, n.group, n.metrics)
	n.peers.acked = func(a *antientropy.Ack) { n.replica.NoteAck(n.now(), a) }
	n.peers.outcast = n.castOut
	close(n.up)
	if n.catchUp && n.health.advance(phaseSyncing) {
		n.membership.announce(n.health.current)
	}
	n.startLoops()
}

// openReplica makes this start a new run and recovers what earlier runs left.
func (n *Node) openReplica() error {
	now := n.now()
	t := n.options.tuning
	n.refill = n.newRefill()
	var err error
	n.guard.Load(func() { // by learnSetting
		n.replica, err = replica.Open(replica.Options{
			Cluster: n.options.Cluster, Node: n.id.node, Name: n.id.name, Run: n.id.run,
			Store: n.store, Default: n.options.DefaultPolicy,
			Idle: t.idle, ForgetAfter: t.forgetAfter, ReleaseAfter: t.releaseAfter,
			HotCells: n.options.HotAgents, Seed: randomID(), Refill: n.refill,
			Setting: n.learnSetting,
		}, now)
	})
	if err != nil {
		return err
	}
	return n.registerState()
}

// hasHistory tells whether other members are known from earlier runs.
func (n *Node) hasHistory() bool {
	for _, m := range n.replica.Members(n.now()) {
		if !m.Self && m.Gone == "" {
			return true
		}
	}
	return false
}

func (n *Node) startLoops() {
	for _, loop := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"flush", n.flushLoop},
		{"members", n.memberLoop},
		{"readiness", n.becomeReady},
		{"pull", n.pullLoop},
		{"idle pages", n.idleLoop},
		{"tick", n.tickLoop},
		{"refill", n.refillLoop},
		{"collection", n.collectLoop},
		{"audit", n.auditLoop},
		{"disk", n.diskLoop},
		{"access", n.accessLoop},
	} {
		n.group.Go(loop.name, loop.run)
	}
}

func (n *Node) stopLoops(context.Context) error {
	n.membership.interrupt()
	return n.group.Stop()
}

// started is nil once the node can answer.
func (n *Node) started() error {
	select {
	case <-n.up:
		return nil
	default:
		return errStarting
	}
}

var errStarting = fmt.Errorf("%w: this node is still loading the cluster's state", api.ErrUnavailable)
