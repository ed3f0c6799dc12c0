package crdt

import "maps"

// PN is a counter that goes up and down: one row an origin, of which Consumed
// counts up and Refunded down. It keeps the current generation of each origin
// only; what was counted in earlier ones is in the Total of the deltas.
type PN map[Origin]Row

// JoinRow folds one origin's row into p and returns what it added.
func (p PN) JoinRow(o Origin, row Row) Delta {
	joined, delta := p[o].Join(row)
	if delta.Changed {
		p[o] = joined
	}
	return delta
}

// Join folds other into p and returns the sum of what its rows added.
func (p PN) Join(other PN) (added Total) {
	for o, row := range other {
		added = added.Add(p.JoinRow(o, row))
	}
	return added
}

// Clone returns a counter of its own.
func (p PN) Clone() PN {
	c := make(PN, len(p))
	maps.Copy(c, p)
	return c
}

// Total returns the sums of the rows present.
func (p PN) Total() (t Total) {
	for _, row := range p {
		t = t.Add(Delta{Consumed: row.Consumed, Refunded: row.Refunded})
	}
	return t
}

// Value returns Σ consumed − Σ refunded of the rows present, as Total.Net does.
func (p PN) Value() (magnitude Uint128, negative bool) { return p.Total().Net() }

// GCounter is the plain grow-only counter, one number an origin. Tests and the
// simulator keep it beside the real rows as the slow and obvious truth: it has no
// generations, no deltas and nothing to collect.
type GCounter map[Origin]uint64

// Add counts n more for o.
func (c GCounter) Add(o Origin, n uint64) { c[o] += n }

// Join raises c to the maximum of each origin and returns the sum that was news.
func (c GCounter) Join(other GCounter) (added Uint128) {
	for o, n := range other {
		if n > c[o] {
			added = added.Add64(n - c[o])
			c[o] = n
		}
	}
	return added
}

// Value returns the sum over all origins.
func (c GCounter) Value() (sum Uint128) {
	for _, n := range c {
		sum = sum.Add64(n)
	}
	return sum
}
