package replica

import (
	"bytes"
	"sync"

	"github.com/zeebo/xxh3"

	"github.com/openclaw/clawd/storage"
)

// shard is one part of the cells in memory. Its first cache line has all that a
// decision about a cell changes beside the cell itself, since that line moves
// from core to core.
type shard struct {
	mu       sync.Mutex
	consumed uint64 // µtok admitted here since the start
	dirty    []*cell
	index    index

	slab     slab
	taken    *capture // of the flush under way until all is captured, else nil
	flying   *capture // of the flush under way until it ends, else nil
	hand     uint32   // where eviction goes on
	refunded uint64   // µtok given back here since the start
	scratch  storage.Cell
	_        [64]byte // keep neighbours' locks apart
}

// locate tells which shard the cell of a key is in, and the key's hash there.
// All buckets of an agent have one hash, so that they share a shard and are
// found together.
func (r *Replica) locate(key []byte) (*shard, uint64) {
	return r.locateOwner(placement(key))
}

func (r *Replica) locateOwner(owner []byte) (*shard, uint64) {
	hash := xxh3.HashSeed(owner, r.opts.Seed)
	return &r.shards[r.shardIndex(hash)], hash
}

func (r *Replica) shardIndex(hash uint64) int { return int(hash & uint64(len(r.shards)-1)) }

// find returns the cell of a key in memory, or nil. Void cells are out of sight.
func (sh *shard) find(hash uint64, key []byte) *cell {
	p := sh.index.probe(tagOf(hash))
	for {
		number, ok := p.next()
		if !ok {
			return nil
		}
		if c := sh.slab.at(number); c.is(key) && !c.void {
			return c
		}
	}
}

// each calls fn with all cells of one hash whose key begins with prefix.
func (sh *shard) each(hash uint64, prefix []byte, fn func(c *cell)) {
	p := sh.index.probe(tagOf(hash))
	for number, ok := p.next(); ok; number, ok = p.next() {
		c := sh.slab.at(number)
		if !c.void && bytes.HasPrefix(c.appendKey(nil), prefix) {
			fn(c)
		}
	}
}

// remove drops a cell that neither a dirty list nor a flush refers to.
func (r *Replica) removeLocked(sh *shard, c *cell) {
	_, hash := r.locate(c.appendKey(nil))
	p := sh.index.probe(tagOf(hash))
	for number, ok := p.next(); ok; number, ok = p.next() {
		if sh.slab.at(number) == c {
			sh.index.remove(tagOf(hash), number)
			sh.slab.release(number)
			r.counters.hot.Add(-1)
			return
		}
	}
}
