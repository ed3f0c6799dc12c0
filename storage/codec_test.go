package storage

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/openclaw/clawd/crdt"
)

func drawRow(t *rapid.T) crdt.Row {
	u := rapid.Uint64()
	return crdt.Row{
		Birth: u.Draw(t, "birth"), Consumed: u.Draw(t, "consumed"), Refunded: u.Draw(t, "refunded"),
		TS: rapid.Int64().Draw(t, "ts"), Seq: u.Draw(t, "seq"),
	}
}

func drawCell(t *rapid.T) *Cell {
	u := rapid.Uint64()
	c := &Cell{Total: crdt.Total{
		Consumed: crdt.Uint128{Hi: u.Draw(t, "hi"), Lo: u.Draw(t, "lo")},
		Refunded: crdt.Uint128{Lo: u.Draw(t, "refunded")},
	}}
	for range rapid.IntRange(0, 4).Draw(t, "slots") {
		c.Slots = append(c.Slots, Slot{Origin: crdt.Origin(u.Draw(t, "origin")), Row: drawRow(t)})
	}
	if rapid.Bool().Draw(t, "checkpoint") {
		c.Check = Checkpoint{
			Present: true, Level: rapid.Int64().Draw(t, "level"), WallMS: rapid.Int64().Draw(t, "wall"),
			Forfeited: u.Draw(t, "forfeited"), Reset: crdt.HLC(u.Draw(t, "reset")),
		}
		for range rapid.IntRange(0, 3).Draw(t, "marks") {
			c.Check.Marks = append(c.Check.Marks, Mark{Node: crdt.NodeID(u.Draw(t, "node")), Mark: u.Draw(t, "mark")})
		}
	}
	return c
}

// text makes cells comparable, empty and nil slices alike.
func (c *Cell) text() string { return fmt.Sprintf("%+v", *c) }

func TestCellRoundTrip(t *testing.T) {
	var got Cell // reused: what an earlier cell had must not shine through
	rapid.Check(t, func(t *rapid.T) {
		want := drawCell(t)
		if err := got.decode(want.append(nil)); err != nil {
			t.Fatal(err)
		}
		if got.text() != want.text() {
			t.Fatalf("got %s, want %s", got.text(), want.text())
		}
		if clone := want.Clone(); clone.text() != want.text() {
			t.Fatalf("clone %s, want %s", clone.text(), want.text())
		}
	})
}

// Any changed bit and any cut of a record is found.
func TestDamagedCellIsRefused(t *testing.T) {
	whole := fullCell().append(nil)
	var c Cell
	for i := range whole {
		for bit := range 8 {
			damaged := append([]byte(nil), whole...)
			damaged[i] ^= 1 << bit
			if err := c.decode(damaged); err == nil {
				t.Fatalf("bit %d of byte %d: decoded to %s", bit, i, c.text())
			}
			if c.text() != new(Cell).text() {
				t.Fatalf("an error left %s", c.text())
			}
		}
		if err := c.decode(whole[:i]); err == nil {
			t.Fatalf("cut at %d: decoded to %s", i, c.text())
		}
	}
}

// Sealed garbage gets past the checksum: the decoder must still hold.
func FuzzCellDecode(f *testing.F) {
	full := fullCell().append(nil)
	f.Add(full[1 : len(full)-4])
	f.Add([]byte{0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, payload []byte) {
		sealed := crdt.Seal(append([]byte{cellVersion}, payload...), 0)
		var c, again Cell
		if err := c.decode(sealed); err != nil {
			return
		}
		if err := again.decode(c.append(nil)); err != nil || again.text() != c.text() {
			t.Fatalf("%s comes back as %s, %v", c.text(), again.text(), err)
		}
	})
}

func TestSmallValuesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := Vector{Seq: rapid.Uint64().Draw(t, "seq"), Stable: rapid.Int64().Draw(t, "stable")}
		if got, err := decodeVector(v.append(nil)); err != nil || got != v {
			t.Fatalf("vector %+v, %v, want %+v", got, err, v)
		}
		hw := HighWater{Birth: rapid.Uint64().Draw(t, "birth"), Mark: rapid.Uint64().Draw(t, "mark")}
		if got, err := decodeHighWater(hw.append(nil)); err != nil || got != hw {
			t.Fatalf("high-water %+v, %v, want %+v", got, err, hw)
		}
		s := Self{
			Node: crdt.NodeID(rapid.Uint64().Draw(t, "node")), CreatedMS: rapid.Int64().Draw(t, "created"),
			Cluster: string(rapid.SliceOfN(rapid.Byte(), 0, maxClusterBytes).Draw(t, "cluster")),
		}
		if got, schema, err := decodeSelf(s.append(nil)); err != nil || got != s || schema != SchemaVersion {
			t.Fatalf("self %+v of schema %d, %v, want %+v", got, schema, err, s)
		}
	})
}

func TestNewerFormatsAreNotCorrupt(t *testing.T) {
	e := NewMemory()
	put(t, e, []byte(selfKey), crdt.Seal([]byte{selfVersion, SchemaVersion + 1, 9, 9}, 0))
	if _, err := New(e); !errors.Is(err, ErrUnreadable) {
		t.Errorf("New on schema %d: %v", SchemaVersion+1, err)
	}
	e = NewMemory()
	s := mustNew(t, e)
	put(t, e, appendCellKey(nil, crdt.KindBucket, "k"), crdt.Seal([]byte{cellVersion + 1, 0}, 0))
	if _, err := s.Cell(crdt.KindBucket, "k", new(Cell)); !errors.Is(err, ErrUnreadable) || errors.Is(err, ErrCorrupt) {
		t.Errorf("Cell of a newer format: %v", err)
	}
}

func TestCellSlots(t *testing.T) {
	var c Cell
	if c.Slot(1) != nil || c.RemoveSlot(1) {
		t.Fatal("an empty cell has a slot")
	}
	for o := crdt.Origin(1); o <= 3; o++ {
		c.PutSlot(o, crdt.Row{Seq: uint64(o)})
	}
	c.PutSlot(2, crdt.Row{Seq: math.MaxUint64})
	if !c.RemoveSlot(1) || len(c.Slots) != 2 || c.Slot(1) != nil {
		t.Fatalf("after removing 1: %+v", c.Slots)
	}
	if c.Slot(2).Seq != math.MaxUint64 || c.Slot(3).Seq != 3 {
		t.Fatalf("the others changed: %+v", c.Slots)
	}
}
