package ratelimit

import (
	"math"
	"time"
)

const (
	// HoldMax is how long the share of a silent peer is held in full.
	HoldMax = 5 * time.Minute
	// HoldHalf is how long it takes after that to halve what is held.
	HoldHalf = time.Minute

	holdHalvings = 30 // then less than a billionth is left: nothing

	minAverage = 3 * time.Second
	maxAverage = time.Hour
	minGap     = time.Millisecond

	// maxPredicted bounds the predictions about one peer; a generation of its
	// counter does not hold more.
	maxPredicted = 1 << 62
)

// lambda is the rate at which the peer is expected to consume, µtok per ns.
func (p *peerState) lambda() float64 {
	if p.w <= 0 {
		return 0
	}
	return p.s / p.w
}

// learn folds an observation into λ: grown µtok were consumed in gap ns. The
// average is over time and not over messages, or a flush interval without a
// request would count as much as an hour without one:
//
//	τ = clamp(0.1·C/r, 3 s, 1 h),  e = exp(−gap/τ)
//	s = s·e + (1−e)·Δ/gap,  w = w·e + (1−e),  λ = s/w
//
// An honest peer cannot have consumed more than a full bucket, its debt and the
// refill: a row that says so must not hold back the whole rate for many τ.
//
// Silence composes: two gaps without consumption are one. A row is given minGap
// at least, so that the second row of a page says no more than the first.
func (p *peerState) learn(gap, grown int64, l *Limit) {
	if grown > 0 {
		gap = max(gap, int64(minGap))
	}
	if gap <= 0 {
		return
	}
	g := float64(gap)
	tau := float64(min(max(l.TimeToFill()/10, minAverage), maxAverage))
	keep := math.Exp(-g / tau)
	fresh := -math.Expm1(-g / tau)
	most := float64(l.Capacity+l.Floor) + l.rate()*g
	p.s = p.s*keep + fresh*min(float64(grown), most)/g
	p.w = p.w*keep + fresh
}

// takeBack returns the whole µtok by which predictions about the peer have
// lowered the level and how much of them is owed, and forgets both.
func (p *peerState) takeBack() (predicted, owed uint64) {
	predicted, owed = uint64(p.ph), p.owed
	p.ph, p.owed = 0, 0
	return predicted, owed
}

// hold returns which part of λ is held back for the peer at t, and until when
// that holds: nothing before it was last heard and from its release on, all for
// HoldMax of silence, then a half, a quarter and so on each HoldHalf.
func (p *peerState) hold(t int64, l *Limit, v *View) (part float64, until int64) {
	if t < p.at {
		return 0, p.at
	}
	released := v.released(p.slot)
	silent := t - p.at
	switch {
	case t >= released || p.s == 0:
		return 0, math.MaxInt64
	case l.HoldForever:
		return 1, released
	case silent < int64(HoldMax):
		return 1, min(released, p.at+int64(HoldMax))
	}
	halvings := 1 + (silent-int64(HoldMax))/int64(HoldHalf)
	if halvings > holdHalvings {
		return 0, math.MaxInt64
	}
	return math.Ldexp(1, -int(halvings)), min(released, p.at+int64(HoldMax)+halvings*int64(HoldHalf))
}

// expect sets at what rate each peer is expected to consume from t on, until end
// at the latest: until then no rate changes and no mark is due. The rates are to
// be multiplied by share, to keep them together within
//
//	Σλ ≤ r·(1 − 1/(2N)),
//
// which leaves this node half of an equal part of the refill, whatever the
// others seem to do, and makes the net rate positive.
func (b *Bucket) expect(t, now int64, l *Limit, v *View) (end int64, share float64) {
	end = now
	if b.base.at > t {
		end = min(end, b.base.at)
	}
	if b.old.at > t {
		end = min(end, b.old.at)
	}
	var total float64
	for i := range b.peers {
		p := &b.peers[i]
		part, until := p.hold(t, l, v)
		p.rate = 0
		if part > 0 {
			p.rate = part * p.lambda()
		}
		total += p.rate
		end = min(end, until)
	}
	if most := l.rate() * (1 - 1/(2*float64(v.members()))); total > most {
		return end, most / total
	}
	return end, 1
}

// predict adds to each peer its rate times scaled ns, and returns by how many
// whole µtok the level has to fall. The fractions stay with the peers, so that
// looking often takes as much as looking once.
func (b *Bucket) predict(scaled float64) (taken uint64) {
	for i := range b.peers {
		p := &b.peers[i]
		if p.rate == 0 {
			continue
		}
		before := uint64(p.ph)
		p.ph = min(p.ph+p.rate*scaled, maxPredicted)
		taken += uint64(p.ph) - before
	}
	return taken
}

// netRate is the refill less what is expected to be consumed elsewhere, µtok per
// ns, as of the last look.
func (b *Bucket) netRate(l *Limit, v *View) float64 {
	_, share := b.expect(b.last, b.last, l, v)
	var total float64
	for _, p := range b.states() {
		total += p.rate
	}
	return l.rate() - share*total
}
