package sim

import (
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/replica"
)

// peerWatch is what gossip last told a process of a peer.
type peerWatch struct {
	state    replica.PeerState
	since    int64 // ms
	wasAlive bool
}

func (p *process) watch(now int64, list []replica.PeerStatus) {
	listed := make(map[crdt.NodeID]bool)
	for _, s := range list {
		listed[s.Node] = true
		have := p.peers[s.Node]
		if have == nil {
			have = new(peerWatch)
			p.peers[s.Node] = have
		}
		if have.state != s.State {
			have.state, have.since = s.State, now
		}
		have.wasAlive = have.wasAlive || s.State == replica.PeerAlive
	}
	for n, have := range p.peers {
		if !listed[n] && have.state == replica.PeerAlive {
			have.state, have.since = replica.PeerFailed, now
		}
	}
}

// checkReleases looks at which shares of failed peers are released after a tick:
// those, and only those, of a side that sees more than half of the members that
// were alive lately, or half of them with the smallest identity.
func (w *world) checkReleases(p *process) {
	total, seen, least, leastSeen := 1, 1, p.node, true
	for n, peer := range p.peers {
		if peer.state == replica.PeerLeft || w.knowsGone(p, n) {
			continue
		}
		if !peer.wasAlive {
			p.majority = w.now // for all that is known here
			return             // never seen: whether it counts depends on what the disk says of it
		}
		total++
		alive := peer.state == replica.PeerAlive
		if alive {
			seen++
		}
		if n < least {
			least, leastSeen = n, alive
		}
	}
	majority := 2*seen > total || 2*seen == total && leastSeen
	if majority {
		p.majority = w.now
	}
	members := p.rep.Members(w.instant(p))
	for _, m := range members {
		if m.State == replica.PeerUnknown && m.Gone == "" {
			return // known from disk only, likewise
		}
	}
	for _, m := range members {
		peer := p.peers[m.Node]
		if m.Self || peer == nil || peer.state != replica.PeerFailed || m.Gone != "" {
			continue
		}
		due := w.now-peer.since > w.plan.Release.Milliseconds()+1000
		if majority && due && !m.Released && w.allHeardSince(p, members, peer.since) {
			w.fail("I15", "%s sees a majority; the share of %s, which failed %d ms ago: expected released, got held", p.m.name, m.Name, w.now-peer.since)
		}
		if m.Released && p.majority < peer.since && peer.wasAlive {
			w.fail("C5", "%s sees no majority; the share of %s: expected held, got released", p.m.name, m.Name)
		}
	}
}

// allHeardSince tells whether all peers that gossip says are alive were heard
// since an instant. Only those vouch for a failure, so that a release is owed
// where all of them do.
func (w *world) allHeardSince(p *process, members []replica.MemberInfo, since int64) bool {
	for _, m := range members {
		if peer := p.peers[m.Node]; m.Self || peer == nil || peer.state != replica.PeerAlive {
			continue
		}
		if 10*m.Staleness.Milliseconds() >= 9*(w.now-since) {
			return false
		}
	}
	return true
}
