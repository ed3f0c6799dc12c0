package ratelimit

import (
	"math"
	"sync/atomic"
)

// Peer is what the node knows of one other node, for all buckets at once. It
// stands for the node, not for a process of it: a restart keeps the slot, and
// with it the rate that was learnt.
type Peer struct {
	ID uint64
	// Heard is the instant of the last complete page from this peer: whatever
	// it consumed before then has been applied. It is set only after every row
	// of that page went through Observe, so that the silence about all other
	// agents is never taken for news about those in the page. 0: never.
	Heard atomic.Int64
	// Released is the instant since when nothing is held back for this peer,
	// math.MaxInt64 while its share is held.
	Released atomic.Int64
}

// NewPeer returns a peer whose share is held. heard is 0 for one that is known
// from before the process started, and now for one that has just joined: it
// cannot have consumed anything earlier.
func NewPeer(id uint64, heard int64) *Peer {
	p := &Peer{ID: id}
	p.Heard.Store(heard)
	p.Hold()
	return p
}

// Hold holds the peer's share back again.
func (p *Peer) Hold() { p.Released.Store(math.MaxInt64) }

// Release lets go of the peer's share: it failed, and this side is the one to
// take over.
func (p *Peer) Release(now int64) { p.Released.Store(now) }

// Leave lets go of the share of a peer that said goodbye: unlike a failed one it
// consumes nothing that is still unheard.
func (p *Peer) Leave() { p.Released.Store(0) }

// left reports that no unheard consumption is to be expected.
func (p *Peer) left() bool { return p.Released.Load() == 0 }

// View is what the node knows of its peers. It is replaced, not changed: a new
// peer makes a longer copy of Peers with the same pointers. A nil or empty View
// is a node alone, which costs a bucket nothing.
type View struct {
	Peers   []*Peer // the index is the peer's slot; append-only
	Members int     // N: members of the cluster, this node included
}

// never is the instant of a page that did not come: before all others.
const never = math.MinInt64

func (v *View) alone() bool { return v == nil || len(v.Peers) == 0 }

// heard and released tell the state of a slot. A view that is older than the
// bucket's last look may be too short for it: the peer is then taken for silent
// and held, until the caller uses the newer view again.
func (v *View) heard(slot int) int64 {
	if v == nil || slot >= len(v.Peers) {
		return never
	}
	return v.Peers[slot].heard()
}

func (v *View) released(slot int) int64 {
	if v == nil || slot >= len(v.Peers) {
		return math.MaxInt64
	}
	return v.Peers[slot].Released.Load()
}

func (v *View) left(slot int) bool {
	return v != nil && slot < len(v.Peers) && v.Peers[slot].left()
}

func (p *Peer) heard() int64 {
	if h := p.Heard.Load(); h != 0 {
		return h
	}
	return never
}

// members is N, never less than the peers one sees make it.
func (v *View) members() int {
	if v == nil {
		return 2
	}
	return max(v.Members, 2)
}

// oldest returns up to when all peers have been heard: those whose share is
// held, and all but those that left. Both are at most now.
func (v *View) oldest(now int64) (held, all int64) {
	held, all = now, now
	if v == nil {
		return never, never
	}
	for _, p := range v.Peers {
		switch p.Released.Load() {
		case 0:
		case math.MaxInt64:
			h := p.heard()
			held, all = min(held, h), min(all, h)
		default:
			all = min(all, p.heard())
		}
	}
	return held, all
}

// Staleness is the age of the oldest silence of a peer that is still expected
// to consume.
func (v *View) Staleness(now int64) int64 {
	var worst int64
	if v == nil {
		return 0
	}
	for _, p := range v.Peers {
		if !p.left() {
			worst = max(worst, now-p.Heard.Load())
		}
	}
	return worst
}
