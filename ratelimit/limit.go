package ratelimit

import (
	"math"
	"math/bits"
	"time"
)

// Limit is a compiled policy, in µtok and ns. It comes from Policy.Limit or
// ParseInline; the zero value limits nothing and must not be used.
type Limit struct {
	Capacity int64 // C: a bucket never holds more
	Floor    int64 // D: a bucket never owes more
	// RateNum/RateDen is the refill in µtok per ns, reduced.
	RateNum, RateDen uint64
	Durability       Durability
	// HoldForever keeps the predicted share of a silent peer for ever.
	HoldForever bool
}

// refill returns how many whole µtok arrive in dt ns when carry/RateDen µtok
// had arrived before, and the fraction that is left over:
//
//	added = (dt·RateNum + carry) div RateDen,  rest = … mod RateDen
//
// computed in 128 bits, so nothing is lost at any dt. It composes: refilling a
// and then b is refilling a+b, since both quotients count the same total from
// the same remainder. An amount beyond 2^64 is reported as 2^64-1; its
// remainder is still right.
func (l *Limit) refill(dt int64, carry uint64) (added, rest uint64) {
	hi, lo := bits.Mul64(uint64(dt), l.RateNum)
	lo, c := bits.Add64(lo, carry, 0)
	hi += c
	if hi >= l.RateDen {
		return math.MaxUint64, bits.Rem64(hi, lo, l.RateDen)
	}
	return bits.Div64(hi, lo, l.RateDen)
}

// rate is the refill in µtok per ns, for the rules that are estimates anyway.
func (l *Limit) rate() float64 { return float64(l.RateNum) / float64(l.RateDen) }

// TimeFor returns how many ns it takes to refill micro µtok, rounded up and
// saturating at the greatest Duration.
func (l *Limit) TimeFor(micro int64) time.Duration { return l.timeFor(micro, 0) }

// timeFor is the least dt for which refill(dt, carry) adds micro µtok:
// ceil((micro·RateDen − carry) / RateNum).
func (l *Limit) timeFor(micro int64, carry uint64) time.Duration {
	if micro <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(micro), l.RateDen)
	lo, borrow := bits.Sub64(lo, carry, 0)
	hi -= borrow // micro ≥ 1 and carry < RateDen: never below zero
	if hi >= l.RateNum {
		return math.MaxInt64
	}
	q, rest := bits.Div64(hi, lo, l.RateNum)
	if rest > 0 {
		q++ // q < 2^64-1 here: rest > 0 needs RateNum ≥ 2, which halves q
	}
	return time.Duration(min(q, math.MaxInt64))
}

// PerSecond is the refill in whole µtok a second, rounded down.
func (l *Limit) PerSecond() int64 {
	added, _ := l.refill(int64(time.Second), 0)
	return int64(min(added, math.MaxInt64))
}

// TimeToFill is the time from empty to full, C/r.
func (l *Limit) TimeToFill() time.Duration { return l.TimeFor(l.Capacity) }

// rescale turns a fraction of a µtok in 1/from into one in 1/to, rounded down.
func rescale(carry, from, to uint64) uint64 {
	hi, lo := bits.Mul64(carry, to) // carry < from, so the quotient is < to
	q, _ := bits.Div64(hi, lo, from)
	return q
}
