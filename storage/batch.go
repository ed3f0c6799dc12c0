package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"

	"github.com/openclaw/clawd/crdt"
)

// maxBatchBytes keeps a batch far from the 4 GiB a Pebble batch can hold.
const maxBatchBytes = 1 << 30

// Batch collects writes that become visible and durable together. Later writes
// of a key win over earlier ones. It grows in Pebble's own batch representation,
// so that committing needs no conversion; Reset keeps the memory. Not safe for
// concurrent use.
type Batch struct {
	repr  []byte // header, then one record an operation
	value []byte // scratch: a value is encoded here, since its length comes first
	ops   uint32

	// Records of cells, to be sorted by key behind repr: see sortCells.
	cells   []byte
	cellOps []cellOp

	// Records of the index, to follow behind those. Pebble's memory table takes
	// neighbours in a row a good deal faster than keys from all over, and a flush
	// moves each entry from an old seq to a new one.
	unindex []byte // deletions that no earlier put of this batch can be about
	index   []byte // the rest, in order
	lowest  uint64 // no put in index has a lower seq; meaningless while that is empty
}

// cellOp is one record of cells.
type cellOp struct{ at, key, keyEnd, end int }

// NewBatch returns an empty batch. The zero value is one too.
func NewBatch() *Batch { return new(Batch) }

// Len is the number of operations.
func (b *Batch) Len() int { return int(b.ops) }

// Bytes is the size of the batch in bytes.
func (b *Batch) Bytes() int {
	return max(len(b.repr), batchrepr.HeaderLen) + len(b.cells) + len(b.unindex) + len(b.index)
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.repr, b.unindex, b.index = b.repr[:0], b.unindex[:0], b.index[:0]
	b.cells, b.cellOps = b.cells[:0], b.cellOps[:0]
	b.ops = 0
}

// Join appends the operations of o, which stays as it is.
func (b *Batch) Join(o *Batch) {
	b.reserveHeader()
	b.ops += o.ops
	b.repr = append(b.repr, o.repr[min(len(o.repr), batchrepr.HeaderLen):]...)
	shift := len(b.cells)
	b.cells = append(b.cells, o.cells...)
	for _, op := range o.cellOps {
		b.cellOps = append(b.cellOps, cellOp{op.at + shift, op.key + shift, op.keyEnd + shift, op.end + shift})
	}
	// What o deletes first may be about a put of b.
	if len(b.index) == 0 || o.lowest < b.lowest {
		b.lowest = o.lowest
	}
	b.index = append(append(b.index, o.unindex...), o.index...)
}

// PutCell writes the whole record of one counter key. The batch keeps nothing
// of c.
func (b *Batch) PutCell(kind crdt.Kind, key string, c *Cell) {
	b.value = c.append(b.value[:0])
	op := b.cellOp(pebble.InternalKeyKindSet, kind, key)
	b.cells = binary.AppendUvarint(b.cells, uint64(len(b.value)))
	b.cells = append(b.cells, b.value...)
	op.end = len(b.cells)
}

// DeleteCell removes a counter key with everything known of it.
func (b *Batch) DeleteCell(kind crdt.Kind, key string) {
	b.cellOp(pebble.InternalKeyKindDelete, kind, key)
}

// cellOp begins a record of a cell; one that has a value goes on, and moves the
// end.
func (b *Batch) cellOp(op pebble.InternalKeyKind, kind crdt.Kind, key string) *cellOp {
	b.ops++
	at := len(b.cells)
	b.cells = append(b.cells, byte(op))
	b.cells = binary.AppendUvarint(b.cells, uint64(cellKeyLen(key)))
	start := len(b.cells)
	b.cells = appendCellKey(b.cells, kind, key)
	end := len(b.cells)
	b.cellOps = append(b.cellOps, cellOp{at, start, end, end})
	return &b.cellOps[len(b.cellOps)-1]
}

