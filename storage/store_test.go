package storage

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/openclaw/clawd/crdt"
)

// onEachEngine runs one test on both engines: what the simulator proves on
// Memory must hold on Pebble.
func onEachEngine(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Run("memory", func(t *testing.T) {
		s := mustNew(t, NewMemory())
		test(t, s)
		mustClose(t, s)
	})
	t.Run("pebble", func(t *testing.T) {
		s := mustOpen(t, smallOptions(vfs.NewMem()))
		test(t, s)
		mustClose(t, s)
	})
}

func commit(t testing.TB, s *Store, sync bool, fill func(b *Batch)) {
	t.Helper()
	b := NewBatch()
	fill(b)
	if err := s.Commit(b, sync); err != nil {
		t.Fatal(err)
	}
}

func TestWorkload(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *Store) {
		w := newWorkload(t, 1)
		for range 300 {
			if err := w.step(t, s); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.check(t, s); n != w.commits() {
			t.Fatalf("%d commits are there of %d", n, w.commits())
		}
	})
}

func TestEachRecord(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *Store) {
		self := Self{Node: 8, Cluster: "main", CreatedMS: 5}
		run := crdt.Run{Origin: 7, Node: 8, Name: "n1", Started: 9}
		register := crdt.Register{Value: []byte("v"), Version: 3, Origin: 7, Seq: 2}
		if _, found, err := s.Self(); found || err != nil {
			t.Fatalf("a new store has an identity: %v", err)
		}
		if err := s.InitSelf(self); err != nil {
			t.Fatal(err)
		}
		fill := func(b *Batch) {
			b.PutCell(crdt.KindBucket, "k", fullCell())
			b.PutCell(crdt.KindCounter, "k", new(Cell))
			b.PutRegister("r", register)
			b.PutHighWater("k", HighWater{Birth: 1, Mark: 2})
			b.PutVector(7, Vector{Seq: 3, Stable: 4})
			b.PutRun(run)
			b.PutCurrentRun(run)
			b.PutForgotten(99)
		}
		commit(t, s, false, fill)

		c := Cell{Slots: []Slot{{Origin: 1}}} // must not shine through
		expect(t, "cell", fullCell().text(), func() (string, bool, error) {
			found, err := s.Cell(crdt.KindBucket, "k", &c)
			return c.text(), found, err
		})
		expect(t, "counter", new(Cell).text(), func() (string, bool, error) {
			found, err := s.Cell(crdt.KindCounter, "k", &c)
			return c.text(), found, err
		})
		expect(t, "register", fmt.Sprint(register), func() (string, bool, error) { return show(s.Register("r")) })
		expect(t, "high-water", "{1 2}", func() (string, bool, error) { return show(s.HighWater("k")) })
		expect(t, "vector", "{3 4}", func() (string, bool, error) { return show(s.Vector(7)) })
		expect(t, "run", fmt.Sprint(run), func() (string, bool, error) { return show(s.Run(7)) })
		expect(t, "current run", fmt.Sprint(run), func() (string, bool, error) { return show(s.CurrentRun()) })
		expect(t, "self", fmt.Sprint(self), func() (string, bool, error) { return show(s.Self()) })
		runs, err := s.Runs()
		expect(t, "runs", fmt.Sprint(map[crdt.Origin]crdt.Run{7: run}), func() (string, bool, error) { return fmt.Sprint(runs), true, err })
		vectors, err := s.Vectors()
		expect(t, "vectors", fmt.Sprint(map[crdt.Origin]Vector{7: {3, 4}}), func() (string, bool, error) { return fmt.Sprint(vectors), true, err })
		forgotten, err := s.Forgotten()
		expect(t, "forgotten", fmt.Sprint(map[crdt.NodeID]struct{}{99: {}}), func() (string, bool, error) { return fmt.Sprint(forgotten), true, err })

		commit(t, s, false, func(b *Batch) {
			b.DeleteCell(crdt.KindBucket, "k")
			b.DeleteRegister("r")
			b.DeleteHighWater("k")
			b.DeleteVector(7)
			b.DeleteRun(7)
		})
		if found, err := s.Cell(crdt.KindBucket, "k", &c); found || err != nil || len(c.Slots) > 0 {
			t.Fatalf("deleted cell: %v, %v, %s", found, err, c.text())
		}
		if found, err := s.Cell(crdt.KindCounter, "k", &c); !found || err != nil {
			t.Fatalf("the counter went with the bucket: %v", err)
		}
		for name, gone := range map[string]func() (string, bool, error){
			"register":   func() (string, bool, error) { return show(s.Register("r")) },
			"high-water": func() (string, bool, error) { return show(s.HighWater("k")) },
			"vector":     func() (string, bool, error) { return show(s.Vector(7)) },
			"run":        func() (string, bool, error) { return show(s.Run(7)) },
		} {
			if v, found, err := gone(); found || err != nil {
				t.Errorf("deleted %s: %s, %v, %v", name, v, found, err)
			}
		}
	})
}

