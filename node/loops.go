package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/node/replica"
)

// every runs fn at an interval until ctx ends.
func every(ctx context.Context, interval time.Duration, fn func()) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			fn()
		}
	}
}

// ErrReplaced: the peers take the newer of two processes with one identity for
// the living one, and will drop what the other one consumes.
var ErrReplaced = errors.New("a newer process runs on a copy of this node's data; start one of the two with an empty data directory")

// tickLoop does what time alone brings about in the replica, and watches the
// wall clock.
func (n *Node) tickLoop(ctx context.Context) error {
	last := n.now()
	return every(ctx, n.options.tuning.tickInterval, func() {
		now := n.now()
		n.replica.Tick(now)
		n.paceCollector()
		if n.replica.Replaced() {
			n.group.fail(ErrReplaced)
		}
		n.watchClock(last, now)
		last = now
		alive, silent := n.peers.known()
		if alive == 0 && silent > 0 {
			n.health.degrade(reasonAlone, fmt.Sprintf("none of the %d other members is in reach", silent))
		} else {
			n.health.degrade(reasonAlone, "")
		}
	})
}

// clockJump is how far the two clocks may drift apart between two ticks before
// that is called a jump; clockPenance is how long a jump back is reported.
const (
	clockJump    = 2 * time.Second
	clockPenance = 10 * time.Minute
)

// watchClock compares what the wall clock and the monotonic one say of the
// time since the tick before. Limits do not depend on the wall clock, but the
// order of register writes does: a clock that went back makes them look old.
func (n *Node) watchClock(last, now replica.Instant) {
	behind := time.Duration(now.Mono-last.Mono) - time.Duration(now.Wall-last.Wall)*time.Millisecond
	if behind > clockJump {
		n.clockFell = now.Mono
		n.health.degrade(reasonClock, fmt.Sprintf(
			"the wall clock went back by %v; key-value writes are ordered by the last time known until it has caught up", behind))
		return
	}
	if n.clockFell != 0 && time.Duration(now.Mono-n.clockFell) > clockPenance {
		n.clockFell = 0
		n.health.degrade(reasonClock, "")
	}
}

// idleLoop tells peers that heard nothing for a while that there was nothing:
// silence of a live peer is information, silence of the network is not.
func (n *Node) idleLoop(ctx context.Context) error {
	interval := n.options.tuning.idleInterval
	return every(ctx, interval, func() {
		now := n.now()
		body := frame([]*antientropy.Page{n.replica.IdlePage(now)})[0]
		n.peers.remind(body, now.Mono-interval.Nanoseconds(), now.Mono)
	})
}

// collectLoop removes idle rows and dead runs, a bounded piece at a time.
func (n *Node) collectLoop(ctx context.Context) error {
	return every(ctx, n.options.tuning.collectInterval, func() {
		if _, err := n.replica.Collect(n.now(), collectBudget); err != nil {
			n.log.Warn("collection failed and will be tried again", "error", err)
		}
	})
}

// collectBudget is how many records one round of the collection looks at.
const collectBudget = 100_000

// memberLoop keeps the replica's and the peers' lists those of gossip.
func (n *Node) memberLoop(ctx context.Context) error {
	for {
		n.followMembers()
		select {
		case <-ctx.Done():
			return nil
		case <-n.membership.changed:
		}
	}
}

func (n *Node) followMembers() {
	members := n.membership.others()
	status := make([]replica.PeerStatus, len(members))
	for i, m := range members {
		status[i] = replica.PeerStatus{Node: m.node, Name: m.name, Run: m.run, State: peerStates[m.presence]}
	}
	n.replica.SetPeers(n.now(), status)
	n.peers.update(members)
	n.metrics.memberEvents.Inc()
}

var peerStates = map[presence]replica.PeerState{
	presenceAlive:  replica.PeerAlive,
	presenceFailed: replica.PeerFailed,
	presenceLeft:   replica.PeerLeft,
}
