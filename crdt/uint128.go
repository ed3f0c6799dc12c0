package crdt

import (
	"cmp"
	"math"
	"math/bits"
	"strconv"
)

// Uint128 is a sum that outlives any 64-bit counter: Hi·2^64 + Lo.
type Uint128 struct{ Hi, Lo uint64 }

// Add64 returns u + n; it stays at the greatest value instead of wrapping.
func (u Uint128) Add64(n uint64) Uint128 { return u.Add(Uint128{Lo: n}) }

// Add returns u + o; it stays at the greatest value instead of wrapping.
func (u Uint128) Add(o Uint128) Uint128 {
	lo, carry := bits.Add64(u.Lo, o.Lo, 0)
	hi, carry := bits.Add64(u.Hi, o.Hi, carry)
	if carry != 0 {
		return Uint128{math.MaxUint64, math.MaxUint64}
	}
	return Uint128{hi, lo}
}

// Sub returns u − o, or 0 where o is greater.
func (u Uint128) Sub(o Uint128) Uint128 {
	lo, borrow := bits.Sub64(u.Lo, o.Lo, 0)
	hi, borrow := bits.Sub64(u.Hi, o.Hi, borrow)
	if borrow != 0 {
		return Uint128{}
	}
	return Uint128{hi, lo}
}

// Cmp returns −1, 0 or 1 as u is less than, equal to or greater than o.
func (u Uint128) Cmp(o Uint128) int {
	return cmp.Or(cmp.Compare(u.Hi, o.Hi), cmp.Compare(u.Lo, o.Lo))
}

// IsZero reports whether u is 0.
func (u Uint128) IsZero() bool { return u == Uint128{} }

// Div64 returns u / d rounded down: whole tokens of micro-tokens. It panics for
// d = 0, as integer division does.
func (u Uint128) Div64(d uint64) Uint128 {
	q, _ := u.divMod64(d)
	return q
}

func (u Uint128) divMod64(d uint64) (q Uint128, rem uint64) {
	q.Hi, rem = u.Hi/d, u.Hi%d
	q.Lo, rem = bits.Div64(rem, u.Lo, d)
	return q, rem
}

// Uint64 returns u, or the greatest 64-bit value where u does not fit.
func (u Uint128) Uint64() uint64 {
	if u.Hi != 0 {
		return math.MaxUint64
	}
	return u.Lo
}

// Float64 returns the nearest float, for metrics and ratios.
func (u Uint128) Float64() float64 {
	return math.FMA(float64(u.Hi), 1<<64, float64(u.Lo))
}

// String returns u in decimal.
func (u Uint128) String() string {
	const chunk, digits = 1e19, 19 // the greatest power of ten in 64 bits
	if u.Hi == 0 {
		return strconv.FormatUint(u.Lo, 10)
	}
	q, rem := u.divMod64(chunk)
	tail := strconv.FormatUint(rem, 10)
	const zeros = "0000000000000000000"
	return q.String() + zeros[:digits-len(tail)] + tail
}
