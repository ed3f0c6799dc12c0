package storage

import (
	"math"
	"sync"

	"github.com/openclaw/clawd/crdt"
)

// Queries are the reads that a Store answers for the latest state and a View
// for one instant. Each call sees one instant. Callbacks stop the walk by
// returning false, and may call the Store.
type Queries struct{ reader Reader }

// scratch holds the key and value of one lookup: lookups happen on every cold
// consume and must not allocate.
type scratch struct{ key, val []byte }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// maxScratchBytes keeps one large register from staying in memory for ever.
const maxScratchBytes = 64 << 10

func (s *scratch) release() {
	if cap(s.val) <= maxScratchBytes {
		scratches.Put(s)
	}
}

// get looks up the key that s.key holds; the value is good until s is put back.
func (q Queries) get(s *scratch) (val []byte, found bool, err error) {
	s.val, found, err = q.reader.Get(s.key, s.val[:0])
	return s.val, found, err
}

// Cell reads the record of a counter key into c, whose memory is reused. c is
// empty unless found.
func (q Queries) Cell(kind crdt.Kind, key string, c *Cell) (found bool, err error) {
	s := scratches.Get().(*scratch)
	defer s.release()
	s.key = appendCellKey(s.key[:0], kind, key)
	val, found, err := q.get(s)
	if err != nil || !found {
		c.Reset()
		return false, err
	}
	if err := c.decode(val); err != nil {
		return false, undecodable(s.key, err)
	}
	return true, nil
}

// Register reads a register, tombstones included.
func (q Queries) Register(key string) (r crdt.Register, found bool, err error) {
	return lookup(q, func(b []byte) []byte { return appendNamedKey(b, registerSpace, key) }, decodeRegister)
}

// HighWater reads the own high-water mark of a bucket.
func (q Queries) HighWater(key string) (hw HighWater, found bool, err error) {
	return lookup(q, func(b []byte) []byte { return appendNamedKey(b, highWaterSpace, key) }, decodeHighWater)
}

// Vector reads what is known of one run.
func (q Queries) Vector(origin crdt.Origin) (v Vector, found bool, err error) {
	return lookup(q, func(b []byte) []byte { return appendNumberedKey(b, vectorSpace, uint64(origin)) }, decodeVector)
}

// Run reads a run's descriptor.
func (q Queries) Run(origin crdt.Origin) (r crdt.Run, found bool, err error) {
	return lookup(q, func(b []byte) []byte { return appendNumberedKey(b, runSpace, uint64(origin)) }, decodeRun)
}

// CurrentRun reads the run that PutCurrentRun named last.
func (q Queries) CurrentRun() (r crdt.Run, found bool, err error) {
	return lookup(q, func(b []byte) []byte { return append(b, currentRunKey...) }, decodeRun)
}

// Self reads the identity of the store.
func (q Queries) Self() (s Self, found bool, err error) {
	return lookup(q, func(b []byte) []byte { return append(b, selfKey...) }, func(b []byte) (Self, error) {
		s, _, err := decodeSelf(b)
		return s, err
	})
}

func lookup[T any](q Queries, appendKey func([]byte) []byte, decode func([]byte) (T, error)) (v T, found bool, err error) {
	s := scratches.Get().(*scratch)
	defer s.release()
	s.key = appendKey(s.key[:0])
	val, found, err := q.get(s)
	if err != nil || !found {
		return v, false, err
	}
	if v, err = decode(val); err != nil {
		var none T
		return none, false, undecodable(s.key, err)
	}
	return v, true, nil
}

// Cells visits the counter keys of a kind that begin with prefix and are
// greater than from ("" = from the beginning), ascending. c is reused: Clone it
// to keep it.
func (q Queries) Cells(kind crdt.Kind, prefix, from string, fn func(key string, c *Cell) (more bool)) error {
	var c Cell
	return q.walk(cellSpace+string(rune(kind)), prefix, from, func(k []byte, key string, v []byte) (bool, error) {
		if err := c.decode(v); err != nil {
			return false, undecodable(k, err)
		}
		return fn(key, &c), nil
	})
}