// sortCells appends the records of cells to repr in the order of their keys,
// those of one key as they came. A flush meets its agents in the order in which
// they were used; Pebble's memory table takes them faster in the order of keys,
// since each goes close to the one before.
func (b *Batch) sortCells() {
	slices.SortFunc(b.cellOps, func(x, y cellOp) int {
		if c := bytes.Compare(b.cells[x.key:x.keyEnd], b.cells[y.key:y.keyEnd]); c != 0 {
			return c
		}
		return x.at - y.at
	})
	b.repr = slices.Grow(b.repr, len(b.cells)+len(b.unindex)+len(b.index))
	for _, op := range b.cellOps {
		b.repr = append(b.repr, b.cells[op.at:op.end]...)
	}
	b.cells, b.cellOps = b.cells[:0], b.cellOps[:0]
}

// PutRegister writes a register, tombstones included. key is an encoded
// crdt.RegisterKey.
func (b *Batch) PutRegister(key string, r crdt.Register) {
	b.value = appendRegister(b.value[:0], r)
	b.set(namedKeyLen(registerSpace, key))
	b.repr = appendNamedKey(b.repr, registerSpace, key)
	b.setValue(b.value)
}

// DeleteRegister removes a register for good; a deletion that peers must hear
// of is a PutRegister of a tombstone.
func (b *Batch) DeleteRegister(key string) {
	b.delete(namedKeyLen(registerSpace, key))
	b.repr = appendNamedKey(b.repr, registerSpace, key)
}

// PutIndex makes seq of origin lead to a slot or register. The caller deletes
// the entry this one supersedes in the same batch.
func (b *Batch) PutIndex(origin crdt.Origin, seq uint64, kind crdt.Kind, key string) {
	if len(b.index) == 0 || seq < b.lowest {
		b.lowest = seq
	}
	b.index = b.indexOp(b.index, pebble.InternalKeyKindSet, origin, seq)
	b.index = binary.AppendUvarint(b.index, uint64(1+len(key)))
	b.index = append(append(b.index, byte(kind)), key...)
}

// DeleteIndex removes one index entry.
func (b *Batch) DeleteIndex(origin crdt.Origin, seq uint64) {
	if len(b.index) == 0 || seq < b.lowest {
		b.unindex = b.indexOp(b.unindex, pebble.InternalKeyKindDelete, origin, seq)
		return
	}
	b.index = b.indexOp(b.index, pebble.InternalKeyKindDelete, origin, seq)
}

// DeleteIndexRange removes all index entries of origin.
func (b *Batch) DeleteIndexRange(origin crdt.Origin) {
	b.index = b.indexOp(b.index, pebble.InternalKeyKindRangeDelete, origin, 0)
	// The end is exclusive, and one byte longer than any key of the origin.
	b.index = binary.AppendUvarint(b.index, uint64(indexKeyLen+1))
	b.index = after(appendIndexKey(b.index, origin, math.MaxUint64))
}

// PutVector writes what is known of origin.
func (b *Batch) PutVector(origin crdt.Origin, v Vector) {
	b.putNumbered(vectorSpace, uint64(origin), v.append(b.value[:0]))
}

// DeleteVector forgets what is known of origin.
func (b *Batch) DeleteVector(origin crdt.Origin) { b.deleteNumbered(vectorSpace, uint64(origin)) }

// PutRun writes a run's descriptor.
func (b *Batch) PutRun(r crdt.Run) {
	b.putNumbered(runSpace, uint64(r.Origin), appendRun(b.value[:0], r))
}

// DeleteRun forgets a run's descriptor.
func (b *Batch) DeleteRun(origin crdt.Origin) { b.deleteNumbered(runSpace, uint64(origin)) }

// PutHighWater writes the own high-water mark of a bucket. It promises
// something only once it is committed with sync.
func (b *Batch) PutHighWater(key string, hw HighWater) {
	b.value = hw.append(b.value[:0])
	b.set(namedKeyLen(highWaterSpace, key))
	b.repr = appendNamedKey(b.repr, highWaterSpace, key)
	b.setValue(b.value)
}

