package antientropy

import (
	"maps"

	"github.com/openclaw/clawd/crdt"
)

// Acks remembers the durable vector each member last told of itself, and when.
// It lives in memory: after a restart a member counts as knowing nothing until
// it is heard, which delays collection and loses nothing.
type Acks struct {
	of map[crdt.NodeID]told
}

type told struct {
	durable crdt.VersionVector
	at      int64 // by a clock that never goes back
}

// Record takes the vector told by node. A member's durable knowledge only
// grows, but for a lost disk, so the newest word is taken whole.
func (a *Acks) Record(node crdt.NodeID, durable crdt.VersionVector, at int64) {
	if a.of == nil {
		a.of = make(map[crdt.NodeID]told)
	}
	a.of[node] = told{maps.Clone(durable), at}
}

// Of is the seq of origin that node has acknowledged.
func (a *Acks) Of(node crdt.NodeID, origin crdt.Origin) uint64 { return a.of[node].durable[origin] }

// Heard tells whether node has told its vector since the start.
func (a *Acks) Heard(node crdt.NodeID) bool { _, ok := a.of[node]; return ok }

// Min is the seq of origin that all the given members have acknowledged; with
// no members there is nobody to wait for.
func (a *Acks) Min(origin crdt.Origin, members []crdt.NodeID) uint64 {
	least := ^uint64(0)
	for _, m := range members {
		least = min(least, a.of[m].durable[origin])
	}
	return least
}

// Agree tells whether each of the members said, at since or later, that it has
// origin up to seq: all of it, and no more.
func (a *Acks) Agree(origin crdt.Origin, seq uint64, members []crdt.NodeID, since int64) bool {
	for _, m := range members {
		t, heard := a.of[m]
		if !heard || t.at < since || t.durable[origin] != seq {
			return false
		}
	}
	return true
}

// Forget drops a member that has left for good.
func (a *Acks) Forget(node crdt.NodeID) { delete(a.of, node) }
