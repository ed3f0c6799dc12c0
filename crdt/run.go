package crdt

// Run describes one origin: which node it was a start of, and, once it is over,
// where it ended. A run is sealed by its successor on the same node, by leaving,
// or by being forgotten; silence alone seals nothing.
type Run struct {
	Origin   Origin
	Node     NodeID
	Name     string // the operator's name of the node
	Started  HLC
	SealedAt int64  // unix ms, 0 = live
	Final    uint64 // last seq the sealer knows of
}

// Join returns the least descriptor that contains both, and whether it differs
// from r. The earliest seal stands, with the highest final seq: a run is over
// when anyone knows so, and its rows may go when everyone has the last of them.
// Origin, Node, Name and Started are the same in all honest copies; the maximum
// of each only keeps the join lawful for the others.
func (r Run) Join(o Run) (joined Run, changed bool) {
	joined = Run{
		Origin:   max(r.Origin, o.Origin),
		Node:     max(r.Node, o.Node),
		Name:     max(r.Name, o.Name),
		Started:  max(r.Started, o.Started),
		SealedAt: earliest(r.SealedAt, o.SealedAt),
		Final:    max(r.Final, o.Final),
	}
	return joined, joined != r
}

// Sealed reports whether the run is over.
func (r Run) Sealed() bool { return r.SealedAt != 0 }

// earliest returns the smaller instant, where 0 means "not yet".
func earliest(a, b int64) int64 {
	if a == 0 || b == 0 {
		return a + b
	}
	return min(a, b)
}
