package storage

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openclaw/clawd/crdt"
)

// A crash keeps a prefix of the commits with all that were synced, and the
// engine after it goes on as a new one.
func TestMemoryCrashKeepsAPrefix(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorkload(t, rapid.Uint64().Draw(rt, "seed"))
		e := NewMemory()
		s := mustNew(t, e)
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			if err := w.step(t, s); err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 9).Draw(rt, "crash") > 0 {
				continue
			}
			unsynced := e.Unsynced()
			kept := rapid.IntRange(0, unsynced).Draw(rt, "kept")
			want := w.commits() - unsynced + kept
			old := e
			e = e.Crash(func(n int) int {
				if n != unsynced {
					rt.Fatalf("offered %d batches, want %d", n, unsynced)
				}
				return kept
			})
			if err := old.Apply(NewBatch(), true); !errors.Is(err, ErrClosed) {
				rt.Fatalf("the crashed engine answers %v", err)
			}
			s = mustNew(t, e)
			if n := w.check(t, s); n != want {
				rt.Fatalf("%d commits survive, want %d", n, want)
			}
			w.resume(t, want)
		}
	})
}

// resume makes the model go on from the state after n commits.
func (w *workload) resume(t testing.TB, n int) {
	w.memory = w.states[n].Clone()
	w.model = mustNew(t, w.memory)
	w.states = w.states[:n+1]
	w.synced = n // what was read after a crash does not vanish later
}

func TestMemoryCrashKeepsNothingUnsyncedByDefault(t *testing.T) {
	e := NewMemory()
	s := mustNew(t, e)
	commit(t, s, true, func(b *Batch) { b.PutVector(1, Vector{Seq: 1}) })
	commit(t, s, false, func(b *Batch) { b.PutVector(1, Vector{Seq: 2}) })
	s = mustNew(t, e.Crash(nil))
	if v, _, err := s.Vector(1); v.Seq != 1 || err != nil {
		t.Fatalf("seq %d, %v", v.Seq, err)
	}
}

func TestMemoryClonesAreIndependent(t *testing.T) {
	e := NewMemory()
	s := mustNew(t, e)
	commit(t, s, false, func(b *Batch) { b.PutVector(1, Vector{Seq: 1}) })
	clone := mustNew(t, e.Clone().Crash(nil)) // a copy is durable
	commit(t, clone, true, func(b *Batch) { b.PutVector(1, Vector{Seq: 2}) })
	commit(t, s, true, func(b *Batch) { b.PutVector(1, Vector{Seq: 3}) })
	if v, _, _ := clone.Vector(1); v.Seq != 2 {
		t.Errorf("the clone has seq %d", v.Seq)
	}
	if v, _, _ := s.Vector(1); v.Seq != 3 {
		t.Errorf("the original has seq %d", v.Seq)
	}
}

func TestMemoryFaults(t *testing.T) {
	boom := errors.New("boom")
	b := NewBatch()
	b.PutVector(1, Vector{Seq: 1})

	t.Run("full is refused and forgotten", func(t *testing.T) {
		e := NewMemory()
		e.Inject(FailNth(2, ErrFull))
		for i, want := range []error{nil, ErrFull, nil} {
			if err := e.Apply(b, true); !errors.Is(err, want) {
				t.Fatalf("apply %d: %v, want %v", i, err, want)
			}
		}
	})
	t.Run("a bad write is the end", func(t *testing.T) {
		for kept, want := range map[int]bool{0: false, 1: true} {
			e := NewMemory()
			e.Inject(FailNth(1, boom))
			if err := e.Apply(b, true); !errors.Is(err, ErrFailed) || !errors.Is(err, boom) {
				t.Fatalf("apply: %v", err)
			}
			if _, _, err := e.Get([]byte("k"), nil); !errors.Is(err, ErrFailed) {
				t.Fatalf("get: %v", err)
			}
			s := mustNew(t, e.Crash(func(int) int { return kept }))
			if _, found, err := s.Vector(1); found != want || err != nil {
				t.Fatalf("after the crash: %v, %v, want %v", found, err, want)
			}
		}
	})
	t.Run("a bad read passes", func(t *testing.T) {
		e := NewMemory()
		e.Inject(func(op Op) error {
			if op.Kind != OpApply && op.N <= 3 {
				return boom
			}
			return nil
		})
		_, _, getErr := e.Get([]byte("k"), nil)
		_, snapErr := e.Snapshot()
		for _, err := range []error{getErr, snapErr, e.Scan(nil, nil, nil)} {
			if !errors.Is(err, boom) {
				t.Fatalf("%v, want boom", err)
			}
		}
		if _, _, err := e.Get([]byte("k"), nil); err != nil {
			t.Fatal(err)
		}
	})
}

// One schedule of the simulator has a few nodes with a few hundred commits: an
// engine must cost nothing to speak of.
func BenchmarkMemorySchedule(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	batch := NewBatch()
	cell := fullCell()
	for b.Loop() {
		s := mustNew(b, NewMemory())
		for i := range uint64(100) {
			batch.Reset()
			batch.PutCell('b', "default\x00agent"+string(rune('a'+rng.IntN(16)))+"\x00\x00", cell)
			batch.PutIndex(7, i+1, 'b', "default\x00agent\x00\x00")
			batch.DeleteIndex(7, i)
			batch.PutVector(7, Vector{Seq: i})
			if err := s.Commit(batch, i%4 == 0); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/commit")
}

func TestMemoryRot(t *testing.T) {
	m := NewMemory()
	s := mustNew(t, m)
	b := NewBatch()
	for _, key := range []string{"a", "b", "c"} {
		b.PutCell(crdt.KindBucket, key, &Cell{})
	}
	if err := s.Commit(b, true); err != nil {
		t.Fatal(err)
	}
	m.Rot(appendCellKey(nil, crdt.KindBucket, "b"))
	if keys := m.Keys(); !slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, m.rotten) }) {
		t.Fatalf("%q is not among %q", m.rotten, keys)
	}
	for name, e := range map[string]*Memory{"running": m, "cloned": m.Clone(), "crashed": m.Clone().Crash(nil)} {
		s := Store{Queries: Queries{reader: e}, engine: e}
		var c Cell
		if _, err := s.Cell(crdt.KindBucket, "b", &c); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: a damaged record reads as %v", name, err)
		}
		if found, err := s.Cell(crdt.KindBucket, "c", &c); err != nil || !found {
			t.Errorf("%s: its neighbour: %v %v", name, found, err)
		}
		var seen []string
		note := func(key string, _ *Cell) bool { seen = append(seen, key); return true }
		if err := s.Cells(crdt.KindBucket, "", "", note); !errors.Is(err, ErrCorrupt) || len(seen) != 1 {
			t.Errorf("%s: a walk over it sees %v and ends with %v", name, seen, err)
		}
		if err := s.Cells(crdt.KindBucket, "", "b", note); err != nil || len(seen) != 2 {
			t.Errorf("%s: a walk behind it sees %v and ends with %v", name, seen, err)
		}
	}
	m.Rot(nil)
	if found, err := s.Cell(crdt.KindBucket, "b", new(Cell)); err != nil || !found {
		t.Errorf("made good again: %v %v", found, err)
	}
}
