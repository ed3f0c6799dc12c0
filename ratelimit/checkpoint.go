package ratelimit

import "math"

// Mark is how much had been forfeited when a peer was last heard.
type Mark struct {
	Peer uint64 // Peer.ID
	Mark uint64
}

// Checkpoint is what has to be kept of a bucket.
type Checkpoint struct {
	Level     int64 // µtok at WallMS
	WallMS    int64 // unix ms
	Forfeited uint64
	Base      uint64 // mark of the peers that have none of their own
	Marks     []Mark
	// ResetVersion is the caller's: the version of the last reset applied.
	ResetVersion uint64
}

// Checkpoint advances and returns what has to be kept; wallMS is the same
// instant as now. Marks are appended to marks, which may be nil.
//
// Predictions are no facts: the level is the one without them, L + Σph, and what
// of it would not fit counts as forfeited, as if the peers had been heard.
func (b *Bucket) Checkpoint(now, wallMS int64, l *Limit, v *View, marks []Mark) Checkpoint {
	b.Advance(now, l, v)
	level := b.level
	for _, p := range b.states() {
		level += int64(uint64(p.ph) - p.owed)
		if !v.alone() && p.slot < len(v.Peers) {
			marks = append(marks, Mark{Peer: v.Peers[p.slot].ID, Mark: p.f})
		}
	}
	over := max(level-l.Capacity, 0)
	ck := Checkpoint{Level: level - over, WallMS: wallMS, Forfeited: uint64(over), Marks: marks}
	if b.others != nil {
		ck.Forfeited += b.forfeited
		ck.Base = b.base.f
	}
	return ck
}

// Restore brings a bucket back: L = min(C, level + r·(wallMS − ck.WallMS)), where
// a wall clock that went backwards counts as one that stood still. What does
// not fit is forfeited, and the marks are kept, so consumption that peers
// report from the time in between finds its credit. Marks of peers that v does
// not list are dropped.
//
// The bucket wakes at the instant of its checkpoint and advances from there, so
// being away from memory and not being looked at are the same.
func Restore(now, wallMS int64, l *Limit, v *View, ck Checkpoint) Bucket {
	at := now - awayNanos(wallMS, ck.WallMS)
	b := Bucket{level: min(max(ck.Level, -l.Floor), l.Capacity), last: at, born: at}
	if ck.Forfeited|ck.Base != 0 || !v.alone() {
		b.others = newOthers(mark{at: at, f: ck.Base})
		b.forfeited = min(ck.Forfeited, maxForfeited)
	}
	if !v.alone() {
		b.restoreMarks(at, v, ck.Marks)
	}
	b.Advance(now, l, v)
	return b
}

func (b *Bucket) restoreMarks(at int64, v *View, marks []Mark) {
	known := min(len(marks), len(v.Peers))
	if known == 0 {
		return
	}
	b.peers = make([]peerState, 0, known)
	for slot, p := range v.Peers {
		for _, m := range marks {
			if m.Peer == p.ID {
				b.peers = append(b.peers, peerState{slot: slot, mark: mark{at: at, f: m.Mark}})
				break
			}
		}
	}
}

// awayNanos is the time between two readings of the wall clock in ns, never
// negative and never more than half of what an int64 holds.
func awayNanos(wallMS, thenMS int64) int64 {
	const msNanos, most = 1_000_000, math.MaxInt64 / 2
	if wallMS <= thenMS {
		return 0
	}
	ms := uint64(wallMS) - uint64(thenMS)
	return int64(min(ms, most/msNanos)) * msNanos
}