func show[T any](v T, found bool, err error) (string, bool, error) { return fmt.Sprint(v), found, err }

func expect(t *testing.T, what, want string, read func() (string, bool, error)) {
	t.Helper()
	if got, found, err := read(); got != want || !found || err != nil {
		t.Errorf("%s: got %s, found %v, %v; want %s", what, got, found, err, want)
	}
}

func TestIndexWalk(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *Store) {
		commit(t, s, false, func(b *Batch) {
			for _, seq := range []uint64{1, 2, 255, 256, math.MaxUint64} {
				b.PutIndex(7, seq, crdt.KindBucket, fmt.Sprintf("key %d\x00", seq))
			}
			b.PutIndex(6, math.MaxUint64, crdt.KindCounter, "below")
			b.PutIndex(8, 0, crdt.KindRegister, "above")
			b.DeleteIndex(7, 2)
		})
		walk := func(o crdt.Origin, from uint64, limit int) (got []string) {
			err := s.Index(o, from, func(seq uint64, kind crdt.Kind, key string) bool {
				got = append(got, fmt.Sprintf("%d %v %q", seq, kind, key))
				return len(got) < limit
			})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		all := []string{
			`1 bucket "key 1\x00"`, `255 bucket "key 255\x00"`, `256 bucket "key 256\x00"`,
			`18446744073709551615 bucket "key 18446744073709551615\x00"`,
		}
		for _, c := range []struct {
			from  uint64
			limit int
			want  []string
		}{
			{0, 9, all},
			{1, 9, all[1:]},
			{254, 9, all[1:]},
			{255, 9, all[2:]},
			{0, 2, all[:2]},
			{math.MaxUint64 - 1, 9, all[3:]},
			{math.MaxUint64, 9, nil},
		} {
			if got := walk(7, c.from, c.limit); !slices.Equal(got, c.want) {
				t.Errorf("from %d, at most %d: %v, want %v", c.from, c.limit, got, c.want)
			}
		}
		commit(t, s, false, func(b *Batch) { b.DeleteIndexRange(7) })
		if got := walk(7, 0, 9); got != nil {
			t.Errorf("after DeleteIndexRange: %v", got)
		}
		if len(walk(6, 0, 9)) != 1 || len(walk(8, 0, 9)) != 0 { // seq 0 does not exist
			t.Errorf("the neighbours changed: %v, %v", walk(6, 0, 9), walk(8, 0, 9))
		}
	})
}

func TestPrefixAndPaging(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *Store) {
		keys := []string{"\x00", "a", "a\x00", "a\x00b", "ab", "b", "b\xff", "b\xff\xff"}
		commit(t, s, false, func(b *Batch) {
			for _, k := range keys {
				b.PutCell(crdt.KindBucket, k, new(Cell))
				b.PutCell(crdt.KindCounter, k+"n", new(Cell))
				b.PutRegister(k, crdt.Register{Version: 1})
				b.PutHighWater(k, HighWater{})
			}
		})
		for _, prefix := range []string{"", "a", "a\x00", "b", "b\xff", "c"} {
			for _, from := range append([]string{"", "0", "aa", "c"}, keys...) {
				var want, cells, registers []string
				for _, k := range keys {
					if strings.HasPrefix(k, prefix) && (from == "" || k > from) {
						want = append(want, k)
					}
				}
				err := errors.Join(
					s.Cells(crdt.KindBucket, prefix, from, func(k string, _ *Cell) bool { cells = append(cells, k); return true }),
					s.Registers(prefix, from, func(k string, _ crdt.Register) bool { registers = append(registers, k); return true }),
				)
				if err != nil || !slices.Equal(cells, want) || !slices.Equal(registers, want) {
					t.Errorf("prefix %q from %q: cells %q, registers %q, %v; want %q", prefix, from, cells, registers, err, want)
				}
			}
		}
		var marks []string
		if err := s.HighWaters(func(k string, _ HighWater) bool { marks = append(marks, k); return len(marks) < 3 }); err != nil || !slices.Equal(marks, keys[:3]) {
			t.Errorf("high-water marks %q, %v", marks, err)
		}
	})
}

