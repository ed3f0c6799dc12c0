package crdt

import "math"

// Total is the sum of all deltas ever applied under one key, over all origins
// and generations. It is not replicated and has no join: nodes that have applied
// the same facts have the same total, and it survives the collection of the rows
// it was summed from.
type Total struct{ Consumed, Refunded Uint128 }

// Add returns the total after one more delta.
func (t Total) Add(d Delta) Total {
	return Total{t.Consumed.Add64(d.Consumed), t.Refunded.Add64(d.Refunded)}
}

// Plus returns the total of both.
func (t Total) Plus(o Total) Total {
	return Total{t.Consumed.Add(o.Consumed), t.Refunded.Add(o.Refunded)}
}

// Net returns |Consumed − Refunded| and whether the difference is below zero.
func (t Total) Net() (magnitude Uint128, negative bool) {
	if t.Consumed.Cmp(t.Refunded) < 0 {
		return t.Refunded.Sub(t.Consumed), true
	}
	return t.Consumed.Sub(t.Refunded), false
}

// Int64 returns Consumed − Refunded, and exact = false where it lies outside of
// 64 bits and the nearest value stands for it.
func (t Total) Int64() (v int64, exact bool) {
	m, negative := t.Net()
	switch {
	case m.Hi == 0 && m.Lo <= math.MaxInt64 && !negative:
		return int64(m.Lo), true
	case m.Hi == 0 && m.Lo <= 1<<63 && negative:
		return -int64(m.Lo), true
	case negative:
		return math.MinInt64, false
	}
	return math.MaxInt64, false
}
