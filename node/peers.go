package node

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
)

// peers is the table of the nodes this one syncs with, and what is on its way
// to each.
type peers struct {
	client  *peerClient
	group   *group
	acked   func(*antientropy.Ack) // a peer told what it has
	outcast func(error)            // a peer said that this node does not belong
	metrics *metrics

	mu     sync.RWMutex
	live   map[crdt.Origin]*peer // by run: each process has rows of its own, also two on copies of one data directory
	silent []member              // known, neither alive nor left
}

// peer is one live process.
type peer struct {
	table  *peers
	outbox *outbox
	member atomic.Pointer[member] // its phase and its addresses change
	sent   atomic.Int64           // mono ns of the last page offered
}

func newPeers(client *peerClient, g *group, m *metrics) *peers {
	return &peers{client: client, group: g, metrics: m, live: make(map[crdt.Origin]*peer)}
}

// update makes the table that of the present members.
func (t *peers) update(members []member) {
	gone := t.exchange(members)
	for _, p := range gone {
		p.outbox.close()
	}
}

func (t *peers) exchange(members []member) (gone []*peer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.silent = t.silent[:0]
	stays := make(map[crdt.Origin]bool, len(members))
	for i := range members {
		m := &members[i]
		switch m.presence {
		case presenceFailed:
			t.silent = append(t.silent, *m)
		case presenceAlive:
			stays[m.run] = true
			p := t.live[m.run]
			if p == nil {
				p = &peer{table: t}
				p.member.Store(m)
				p.outbox = newOutbox(t.group, "push to "+m.name, p)
				t.live[m.run] = p
			}
			p.member.Store(m)
		}
	}
	for run, p := range t.live {
		if !stays[run] {
			delete(t.live, run)
			gone = append(gone, p)
		}
	}
	t.metrics.peersAlive.Set(float64(len(t.live)))
	return gone
}

// broadcast offers framed pages to every live peer.
func (t *peers) broadcast(frames []byte, mono int64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, p := range t.live {
		p.offer(frames, mono)
	}
}

// remind offers framed pages to the peers that were offered nothing since the
// given time.
func (t *peers) remind(frames []byte, since, mono int64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, p := range t.live {
		if p.sent.Load() <= since {
			p.offer(frames, mono)
		}
	}
}

// alive lists the live peers, in no order.
func (t *peers) alive() []member {
	t.mu.RLock()
	defer t.mu.RUnlock()
	list := make([]member, 0, len(t.live))
	for _, p := range t.live {
		list = append(list, *p.member.Load())
	}
	return list
}

// known tells how many peers there are, silent ones included.
func (t *peers) known() (alive, silent int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.live), len(t.silent)
}

// find returns the live peer that writes the given run.
func (t *peers) find(run crdt.Origin) (member, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	p, ok := t.live[run]
	if !ok {
		return member{}, false
	}
	return *p.member.Load(), true
}

// random picks a live peer.
func (t *peers) random() (member, bool) { return pick(t.alive()) }

// randomSilent picks a peer that gossip has lost. Gossip takes its time to see
// that a partition has healed; a pull that gets through does not wait for it.
func (t *peers) randomSilent() (member, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return pick(t.silent)
}

func pick(list []member) (member, bool) {
	if len(list) == 0 {
		return member{}, false
	}
	return list[rand.IntN(len(list))], true
}

func (p *peer) offer(frames []byte, mono int64) {
	p.sent.Store(mono)
	if !p.outbox.offer(frames) {
		p.dropped(1)
	}
}

// dropped implements delivery.
func (p *peer) dropped(pushes int) { p.table.metrics.pushDropped.Add(float64(pushes)) }

// send implements delivery.
func (p *peer) send(ctx context.Context, frames []byte) error {
	t := p.table
	t.metrics.pushBytes.Add(float64(len(frames)))
	answer, err := t.client.merge(ctx, p.member.Load().peer, frames)
	switch {
	case err == nil:
	case errors.Is(err, api.ErrGap): // the peer pulls what it lacks
		t.metrics.pushGaps.Inc()
		return nil
	case errors.Is(err, api.ErrForbidden), errors.Is(err, api.ErrGone):
		t.metrics.pushErrors.Inc()
		t.outcast(err)
		return err
	default:
		t.metrics.pushErrors.Inc()
		return err
	}
	ack, err := antientropy.DecodeAck(answer)
	if err != nil {
		t.metrics.pushErrors.Inc()
		return err
	}
	t.acked(ack)
	return nil
}
