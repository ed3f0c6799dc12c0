package rating

import "math/bits"

// perMillion is the denominator of the prices of tokens.
const perMillion = 1_000_000

// product is an exact sum of quantities × prices, before it is rounded. It
// holds 128 bits: with quantities up to 2^63 and prices up to MaxAmount that is
// room for any number of tiers.
type product struct{ hi, lo uint64 }

func (p product) plus(quantity uint64, price Nano) product {
	hi, lo := bits.Mul64(quantity, uint64(price))
	var carry uint64
	p.lo, carry = bits.Add64(p.lo, lo, 0)
	p.hi, _ = bits.Add64(p.hi, hi, carry)
	return p
}

// divided returns p / den, rounded half to even. It is false when the result
// is beyond MaxAmount.
func (p product) divided(den uint64) (Nano, bool) {
	if p.hi >= den {
		return 0, false
	}
	q, rest := bits.Div64(p.hi, p.lo, den)
	if half := den - rest; rest > half || rest == half && q%2 == 1 {
		q++
	}
	if q > uint64(MaxAmount) {
		return 0, false
	}
	return Nano(q), true
}
