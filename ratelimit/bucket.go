package ratelimit

// Bucket is one node's view of one agent's token bucket.
//
// The level L runs between −D and C: it rises with the refill and falls with
// what this node admits, with what peers report, and, while a peer is silent,
// with what it is expected to consume. Refill that finds the bucket full is not
// lost at once: it is counted as forfeited (F), and consumption that is heard
// of late uses it up first, because it happened while those tokens were being
// thrown away. What of F a peer may claim is what was added since it was last
// heard, which its mark tells.
//
// Without peers the level is C + S − W − F with S = floor(r·t): bit for bit the
// bucket of a textbook, however often it is looked at.
//
// The time never runs backwards in a bucket: an instant before the last one
// is taken for the last one.
//
// A Bucket that is in use must not be copied: the copy would share what is
// kept for the sake of the other nodes.
type Bucket struct {
	level int64  // L in whole µtok, predictions taken off
	last  int64  // the instant L is of
	carry uint64 // fraction of a µtok that has been refilled, in 1/RateDen
	born  int64  // since when silence about this agent is known to be silence

	// What only a cluster needs is apart and made when it is needed first: a
	// million buckets of a node alone are to fit into its memory.
	*others
}

// others is what a bucket keeps because other nodes serve its agent, too.
type others struct {
	forfeited uint64 // F, only differences count

	// Marks for the peers that never sent a row for this agent, so that the
	// state of a bucket does not grow with the cluster: base is of the instant
	// at which the last of the held peers was heard, old the same over the
	// released ones as well. Live peers therefore never use what has piled up
	// since a dead one fell silent, and the dead one, if it was only cut off,
	// still finds it.
	base, old mark

	peers []peerState // of the peers that did send one, in order of arrival
}

// mark is an instant and the value F had then.
type mark struct {
	at int64
	f  uint64
}

// peerState is what a bucket remembers of one peer.
type peerState struct {
	mark         // at: when it was last heard, about this agent or by a complete page
	slot int     // index in View.Peers
	s, w float64 // sum and weight of the average λ = s/w, µtok per ns
	ph   float64 // predicted since at; L has been lowered by its whole µtok
	owed uint64  // of ph: pays for debt that the floor cut off, see forgive
	rate float64 // at which ph grows now, before it is shared; set by expect
}

// NewBucket returns the bucket of an agent that nothing is known of.
//
// No bucket is a full bucket, and it has been forfeiting since the peers were
// last heard: the first row of a peer after a partition must find that credit
// whether or not somebody looked at the agent meanwhile.
func NewBucket(now int64, l *Limit, v *View) Bucket {
	since := now
	if v != nil {
		for _, p := range v.Peers {
			if !p.left() {
				since = min(since, p.Heard.Load())
			}
		}
	}
	b := Bucket{level: l.Capacity, last: since, born: now}
	if since < now {
		b.others = newOthers(mark{at: since})
	}
	b.Advance(now, l, v)
	return b
}

// Level advances and returns L in µtok; it is negative in debt.
func (b *Bucket) Level(now int64, l *Limit, v *View) int64 {
	b.Advance(now, l, v)
	return b.level
}

// Admit advances and takes n µtok iff the level holds them. A denial changes
// nothing that looking would not change.
func (b *Bucket) Admit(now int64, l *Limit, v *View, n int64) bool {
	b.Advance(now, l, v)
	if n < 0 || n > b.level {
		return false
	}
	b.level -= n
	return true
}

// Charge takes n µtok after the fact, into debt if need be but not below the
// floor −D, and returns how much was taken.
func (b *Bucket) Charge(now int64, l *Limit, v *View, n int64) (charged int64) {
	b.Advance(now, l, v)
	charged = min(max(n, 0), b.credit(l))
	b.level -= charged
	return charged
}

// Refund gives n µtok back: L = min(C, L+n).
func (b *Bucket) Refund(now int64, l *Limit, v *View, n int64) {
	b.settle(now, l, v)
	b.add(uint64(max(n, 0)), l)
}

// Relimit changes the limit. The time until now is settled with the old one;
// then a lower capacity cuts the level, and a higher one leaves it: tokens come
// by refill only, or changing a policy to and fro would make some.
func (b *Bucket) Relimit(now int64, old, next *Limit, v *View) {
	b.Advance(now, old, v)
	b.level = max(min(b.level, next.Capacity), -next.Floor)
	b.carry = rescale(b.carry, old.RateDen, next.RateDen)
}

// Reset fills the bucket and forgets everything that was heard and predicted.
func (b *Bucket) Reset(now int64, l *Limit) {
	now = max(now, b.last)
	*b = Bucket{level: l.Capacity, last: now, born: now, others: b.others}
	if o := b.others; o != nil {
		*o = others{base: mark{at: now}, old: mark{at: now}, peers: o.peers[:0]}
	}
}

func newOthers(m mark) *others { return &others{base: m, old: m} }

// withOthers makes what a cluster needs, in the state it would have if it had
// been there from the beginning: whoever was alone until now has forfeited
// nothing that anybody could claim.
func (b *Bucket) withOthers() {
	if b.others == nil {
		b.others = newOthers(mark{at: b.born})
	}
}

// states are the peers that sent a row.
func (b *Bucket) states() []peerState {
	if b.others == nil {
		return nil
	}
	return b.peers
}

// room is what fits into the bucket.
func (b *Bucket) room(l *Limit) uint64 { return uint64(max(l.Capacity-b.level, 0)) }

// credit is what may be taken before the floor is reached.
func (b *Bucket) credit(l *Limit) int64 { return max(b.level+l.Floor, 0) }

// add raises the level; what does not fit is forfeited.
func (b *Bucket) add(n uint64, l *Limit) {
	if room := b.room(l); n > room {
		b.forfeit(n - room)
		n = room
	}
	b.level += int64(n)
}
