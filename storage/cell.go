package storage

import (
	"encoding/binary"

	"github.com/openclaw/clawd/crdt"
)

// Cell is everything this node keeps of one counter key, in one record: what
// must change together is written together.
type Cell struct {
	// Total is the sum of all increments ever applied here, own ones included.
	Total crdt.Total
	// Check is the bucket's fold, so that a restart or an eviction from memory
	// goes on where it stopped.
	Check Checkpoint
	// Slots are the rows not yet collected, one an origin, in any order.
	Slots []Slot
}

// Slot is one origin's row.
type Slot struct {
	Origin crdt.Origin
	Row    crdt.Row
}

// Checkpoint is a bucket's fold as of WallMS. It is local: never sent, never
// merged.
type Checkpoint struct {
	Present   bool
	Level     int64 // µtok
	WallMS    int64
	Forfeited uint64 // µtok
	Marks     []Mark
	Reset     crdt.HLC // version of the reset register that was applied last
}

// Mark is what was forfeited when a peer was last heard.
type Mark struct {
	Node crdt.NodeID
	Mark uint64 // µtok
}

// Slot returns the row of origin, or nil. The pointer is good until Slots
// changes.
func (c *Cell) Slot(origin crdt.Origin) *crdt.Row {
	for i := range c.Slots {
		if c.Slots[i].Origin == origin {
			return &c.Slots[i].Row
		}
	}
	return nil
}

// PutSlot sets the row of origin.
func (c *Cell) PutSlot(origin crdt.Origin, row crdt.Row) {
	if have := c.Slot(origin); have != nil {
		*have = row
		return
	}
	c.Slots = append(c.Slots, Slot{Origin: origin, Row: row})
}

// RemoveSlot removes the row of origin and reports whether there was one.
func (c *Cell) RemoveSlot(origin crdt.Origin) bool {
	for i := range c.Slots {
		if c.Slots[i].Origin == origin {
			last := len(c.Slots) - 1
			c.Slots[i] = c.Slots[last]
			c.Slots = c.Slots[:last]
			return true
		}
	}
	return false
}

// Reset empties the cell and keeps its memory.
func (c *Cell) Reset() {
	*c = Cell{Slots: c.Slots[:0], Check: Checkpoint{Marks: c.Check.Marks[:0]}}
}

// Clone returns a copy that shares nothing with c.
func (c *Cell) Clone() *Cell {
	clone := *c
	clone.Slots = append([]Slot(nil), c.Slots...)
	clone.Check.Marks = append([]Mark(nil), c.Check.Marks...)
	return &clone
}

// cellVersion leads each encoded cell.
const cellVersion = 1

// Flags of an encoded cell.
const cellHasCheckpoint = 1

func (c *Cell) append(b []byte) []byte {
	start := len(b)
	var flags byte
	if c.Check.Present {
		flags |= cellHasCheckpoint
	}
	b = append(b, cellVersion, flags)
	b = crdt.AppendTotal(b, c.Total)
	if c.Check.Present {
		b = c.Check.append(b)
	}
	b = binary.AppendUvarint(b, uint64(len(c.Slots)))
	for i := range c.Slots {
		b = binary.BigEndian.AppendUint64(b, uint64(c.Slots[i].Origin))
		b = crdt.AppendRow(b, c.Slots[i].Row)
	}
	return crdt.Seal(b, start)
}

func (k *Checkpoint) append(b []byte) []byte {
	b = binary.AppendVarint(b, k.Level)
	b = binary.AppendVarint(b, k.WallMS)
	b = binary.AppendUvarint(b, k.Forfeited)
	b = binary.AppendUvarint(b, uint64(k.Reset))
	b = binary.AppendUvarint(b, uint64(len(k.Marks)))
	for _, m := range k.Marks {
		b = binary.BigEndian.AppendUint64(b, uint64(m.Node))
		b = binary.AppendUvarint(b, m.Mark)
	}
	return b
}

// Least sizes of the repeated parts, which bound what a decoder allocates.
const (
	minSlotBytes = 8 + 5 // origin, five varints
	minMarkBytes = 8 + 1 // node, one varint
)

// decode replaces c with an encoded cell and reuses its memory. After an error
// c is empty.
func (c *Cell) decode(b []byte) error {
	c.Reset()
	d, err := crdt.Open(b, cellVersion)
	if err != nil {
		return err
	}
	flags := d.Byte()
	c.Total = d.Total()
	if flags&cellHasCheckpoint != 0 {
		c.Check.decode(d)
	}
	for n := d.Count(minSlotBytes); n > 0; n-- {
		c.Slots = append(c.Slots, Slot{Origin: crdt.Origin(d.Uint64()), Row: d.Row()})
	}
	if flags&^cellHasCheckpoint != 0 {
		d.Fail(crdt.ErrCorrupt)
	}
	if err := d.End(); err != nil {
		c.Reset()
		return err
	}
	return nil
}

func (k *Checkpoint) decode(d *crdt.Reader) {
	k.Present = true
	k.Level = d.Varint()
	k.WallMS = d.Varint()
	k.Forfeited = d.Uvarint()
	k.Reset = crdt.HLC(d.Uvarint())
	for n := d.Count(minMarkBytes); n > 0; n-- {
		k.Marks = append(k.Marks, Mark{Node: crdt.NodeID(d.Uint64()), Mark: d.Uvarint()})
	}
}
