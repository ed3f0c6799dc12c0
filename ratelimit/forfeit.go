package ratelimit

// maxForfeited is where F is shifted down. One step adds at most as much again.
const maxForfeited = 1 << 62

// forfeit counts n µtok that found the bucket full.
func (b *Bucket) forfeit(n uint64) {
	b.withOthers()
	b.forfeited += min(n, maxForfeited)
	if b.forfeited > maxForfeited {
		b.shiftForfeited()
	}
}

// claim lets n µtok that a peer consumed unnoticed use what was forfeited since
// it was last heard, and returns how much that is:
//
//	x = min(n, F − m),  F −= x
//
// F is one amount for all peers: what one of them has claimed, no other can.
func (b *Bucket) claim(m mark, n int64) int64 {
	if b.others == nil || b.forfeited <= m.f {
		return 0
	}
	x := min(uint64(n), b.forfeited-m.f)
	b.forfeited -= x
	return int64(x)
}

// shiftForfeited moves F and all marks down, so that F never overflows. A mark
// that is very far below F is raised first: nobody consumes so much unheard.
func (b *Bucket) shiftForfeited() {
	lowest := b.forfeited - maxForfeited/2
	cut := b.forfeited
	b.eachMark(func(m *mark) {
		m.f = max(m.f, lowest)
		cut = min(cut, m.f)
	})
	b.eachMark(func(m *mark) { m.f -= cut })
	b.forfeited -= cut
}

func (b *Bucket) eachMark(f func(*mark)) {
	f(&b.base)
	f(&b.old)
	for i := range b.peers {
		f(&b.peers[i].mark)
	}
}