// DeleteHighWater removes the own high-water mark of a bucket.
func (b *Batch) DeleteHighWater(key string) {
	b.delete(namedKeyLen(highWaterSpace, key))
	b.repr = appendNamedKey(b.repr, highWaterSpace, key)
}

// PutCurrentRun names the run this process writes under. It must be committed
// with sync before the first row of the run exists.
func (b *Batch) PutCurrentRun(r crdt.Run) {
	b.putMeta(currentRunKey, appendRun(b.value[:0], r))
}

// PutCollected remembers that the rows of a dead run were collected: whatever
// still arrives of it is old.
func (b *Batch) PutCollected(origin crdt.Origin) {
	b.putNumbered(collectedSpace, uint64(origin), appendMarker(b.value[:0]))
}

// DeleteCollected ends that memory.
func (b *Batch) DeleteCollected(origin crdt.Origin) {
	b.deleteNumbered(collectedSpace, uint64(origin))
}

// PutForgotten remembers, for ever, that node may not come back under its id.
func (b *Batch) PutForgotten(node crdt.NodeID) {
	b.putNumbered(forgottenSpace, uint64(node), appendMarker(b.value[:0]))
}

func (b *Batch) putSelf(s Self) { b.putMeta(selfKey, s.append(b.value[:0])) }

func (b *Batch) putMeta(key string, value []byte) {
	b.value = value
	b.set(len(key))
	b.repr = append(b.repr, key...)
	b.setValue(value)
}

func (b *Batch) putNumbered(space string, n uint64, value []byte) {
	b.value = value
	b.set(len(space) + 8)
	b.repr = appendNumberedKey(b.repr, space, n)
	b.setValue(value)
}

func (b *Batch) deleteNumbered(space string, n uint64) {
	b.delete(len(space) + 8)
	b.repr = appendNumberedKey(b.repr, space, n)
}

// set, delete and op begin a record; the caller appends exactly keyLen bytes of
// key next.
func (b *Batch) set(keyLen int)    { b.op(pebble.InternalKeyKindSet, keyLen) }
func (b *Batch) delete(keyLen int) { b.op(pebble.InternalKeyKindDelete, keyLen) }

func (b *Batch) op(kind pebble.InternalKeyKind, keyLen int) {
	b.reserveHeader()
	b.ops++
	b.repr = append(b.repr, byte(kind))
	b.repr = binary.AppendUvarint(b.repr, uint64(keyLen))
}

// indexOp appends a record of the index to one of its buffers.
func (b *Batch) indexOp(to []byte, kind pebble.InternalKeyKind, origin crdt.Origin, seq uint64) []byte {
	b.ops++
	to = append(to, byte(kind), byte(indexKeyLen)) // the length is a varint of one byte
	return appendIndexKey(to, origin, seq)
}

func (b *Batch) reserveHeader() {
	if len(b.repr) == 0 {
		b.repr = append(b.repr, make([]byte, batchrepr.HeaderLen)...)
	}
}

// setValue ends a set record.
func (b *Batch) setValue(v []byte) {
	b.repr = binary.AppendUvarint(b.repr, uint64(len(v)))
	b.repr = append(b.repr, v...)
}

// sealed returns the whole representation with its header filled in; it stays
// owned by the batch.
func (b *Batch) sealed() ([]byte, error) {
	if b.Bytes() > maxBatchBytes {
		return nil, fmt.Errorf("storage: a batch of %d bytes is over the limit of %d", b.Bytes(), maxBatchBytes)
	}
	b.reserveHeader()
	b.sortCells()
	b.repr = append(append(b.repr, b.unindex...), b.index...)
	b.unindex, b.index = b.unindex[:0], b.index[:0]
	batchrepr.SetSeqNum(b.repr, 0)
	batchrepr.SetCount(b.repr, b.ops)
	return b.repr, nil
}

// surrender gives the buffer away: the engine keeps a large one.
func (b *Batch) surrender() {
	b.repr = nil
	b.ops = 0
}
