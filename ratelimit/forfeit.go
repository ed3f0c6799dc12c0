package ratelimit

// maxForfeited is where F is shifted down. One step adds at most as much again.
const maxForfeited = 1 << 62

// forfeit counts n µtok that found the bucket full.
func (b *Bucket) forfeit(n uint64, l *Limit) {
	b.forfeited += min(n, maxForfeited)
	if b.forfeited > maxForfeited {
		b.shiftForfeited(l)
	}
}

// claim lets a row of grown µtok use what was forfeited since its peer was last
// heard, and returns how much it used:
//
//	x = min(Δ, F − m, C + D),  F −= x
//
// F is one amount for all peers: what one of them has claimed, no other can. No
// peer may claim more than C + D, the most that the level could have moved.
func (b *Bucket) claim(m mark, grown int64, l *Limit) int64 {
	if b.forfeited <= m.f {
		return 0
	}
	x := min(uint64(grown), b.forfeited-m.f, uint64(l.Capacity+l.Floor))
	b.forfeited -= x
	return int64(x)
}

// shiftForfeited moves F and all marks down, so that F never overflows. Marks
// further than C + D below F are first raised to that: their credit is at its
// bound.
func (b *Bucket) shiftForfeited(l *Limit) {
	lowest := b.forfeited - uint64(l.Capacity+l.Floor)
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
