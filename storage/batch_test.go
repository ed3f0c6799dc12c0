package storage

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openclaw/clawd/crdt"
)

// The index records of a batch are kept apart and partly reordered; what they do
// must be what they do one by one.
func TestBatchKeepsTheOrderOfIndexWrites(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		together, single := NewMemory(), NewMemory()
		b, part := NewBatch(), NewBatch() // part is joined to b now and then, as a flush joins its chunks
		join := func() {
			b.Join(part)
			part = NewBatch()
		}
		apply := func(e Engine, b *Batch) {
			if err := e.Apply(b, false); err != nil {
				rt.Fatal(err)
			}
		}
		for i := range rapid.IntRange(1, 40).Draw(rt, "ops") {
			o := crdt.Origin(rapid.IntRange(1, 2).Draw(rt, "origin"))
			seq := rapid.Uint64Range(0, 5).Draw(rt, "seq")
			op := rapid.IntRange(0, 9).Draw(rt, "op")
			write := func(b *Batch) {
				switch {
				case op < 5:
					b.PutIndex(o, seq, crdt.KindBucket, fmt.Sprint(i))
				case op < 9:
					b.DeleteIndex(o, seq)
				default:
					b.DeleteIndexRange(o)
				}
			}
			write(part)
			if rapid.Bool().Draw(rt, "join") {
				join()
			}
			one := NewBatch()
			write(one)
			apply(single, one)
			if rapid.IntRange(0, 5).Draw(rt, "commit") == 0 {
				join()
				apply(together, b)
				if rapid.Bool().Draw(rt, "reset") { // or go on: committing twice is harmless
					b.Reset()
				}
			}
		}
		join()
		apply(together, b)
		if got, want := dump(t, together), dump(t, single); !slices.Equal(got, want) {
			rt.Fatalf("together %v, one by one %v", got, want)
		}
	})
}
