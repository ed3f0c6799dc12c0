package replica

import (
	"runtime"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/storage"
)

func TestCellSize(t *testing.T) {
	const line = 64
	var c cell
	if n := unsafe.Sizeof(c); n != 3*line {
		t.Errorf("a cell takes %d bytes, want three cache lines", n)
	}
	if at := unsafe.Offsetof(c.bucket); at != line {
		t.Errorf("the bucket is at byte %d, want the second line", at)
	}
	if at := unsafe.Offsetof(c.refunded); at != 2*line {
		t.Errorf("what a flush changes begins at byte %d, want the third line", at)
	}
	s := new(slab)
	for range firstCells + 2*chunkCells {
		s.alloc()
	}
	for number := firstCells; number < firstCells+2*chunkCells; number++ {
		if p := uintptr(unsafe.Pointer(s.at(uint32(number)))); p%line != 0 {
			t.Fatalf("cell %d is %d bytes off a cache line", number, p%line)
		}
	}
}

// The index against a map: tags that collide, and removals from the middle of
// runs, also across the end of the table.
func TestIndexIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x index
		have := make(map[uint32]uint32) // tag by number
		tag := rapid.SampledFrom([]uint32{0, 1, 2, 13, 14, 15, 16, 31, 0xffff_fff0, 0xffff_ffff})
		for number := uint32(0); number < 200; number++ {
			have[number] = tag.Draw(t, "tag")
			x.insert(have[number], number)
			if rapid.Bool().Draw(t, "remove") {
				gone := rapid.Uint32Range(0, number).Draw(t, "gone")
				if old, ok := have[gone]; ok {
					x.remove(old, gone)
					delete(have, gone)
				}
			}
		}
		found := make(map[uint32]uint32)
		for _, want := range []uint32{0, 1, 2, 13, 14, 15, 16, 31, 0xffff_fff0, 0xffff_ffff} {
			p := x.probe(want)
			for number, ok := p.next(); ok; number, ok = p.next() {
				if _, twice := found[number]; twice {
					t.Fatalf("number %d found twice", number)
				}
				found[number] = want
			}
		}
		if len(found) != len(have) || x.used != len(have) {
			t.Fatalf("%d found of %d, used %d", len(found), len(have), x.used)
		}
		for number, tag := range have {
			if found[number] != tag {
				t.Fatalf("number %d has tag %d, found under %d", number, tag, found[number])
			}
		}
	})
}

// Cells are used again, for other keys; nothing of the old ones stays.
func TestSlabGivesEmptyCells(t *testing.T) {
	var s slab
	for i := range uint32(1000) {
		number, c := s.alloc()
		if number != i {
			t.Fatalf("number %d, want %d", number, i)
		}
		c.begin(crdt.KindBucket, "t\x00a", Instant{Mono: 1})
		c.needRare().reset = 7
		if s.at(number) != c {
			t.Fatalf("cell %d has two addresses", number)
		}
	}
	s.release(500)
	if number, c := s.alloc(); number != 500 || *c != (cell{}) {
		t.Errorf("number %d, cell %+v", number, *c)
	}
}

// A live agent that only this node serves takes a cell, its share of the index
// and nothing else.
func TestBytesPerAgent(t *testing.T) {
	const agents, most = 100_000, 240
	store, err := storage.New(storage.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	now := Instant{Wall: 1_700_000_000_000, Mono: int64(time.Second)}
	r, err := Open(Options{Cluster: "c", Node: 1, Run: 1, Store: store, Default: perHour(1000), Seed: 1}, now)
	if err != nil {
		t.Fatal(err)
	}
	before := heapInUse()
	for _, name := range agentNamesFor(agents) {
		var out Outcome
		if err := r.Consume(now, &Request{Tenant: "default", Agent: name, Tokens: token}, &out); err != nil {
			t.Fatal(err)
		}
	}
	lists := uint64(0)
	for i := range r.shards {
		lists += uint64(cap(r.shards[i].dirty)) * 8 // until the flush
	}
	if each := (heapInUse() - before - lists) / agents; each > most {
		t.Errorf("%d bytes of heap an agent, want at most %d", each, most)
	}
	runtime.KeepAlive(r)
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
