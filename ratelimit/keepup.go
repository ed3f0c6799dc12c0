package ratelimit

const (
	// keepUpEvery is how closely a peer must be followed for what it consumes to
	// say that there is something to consume.
	keepUpEvery = int64(minAverage / 2)
	// keepUpPart of an equal part of the refill is what a debt is eased by.
	keepUpPart = 16
)

// keepUp eases the debt of a bucket that its peers leave nothing of the refill.
//
// The levels of two nodes differ by what each has not heard of the other, by what
// each has cut off at the floor, by a restart, by their clocks. A full bucket
// makes them equal again, but under a flood there is none: the node that is ahead
// by a token takes what is refilled, tells the others, and keeps them below zero
// for ever, although the clients of each are asking for the same.
//
// When peers consume more than the refill less half of an equal part, and this
// bucket is in debt all the same, then the debt is such a difference: a peer with
// the same debt would admit nothing. So a small part of what they consume,
//
//	min(Δ, r·gap) / (16·N),
//
// is not charged, until the debt is gone or this node has half of its equal part
// (1/(2N), what predictions leave it, too). What it then admits the others hear
// of and leave. Where the debt is real, it is over-admitted at most r/(16·N) for
// the few seconds in which the averages still remember what led to it.
func (b *Bucket) keepUp(gap, consumed int64, l *Limit, v *View) {
	if b.level >= 0 || gap <= 0 || gap > keepUpEvery {
		return
	}
	var total float64
	for i := range b.peers {
		if p := &b.peers[i]; b.last-p.at <= keepUpEvery {
			total += p.lambda()
		}
	}
	n := float64(v.members())
	if total < l.rate()*(1-1/(2*n)) {
		return
	}
	eased := min(float64(consumed), l.rate()*float64(gap)) / (keepUpPart * n)
	b.level = min(0, b.level+int64(eased))
}