// A view stays at its instant; a walk may write.
func TestViewIsOneInstant(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *Store) {
		w := newWorkload(t, 2)
		for range 50 {
			if err := w.step(t, s); err != nil {
				t.Fatal(err)
			}
		}
		view, err := s.View()
		if err != nil {
			t.Fatal(err)
		}
		before := dump(t, view.snapshot)
		for range 50 {
			if err := w.step(t, s); err != nil {
				t.Fatal(err)
			}
		}
		if got := dump(t, view.snapshot); !slices.Equal(got, before) {
			t.Error("the view has changed")
		}
		if v, _, err := view.Vector(ownRun); v.Seq != 50 || err != nil {
			t.Errorf("the view is at commit %d, %v", v.Seq, err)
		}
		mustClose(t, view)

		seen := 0
		err = s.Cells(crdt.KindBucket, "", "", func(key string, _ *Cell) bool {
			seen++
			commit(t, s, false, func(b *Batch) { b.DeleteCell(crdt.KindBucket, key) })
			return true
		})
		if err != nil || seen < 2 {
			t.Fatalf("a walk that deletes saw %d, %v", seen, err)
		}
		if err := s.Cells(crdt.KindBucket, "", "", func(string, *Cell) bool { t.Error("a cell is left"); return false }); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFullRefusesUntouched(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *Store) {
		b := NewBatch()
		b.PutVector(7, Vector{Seq: 1})
		s.SetFull(true)
		if err := s.Commit(b, true); !errors.Is(err, ErrFull) || errors.Is(err, ErrFailed) {
			t.Fatalf("commit on a full disk: %v", err)
		}
		if _, found, err := s.Vector(7); found || err != nil {
			t.Fatalf("a refused batch is there: %v", err)
		}
		if err := s.Commit(NewBatch(), true); err != nil {
			t.Fatalf("syncing what is there takes no space: %v", err)
		}
		s.SetFull(false)
		if err := s.Commit(b, true); err != nil {
			t.Fatal(err)
		}
	})
}

func TestBatchIsReusable(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *Store) {
		b := NewBatch()
		big := make([]byte, 64<<10) // over half a memory table: Pebble keeps such a buffer
		for i := range uint64(20) {
			b.Reset()
			b.PutVector(crdt.Origin(i), Vector{Seq: i + 1})
			if i%2 == 0 {
				b.PutRegister(fmt.Sprintf("r%d", i), crdt.Register{Value: big, Version: crdt.HLC(i + 1)})
			}
			if want := 1 + int(i+1)%2; b.Len() != want {
				t.Fatalf("Len = %d, want %d", b.Len(), want)
			}
			if err := s.Commit(b, false); err != nil {
				t.Fatal(err)
			}
			for j := range big {
				big[j]++ // nothing of the batch may be shared
			}
		}
		vectors, err := s.Vectors()
		if err != nil || len(vectors) != 20 {
			t.Fatalf("%d vectors, %v", len(vectors), err)
		}
		for i := byte(0); i < 20; i += 2 {
			r, found, err := s.Register(fmt.Sprintf("r%d", i))
			if err != nil || !found || len(r.Value) != len(big) || r.Value[0] != i || r.Value[len(big)-1] != i {
				t.Fatalf("register %d: found %v, %v", i, found, err)
			}
		}
	})
}

func TestClosedStore(t *testing.T) {
	for _, s := range []*Store{mustNew(t, NewMemory()), mustOpen(t, smallOptions(vfs.NewMem()))} {
		mustClose(t, s)
		b := NewBatch()
		b.PutVector(1, Vector{})
		_, viewErr := s.View()
		_, _, getErr := s.Vector(1)
		_, scanErr := s.Vectors()
		for _, err := range []error{s.Commit(b, true), viewErr, getErr, scanErr} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		}
	}
}

func TestDamagedRecordIsCorrupt(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *Store) {
		damaged := fullCell().append(nil)
		damaged[9] ^= 0x10
		put(t, s.engine, appendCellKey(nil, crdt.KindBucket, "k"), damaged)
		put(t, s.engine, appendNumberedKey(nil, vectorSpace, 7), []byte{1, 2, 3})
		put(t, s.engine, appendIndexKey(nil, 7, 1), []byte("?k"))
		put(t, s.engine, []byte("r/no end mark"), appendRegister(nil, crdt.Register{}))
		_, cellErr := s.Cell(crdt.KindBucket, "k", new(Cell))
		_, vectorErr := s.Vectors()
		for name, err := range map[string]error{
			"cell":    cellErr,
			"cells":   s.Cells(crdt.KindBucket, "", "", func(string, *Cell) bool { return true }),
			"vectors": vectorErr,
			"index":   s.Index(7, 0, func(uint64, crdt.Kind, string) bool { return true }),
			"keys":    s.Registers("", "", func(string, crdt.Register) bool { return true }),
		} {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
