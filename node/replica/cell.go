package replica

import (
	"math"
	"sync"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

// cell is the hot state of one key: everything the store has of it, the
// bucket folded from it, and what was not flushed yet.
type cell struct {
	key     string
	kind    crdt.Kind
	present bool // the bucket was ever set up (counters of the store have none)

	bucket ratelimit.Bucket
	limit  *ratelimit.Limit
	policy *ratelimit.Compiled
	table  *policySet // the table that limit and policy were looked up in

	slots           []slot
	pendingConsumed uint64 // own increments since the last capture
	pendingRefunded uint64
	total           crdt.Total // of everything ever applied, pending included
	reset           crdt.HLC   // newest reset that was applied
	void            bool       // its agent or counter was deleted
	resend          bool       // the own row was in pages that were never sent
	rebirth         bool       // the own row began a generation since the last capture

	mark     uint64 // reserve: durable high-water mark on the own row, 0 = none
	markWant uint64 // asked for in the next flush
	stored   bool   // a record exists on disk

	dirty uint64 // epoch whose flush takes this cell; 0 = clean
	order int    // position in that epoch's dirty list
	used  int64  // mono ns of the last local use
	place int    // in the shard's ring
}

// slot is one origin's row of a cell.
type slot struct {
	origin crdt.Origin
	row    crdt.Row
	disk   uint64 // seq under which the by-seq index on disk lists it, 0 = not listed
	gone   bool   // collected: to be deleted by the next flush
}

type shard struct {
	mu      sync.Mutex
	cells   map[string]*cell // by kind and key
	ring    []*cell          // all cells, in the order eviction looks at them
	hand    int
	inline  map[string]int // inline buckets in memory, by agent prefix
	dirty   []*cell
	taken   *capture // of the flush under way until all is captured, else nil
	flying  *capture // of the flush under way until it ends, else nil
	scratch storage.Cell
	_       [64]byte // keep neighbours' locks apart
}

func (c *cell) slotOf(o crdt.Origin) *slot {
	for i := range c.slots {
		if c.slots[i].origin == o && !c.slots[i].gone {
			return &c.slots[i]
		}
	}
	return nil
}

// refundable is how much of what was ever consumed was not given back yet.
func (c *cell) refundable() uint64 {
	t := c.total
	if t.Refunded.Cmp(t.Consumed) >= 0 {
		return 0
	}
	d := t.Consumed.Sub(t.Refunded)
	if d.Hi > 0 {
		return math.MaxUint64
	}
	return d.Lo
}

// lookup finds the cell of key, loading it from the store when it is cold.
// With create, an unknown key gets a fresh cell; else nil. Called with sh
// locked.
func (r *Replica) lookupLocked(sh *shard, kind crdt.Kind, key []byte, now Instant, create bool) (*cell, error) {
	if c := sh.cells[string(key)]; c != nil {
		return c, nil
	}
	return r.loadLocked(sh, kind, string(key[1:]), now, create)
}

// cellKey is kind and key in one: the map key of a shard.
func appendCellKey(b []byte, kind crdt.Kind, key string) []byte {
	return append(append(b, byte(kind)), key...)
}

func (r *Replica) loadLocked(sh *shard, kind crdt.Kind, key string, now Instant, create bool) (*cell, error) {
	found, err := r.store.Cell(kind, key, &sh.scratch)
	if err != nil {
		return nil, err
	}
	if !found && !create {
		return nil, nil
	}
	c := &cell{key: key, kind: kind, stored: found, used: now.Mono}
	if found {
		r.thaw(c, &sh.scratch, now)
	}
	if kind == crdt.KindBucket {
		r.bindLocked(c, now)
		if err := r.loadMark(c); err != nil {
			return nil, err
		}
		r.applyReset(c, now)
	}
	sh.insert(c)
	r.counters.hot.Add(1)
	return c, nil
}

// thaw copies the record of a cold cell.
func (r *Replica) thaw(c *cell, rec *storage.Cell, now Instant) {
	c.total = rec.Total
	c.slots = make([]slot, 0, len(rec.Slots)+1)
	for _, s := range rec.Slots {
		c.slots = append(c.slots, slot{origin: s.Origin, row: s.Row, disk: s.Row.Seq})
	}
	if c.kind != crdt.KindBucket || !rec.Check.Present {
		return
	}
	r.bindPolicy(c)
	c.reset = rec.Check.Reset
	c.bucket = ratelimit.Restore(now.Mono, now.Wall, c.limit, r.view.Load(), thawCheck(&rec.Check))
	c.present = true
}

// thawCheck and freeze translate between the bucket's checkpoint and the
// stored one. The store knows peers only; the mark of those without one of
// their own goes under node 0.
func thawCheck(k *storage.Checkpoint) ratelimit.Checkpoint {
	ck := ratelimit.Checkpoint{Level: k.Level, WallMS: k.WallMS, Forfeited: k.Forfeited, ResetVersion: uint64(k.Reset)}
	for _, m := range k.Marks {
		if m.Node == 0 {
			ck.Base = m.Mark
			continue
		}
		ck.Marks = append(ck.Marks, ratelimit.Mark{Peer: uint64(m.Node), Mark: m.Mark})
	}
	return ck
}

func (r *Replica) freeze(c *cell, now Instant, k *storage.Checkpoint) {
	ck := c.bucket.Checkpoint(now.Mono, now.Wall, c.limit, r.view.Load(), nil)
	if len(c.slots) == 0 && ck.Level >= c.limit.Capacity {
		return // a full bucket nobody used is what an unknown one is, too
	}
	k.Present, k.Level, k.WallMS, k.Forfeited, k.Reset = true, ck.Level, ck.WallMS, ck.Forfeited, c.reset
	for _, m := range ck.Marks {
		k.Marks = append(k.Marks, storage.Mark{Node: crdt.NodeID(m.Peer), Mark: m.Mark})
	}
	if ck.Base != 0 {
		k.Marks = append(k.Marks, storage.Mark{Mark: ck.Base})
	}
}

// bindLocked makes the cell's limit that of the present policies, and its
// bucket one of that limit.
func (r *Replica) bindLocked(c *cell, now Instant) {
	set := r.policies.Load()
	if c.table == set && c.present {
		return
	}
	old := c.limit
	r.bindPolicy(c)
	switch {
	case !c.present:
		c.bucket = ratelimit.NewBucket(now.Mono, c.limit, r.view.Load())
		c.present = true
	case old != nil && *old != *c.limit:
		// As of when the policy was learnt, whoever looks at the bucket since.
		c.bucket.Relimit(min(now.Mono, set.since), old, c.limit, r.view.Load())
	}
}

// bindPolicy looks the cell's policy up in the present table.
func (r *Replica) bindPolicy(c *cell) {
	set := r.policies.Load()
	if c.table == set {
		return
	}
	c.policy = set.of(c.key)
	c.limit = &c.policy.Limit
	c.table = set
}
