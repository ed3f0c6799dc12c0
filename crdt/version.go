package crdt

import "maps"

// VersionVector says, for each run, up to which seq all of its rows are known
// (or superseded, or collected). A run that is not in it counts as 0. The nil
// vector can be read, not written.
type VersionVector map[Origin]uint64

// Get returns the seq up to which o is known.
func (v VersionVector) Get(o Origin) uint64 { return v[o] }

// Clone returns a vector of its own; the clone of nil is empty and writable.
func (v VersionVector) Clone() VersionVector {
	c := make(VersionVector, len(v))
	maps.Copy(c, v)
	return c
}

// Covers reports whether v knows everything that other knows.
func (v VersionVector) Covers(other VersionVector) bool {
	for o, seq := range other {
		if v[o] < seq {
			return false
		}
	}
	return true
}

// Merge raises v to the pointwise maximum of both and reports whether v changed.
func (v VersionVector) Merge(other VersionVector) (changed bool) {
	for o, seq := range other {
		if v[o] < seq {
			v[o] = seq
			changed = true
		}
	}
	return changed
}
