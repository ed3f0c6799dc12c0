package replica

import (
	"math"
	"slices"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/ratelimit"
)

// held is the release time of a share that is not released.
const held = math.MaxInt64

// PeerState is what the membership protocol says of a peer.
type PeerState int

// The states of a peer.
const (
	PeerUnknown PeerState = iota // known from the store only, not seen since the start
	PeerAlive
	PeerFailed // unreachable; its share of every bucket is held for a while
	PeerLeft   // said goodbye; its share is released at once
)

func (s PeerState) String() string {
	return [...]string{"unknown", "alive", "failed", "left"}[s]
}

// PeerStatus is one line of the membership protocol's list.
type PeerStatus struct {
	Node  crdt.NodeID
	Name  string
	Run   crdt.Origin
	State PeerState
}

// peer is what a replica knows of another one.
type peer struct {
	node      crdt.NodeID
	name      string
	run       crdt.Origin
	state     PeerState
	index     int             // its place in the view
	facts     *ratelimit.Peer // shared with all buckets
	lastHeard int64           // wall ms of the last complete page
	lastAlive int64           // wall ms when it was last seen alive
	failedAt  int64           // mono ns
	skew      int64           // its clock minus ours, ms, as of the last message
}

// quorumMemory is how long a peer that was alive counts for the majority.
const quorumMemory = 24 * time.Hour

// peerOf finds or makes the peer of node. Called with the merge lock held.
func (r *Replica) peerOf(node crdt.NodeID, name string, now Instant) *peer {
	p := r.peers[node]
	if p == nil {
		p = &peer{node: node, name: name}
		p.facts = ratelimit.NewPeer(uint64(node), now.Mono)
		v := r.view.Load()
		p.index = len(v.Peers)
		r.view.Store(&ratelimit.View{Peers: append(slices.Clip(v.Peers), p.facts), Members: v.Members})
		r.peers[node] = p
		r.restView(now)
	}
	if name != "" {
		p.name = name
	}
	return p
}

// peerFromDisk makes the peer of a run that an earlier run of this node knew.
// It was not heard since, and counts for the majority by when its own clock
// last said that it was there.
func (r *Replica) peerFromDisk(run crdt.Run, now Instant) {
	p := r.peerOf(run.Node, run.Name, now)
	p.facts.Heard.Store(0)
	p.failedAt = now.Mono
	p.lastAlive = max(p.lastAlive, min(r.recv.Vector(run.Origin).Stable, now.Wall))
}

// SetPeers takes the membership protocol's present list. A peer that is not on
// it any more counts as failed.
func (r *Replica) SetPeers(now Instant, list []PeerStatus) {
	r.merge.Lock()
	defer r.merge.Unlock()
	listed := make(map[crdt.NodeID]bool, len(list))
	for _, s := range list {
		if s.Node == r.self || s.Node == 0 {
			continue
		}
		listed[s.Node] = true
		r.setState(r.peerOf(s.Node, s.Name, now), s.State, now)
		if s.Run != 0 {
			r.peers[s.Node].run = s.Run
		}
	}
	for _, n := range sortedKeys(r.peers) {
		if p := r.peers[n]; !listed[n] && p.state == PeerAlive {
			r.setState(p, PeerFailed, now)
		}
	}
	r.restView(now)
}

func (r *Replica) setState(p *peer, s PeerState, now Instant) {
	if r.member.gone(p.node) {
		s = PeerLeft // gossip may list it for long yet, as failed: a member it is not
	}
	if s == PeerAlive {
		p.lastAlive = now.Wall
	}
	if p.state == s {
		return
	}
	p.state = s
	switch s {
	case PeerAlive:
		p.facts.Hold()
	case PeerLeft:
		p.facts.Leave()
	case PeerFailed, PeerUnknown:
		p.failedAt = now.Mono
	}
}

// Tick does what time alone brings about: the shares of failed peers are
// released on the side that sees a majority. Call it about once a second.
func (r *Replica) Tick(now Instant) {
	r.merge.Lock()
	defer r.merge.Unlock()
	for _, p := range r.peers {
		if p.state == PeerAlive {
			p.lastAlive = now.Wall
		}
	}
	for _, p := range r.peers {
		failed := p.state == PeerFailed || p.state == PeerUnknown
		due := failed && p.facts.Released.Load() == held && now.Mono-p.failedAt >= r.opts.ReleaseAfter.Nanoseconds()
		if due && r.majority(now, p.failedAt) {
			p.facts.Release(now.Mono)
			r.counters.releases.Add(1)
		}
	}
	r.restView(now)
	r.restamp(now)
}

// majority tells whether this node is on the side that may release a share: it
// sees more than half of the members that were ready within the last day, or
// exactly half with the smallest node id among them. Only a peer that was heard
// since the instant is seen: at the beginning of a partition those of the other
// side are found to have failed one after the other, and would vouch for each
// other's failure.
func (r *Replica) majority(now Instant, since int64) bool {
	total, seen := 1, 1
	least, leastSeen := r.self, true
	for _, p := range r.peers {
		lately := p.lastAlive != 0 && now.Wall-p.lastAlive <= quorumMemory.Milliseconds()
		if !lately || p.state == PeerLeft || r.member.gone(p.node) {
			continue
		}
		total++
		alive := p.state == PeerAlive && p.facts.Heard.Load() > since
		if alive {
			seen++
		}
		if p.node < least {
			least, leastSeen = p.node, alive
		}
	}
	return 2*seen > total || 2*seen == total && leastSeen
}

// restView publishes how many nodes share the buckets.
func (r *Replica) restView(Instant) {
	members := 1
	for _, p := range r.peers {
		if p.facts.Released.Load() == held {
			members++
		}
	}
	if v := r.view.Load(); v.Members != members {
		r.view.Store(&ratelimit.View{Peers: v.Peers, Members: members})
	}
}

// otherMembers are the nodes whose acknowledgement collection waits for: all
// that have neither left for good nor been forgotten.
func (r *Replica) otherMembers() []crdt.NodeID {
	nodes := make([]crdt.NodeID, 0, len(r.peers))
	for n := range r.peers {
		if n != r.self && !r.member.gone(n) {
			nodes = append(nodes, n)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// MemberInfo is one member as this node sees it.
type MemberInfo struct {
	Node      crdt.NodeID
	Name      string
	Run       crdt.Origin
	Self      bool
	State     PeerState
	Gone      string // "left" or "forgotten" when it is no member any more
	Staleness time.Duration
	ClockSkew time.Duration
	Lag       uint64 // own rows it has not acknowledged
	Released  bool   // its share of the buckets was released
}

// Members lists all members and those that are gone, self first.
func (r *Replica) Members(now Instant) []MemberInfo {
	r.merge.Lock()
	defer r.merge.Unlock()
	list := []MemberInfo{{Node: r.self, Name: r.opts.Name, Run: r.run, Self: true, State: PeerAlive, Gone: r.member.why(r.self)}}
	for _, n := range sortedKeys(r.peers) {
		p := r.peers[n]
		m := MemberInfo{Node: n, Name: p.name, Run: p.run, State: p.state, Gone: r.member.why(n)}
		m.ClockSkew = time.Duration(p.skew) * time.Millisecond
		m.Released = p.facts.Released.Load() != held
		if h := p.facts.Heard.Load(); h > 0 {
			m.Staleness = time.Duration(now.Mono - h)
		} else {
			m.Staleness = time.Duration(now.Mono)
		}
		if acked := r.acks.Of(n, r.run); acked < r.own.pushed {
			m.Lag = r.own.pushed - acked
		}
		list = append(list, m)
	}
	return list
}
