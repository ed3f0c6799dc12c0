package storage

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/openclaw/clawd/crdt"
)

// agents are cells as a busy cluster of three has them.
type agents struct {
	keys  []string
	cells []Cell
	seq   uint64
}

func newAgents(n int) *agents {
	a := &agents{keys: make([]string, n), cells: make([]Cell, n)}
	for i := range a.keys {
		a.keys[i] = crdt.BucketKey{Tenant: "default", Agent: fmt.Sprintf("agent:%07d", i*7919%n)}.Encode()
		c := &a.cells[i]
		c.Total.Consumed.Lo = 123_000_000
		c.Check = Checkpoint{Present: true, Level: 900_000_000, WallMS: 1_700_000_000_000, Marks: make([]Mark, 2)}
		for o := range crdt.Origin(3) {
			c.PutSlot(ownRun+o, crdt.Row{Birth: 1, Consumed: 41_000_000, TS: 1_700_000_000_000})
		}
	}
	return a
}

// flush fills b as a flush does: each agent has one more own row.
func (a *agents) flush(b *Batch) {
	b.Reset()
	for i := range a.cells {
		row := a.cells[i].Slot(ownRun)
		if row.Seq != 0 {
			b.DeleteIndex(ownRun, row.Seq)
		}
		a.seq++
		row.Seq = a.seq
		row.Consumed += 1_000_000
		b.PutCell(crdt.KindBucket, a.keys[i], &a.cells[i])
		b.PutIndex(ownRun, row.Seq, crdt.KindBucket, a.keys[i])
	}
	b.PutVector(ownRun, Vector{Seq: a.seq, Stable: 1})
}

const flushAgents = 5000

func perAgent(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/agent")
}

func BenchmarkBatch5000(b *testing.B) {
	b.ReportAllocs()
	a, batch := newAgents(flushAgents), NewBatch()
	for b.Loop() {
		a.flush(batch)
	}
	perAgent(b, flushAgents)
	b.ReportMetric(float64(batch.Bytes())/flushAgents, "bytes/agent")
}

func BenchmarkFlush5000(b *testing.B) {
	for _, where := range []string{"memfs", "disk"} {
		b.Run(where, func(b *testing.B) {
			b.ReportAllocs()
			dir, o := b.TempDir(), Options{}
			if where == "memfs" {
				dir, o = testDir, Options{FS: vfs.NewMem()}
			}
			s, err := OpenPebble(dir, o)
			if err != nil {
				b.Fatal(err)
			}
			a, batch := newAgents(flushAgents), NewBatch()
			for b.Loop() {
				a.flush(batch)
				if err := s.Commit(batch, true); err != nil {
					b.Fatal(err)
				}
			}
			perAgent(b, flushAgents)
			mustClose(b, s)
		})
	}
}

// stocked is a store with n agents, most of them in tables.
func stocked(b *testing.B, n int) (*Store, *agents) {
	b.Helper()
	s := mustOpen(b, Options{FS: vfs.NewMem()})
	a, batch := newAgents(n), NewBatch()
	a.flush(batch)
	if err := s.Commit(batch, true); err != nil {
		b.Fatal(err)
	}
	if err := s.engine.(*pebbleEngine).db.Flush(); err != nil {
		b.Fatal(err)
	}
	return s, a
}

func BenchmarkGetCell(b *testing.B) {
	s, a := stocked(b, 100_000)
	defer mustClose(b, s)
	var c Cell
	b.Run("hit", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if found, err := s.Cell(crdt.KindBucket, a.keys[i%len(a.keys)], &c); !found || err != nil {
				b.Fatal(err)
			}
			i += 7
		}
	})
	b.Run("miss", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if found, err := s.Cell(crdt.KindBucket, "default\x00agent:0000001x\x00\x00", &c); found || err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkScan(b *testing.B) {
	const n = 100_000
	s, _ := stocked(b, n)
	defer mustClose(b, s)
	b.Run("index", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			seen := 0
			if err := s.Index(ownRun, 0, func(uint64, crdt.Kind, string) bool { seen++; return true }); err != nil || seen != n {
				b.Fatal(seen, err)
			}
		}
		perAgent(b, n)
	})
	b.Run("digest", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mustDigest(b, s, DigestFilter{})
		}
		perAgent(b, n)
	})
}

func BenchmarkCellCodec(b *testing.B) {
	cell := &newAgents(1).cells[0]
	enc := cell.append(nil)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			enc = cell.append(enc[:0])
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		var c Cell
		for b.Loop() {
			if err := c.decode(enc); err != nil {
				b.Fatal(err)
			}
		}
	})
}