// Registers visits the registers whose keys begin with prefix and are greater
// than from ("" = from the beginning), ascending, tombstones included.
func (q Queries) Registers(prefix, from string, fn func(key string, r crdt.Register) (more bool)) error {
	return q.walk(registerSpace, prefix, from, func(k []byte, key string, v []byte) (bool, error) {
		r, err := decodeRegister(v)
		if err != nil {
			return false, undecodable(k, err)
		}
		return fn(key, r), nil
	})
}

// HighWaters visits all own high-water marks, ascending by bucket key.
func (q Queries) HighWaters(fn func(key string, hw HighWater) (more bool)) error {
	return q.walk(highWaterSpace, "", "", func(k []byte, key string, v []byte) (bool, error) {
		hw, err := decodeHighWater(v)
		if err != nil {
			return false, undecodable(k, err)
		}
		return fn(key, hw), nil
	})
}

// walk visits the records of a space whose keys are escaped.
func (q Queries) walk(space, prefix, from string, fn func(k []byte, key string, v []byte) (bool, error)) error {
	var raw []byte
	var failed error
	lower, upper := namedRange(space, prefix, from)
	err := q.reader.Scan(lower, upper, func(k, v []byte) (more bool) {
		raw, failed = unescape(raw[:0], k[len(space):])
		if failed == nil {
			more, failed = fn(k, string(raw), v)
		}
		return more && failed == nil
	})
	return firstError(failed, err)
}

// Runs returns the descriptors of all runs.
func (q Queries) Runs() (map[crdt.Origin]crdt.Run, error) {
	return numbered[crdt.Origin](q, runSpace, decodeRun)
}

// Vectors returns what is known of all runs.
func (q Queries) Vectors() (map[crdt.Origin]Vector, error) {
	return numbered[crdt.Origin](q, vectorSpace, decodeVector)
}

// Forgotten returns the nodes that may never come back.
func (q Queries) Forgotten() (map[crdt.NodeID]struct{}, error) {
	return numbered[crdt.NodeID](q, forgottenSpace, func(b []byte) (struct{}, error) {
		return struct{}{}, decodeMarker(b)
	})
}

func numbered[K ~uint64, V any](q Queries, space string, decode func([]byte) (V, error)) (map[K]V, error) {
	all := make(map[K]V)
	var failed error
	err := q.reader.Scan([]byte(space), prefixEnd([]byte(space)), func(k, v []byte) bool {
		n, err := number(k, len(space)+8)
		if err != nil {
			failed = err
			return false
		}
		if all[K(n)], err = decode(v); err != nil {
			failed = undecodable(k, err)
		}
		return failed == nil
	})
	if err := firstError(failed, err); err != nil {
		return nil, err
	}
	return all, nil
}

// Collected lists the dead runs whose rows were collected.
func (q Queries) Collected() (map[crdt.Origin]struct{}, error) {
	return numbered[crdt.Origin](q, collectedSpace, func(b []byte) (struct{}, error) {
		return struct{}{}, decodeMarker(b)
	})
}

// Index visits what origin wrote after seq afterSeq, ascending by seq. Each slot
// and register shows up once, at its latest seq.
func (q Queries) Index(origin crdt.Origin, afterSeq uint64, fn func(seq uint64, kind crdt.Kind, key string) (more bool)) error {
	if afterSeq == math.MaxUint64 {
		return nil
	}
	var failed error
	bounds := make([]byte, 0, 2*indexKeyLen+1) // one allocation for both
	lower := appendIndexKey(bounds, origin, afterSeq+1)
	upper := after(appendIndexKey(lower, origin, math.MaxUint64))[indexKeyLen:]
	err := q.reader.Scan(lower, upper, func(k, v []byte) bool {
		seq, err := number(k, indexKeyLen)
		if err != nil {
			failed = err
			return false
		}
		kind, key, err := decodeIndex(v)
		if err != nil {
			failed = undecodable(k, err)
			return false
		}
		return fn(seq, kind, string(key))
	})
	return firstError(failed, err)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
