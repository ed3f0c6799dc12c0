package storage

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/openclaw/clawd/crdt"
)

const ownRun crdt.Origin = 0xa1

// workload writes what a node writes, to the store under test and to a model,
// and remembers the model after each commit. The number of the last commit is in
// the batch itself, as the seq of the own vector: that is how a store says which
// commits it still has.
type workload struct {
	rng    *rand.Rand
	model  *Store
	memory *Memory
	states []*Memory // states[i] is the world after i commits
	seqs   map[crdt.Origin]uint64
	batch  *Batch
	synced int // the last commit that was acknowledged as durable
}

func newWorkload(t testing.TB, seed uint64) *workload {
	t.Helper()
	m := NewMemory()
	return &workload{
		rng: rand.New(rand.NewPCG(seed, 1)), model: mustNew(t, m), memory: m,
		states: []*Memory{m.Clone()}, seqs: map[crdt.Origin]uint64{}, batch: NewBatch(),
	}
}

// step commits one batch to s.
func (w *workload) step(t testing.TB, s *Store) error {
	t.Helper()
	sync := w.fill(t)
	if err := w.model.Commit(w.batch, false); err != nil {
		t.Fatal(err)
	}
	w.states = append(w.states, w.memory.Clone())
	if err := s.Commit(w.batch, sync); err != nil {
		return err
	}
	if sync {
		w.synced = w.commits()
	}
	return nil
}

func (w *workload) commits() int { return len(w.states) - 1 }

// fill makes the next batch and says whether it is to be synced.
func (w *workload) fill(t testing.TB) (sync bool) {
	w.batch.Reset()
	for range 1 + w.rng.IntN(6) {
		switch w.rng.IntN(10) {
		case 0:
			w.putRegister(t)
		case 1:
			w.collect(t)
		case 2:
			w.batch.PutHighWater(w.key(), HighWater{Birth: 1, Mark: w.rng.Uint64N(1e9)})
		case 3:
			w.batch.DeleteHighWater(w.key())
		default:
			w.putRow(t)
		}
	}
	if w.rng.IntN(30) == 0 {
		w.batch.DeleteIndexRange(crdt.Origin(0xa2 + w.rng.IntN(2)))
	}
	w.batch.PutVector(ownRun, Vector{Seq: uint64(w.commits() + 1), Stable: int64(w.rng.IntN(1e6))})
	return w.rng.IntN(3) == 0
}

func (w *workload) key() string {
	return crdt.BucketKey{Tenant: "default", Agent: fmt.Sprintf("agent:%d", w.rng.IntN(40))}.Encode()
}

func (w *workload) next(o crdt.Origin) uint64 {
	w.seqs[o]++
	return w.seqs[o]
}

func (w *workload) putRow(t testing.TB) {
	o, key := ownRun+crdt.Origin(w.rng.IntN(3)), w.key()
	c := w.cell(t, key)
	row := crdt.Row{Birth: 1, Consumed: w.rng.Uint64N(1e12), TS: 1_700_000_000_000, Seq: w.next(o)}
	if old := c.Slot(o); old != nil {
		w.batch.DeleteIndex(o, old.Seq)
	}
	c.PutSlot(o, row)
	c.Total = c.Total.Add(crdt.Delta{Consumed: 1})
	c.Check = Checkpoint{Present: true, Level: w.rng.Int64N(1e9), Marks: []Mark{{Node: 5, Mark: 1}}}
	w.batch.PutCell(crdt.KindBucket, key, c)
	w.batch.PutIndex(o, row.Seq, crdt.KindBucket, key)
}

func (w *workload) collect(t testing.TB) {
	key := w.key()
	c := w.cell(t, key)
	for _, s := range c.Slots {
		w.batch.DeleteIndex(s.Origin, s.Row.Seq)
	}
	w.batch.DeleteCell(crdt.KindBucket, key)
}

func (w *workload) putRegister(t testing.TB) {
	key := crdt.RegisterKey{Space: crdt.SpaceKV, Name: fmt.Sprint(w.rng.IntN(20))}.Encode()
	old, found, err := w.model.Register(key)
	if err != nil {
		t.Fatal(err)
	}
	if found {
		w.batch.DeleteIndex(old.Origin, old.Seq)
	}
	r := crdt.Register{
		Value: make([]byte, w.rng.IntN(3000)), Version: crdt.HLC(w.rng.Uint64()),
		Origin: ownRun, Seq: w.next(ownRun), Deleted: w.rng.IntN(4) == 0,
	}
	w.batch.PutRegister(key, r)
	w.batch.PutIndex(ownRun, r.Seq, crdt.KindRegister, key)
}

// cell is the state before this batch, as a node's hot state has it.
func (w *workload) cell(t testing.TB, key string) *Cell {
	var c Cell
	if _, err := w.model.Cell(crdt.KindBucket, key, &c); err != nil {
		t.Fatal(err)
	}
	return &c
}

// check compares the store with the model: it must hold a prefix of the commits,
// whole, with all that were acknowledged as durable. It returns the prefix's
// length.
func (w *workload) check(t testing.TB, s *Store) int {
	t.Helper()
	v, _, err := s.Vector(ownRun)
	if err != nil {
		t.Fatal(err)
	}
	n := int(v.Seq)
	if n < w.synced || n > w.commits() {
		t.Fatalf("the store has %d commits; %d were made and %d were durable", n, w.commits(), w.synced)
	}
	if got, want := dump(t, s.engine), dump(t, w.states[n]); !slices.Equal(got, want) {
		t.Fatalf("after %d commits:\n%s\nwant:\n%s", n, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return n
}

func dump(t testing.TB, r Reader) (lines []string) {
	t.Helper()
	err := r.Scan(nil, nil, func(k, v []byte) bool {
		lines = append(lines, fmt.Sprintf("%q %s", k, hex.EncodeToString(v)))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func mustNew(t testing.TB, e Engine) *Store {
	t.Helper()
	s, err := New(e)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// put writes a raw record.
func put(t testing.TB, e Engine, key, val []byte) {
	t.Helper()
	var b Batch
	b.set(len(key))
	b.repr = append(b.repr, key...)
	b.setValue(val)
	if err := e.Apply(&b, true); err != nil {
		t.Fatal(err)
	}
}

const testDir = "/data/store"

// smallOptions makes Pebble use its log rotation, flushes and compactions on
// little data.
func smallOptions(fsys vfs.FS) Options {
	return Options{FS: fsys, CacheBytes: 1 << 20, tune: func(o *pebble.Options) {
		o.MemTableSize = 32 << 10
		o.LBaseMaxBytes = 64 << 10
		o.L0CompactionThreshold = 1
		o.WALMinSyncInterval = nil
		o.DisableTableStats = true
	}}
}

func mustOpen(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := OpenPebble(testDir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustClose(t testing.TB, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}
