package crdt

import (
	"bytes"
	"cmp"
	"strings"
)

// Register is one last-writer-wins value: a kv entry, a policy, a control flag.
// A deletion is a register too (a tombstone), or an old write could undo it.
//
// Writer and Version say which value wins. Origin, Gen and Seq say under which
// run the register stands in the by-seq index: a successor of a dead run
// publishes its registers again, with the same value and the next Gen.
type Register struct {
	Value     []byte // never written to after it is set: joins share it
	Meta      string // content type and the like, opaque here
	Deleted   bool
	Version   HLC
	Writer    NodeID
	ExpiresAt int64 // unix ms, 0 = never

	Origin Origin
	Gen    uint32
	Seq    uint64
}

// Join returns the greater of both registers, and whether it differs from r in
// its value (anything a reader sees) and in its place in the index. The order is
// total, down to the bytes of the value: with equal versions and an order of
// arrival as the judge, two nodes could keep two values for ever.
//
// The zero Register stands for "no register".
func (r Register) Join(o Register) (joined Register, valueChanged, indexChanged bool) {
	value := r.compareValue(o)
	if value > 0 || value == 0 && r.compareIndex(o) >= 0 {
		return r, false, false
	}
	return o, value != 0, r.compareIndex(o) != 0
}

// Equal reports whether both are the same in every field.
func (r Register) Equal(o Register) bool {
	return r.compareValue(o) == 0 && r.compareIndex(o) == 0
}

// Visible reports whether a reader at nowMS sees a value: none when the register
// was never written, is deleted, or has expired. Expiry is a matter of the reader
// and leaves the order of values alone. (As a tombstone with a version of its
// own it would beat a write from before the expiry that arrives after it, on
// those nodes only that had not seen the write in time.)
func (r Register) Visible(nowMS int64) bool {
	return r.Version != 0 && !r.Deleted && (r.ExpiresAt == 0 || nowMS < r.ExpiresAt)
}

func (r Register) compareValue(o Register) int {
	return cmp.Or(
		cmp.Compare(r.Version, o.Version),
		cmp.Compare(r.Writer, o.Writer),
		compareBool(r.Deleted, o.Deleted),
		bytes.Compare(r.Value, o.Value),
		strings.Compare(r.Meta, o.Meta),
		cmp.Compare(r.ExpiresAt, o.ExpiresAt),
	)
}

func (r Register) compareIndex(o Register) int {
	return cmp.Or(
		cmp.Compare(r.Gen, o.Gen),
		cmp.Compare(r.Origin, o.Origin),
		cmp.Compare(r.Seq, o.Seq),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
