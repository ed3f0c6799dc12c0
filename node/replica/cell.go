package replica

import (
	"bytes"
	"math"
	"math/bits"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/refill"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

// cell is the hot state of one key: everything the store has of it, the
// bucket folded from it, and what was not flushed yet.
//
// It has the size of three cache lines. The first tells which key it is, the
// second is all that a decision changes, the third what a flush does. Whatever
// most agents have none of is in more.
type cell struct {
	kind    crdt.Kind // 0 = this cell is free
	nameLen uint8     // longName: the key is in more
	short   [shortName]byte
	dirty   turn   // which flush takes this cell
	present bool   // the bucket was ever set up (counters of the store have none)
	void    bool   // its agent or counter was deleted
	resend  bool   // the own row was in pages that were never sent
	order   uint32 // position in the dirty list
	bound   uint32 // generation of the policies that policy was looked up in
	used    uint32 // when it was last used here, see tickOf

	bucket          ratelimit.Bucket
	policy          *ratelimit.Compiled
	pendingConsumed uint64 // own increment since the last capture
	consumed        uint64 // low half of the total of everything ever applied, pending included

	refunded uint64   // likewise
	own      crdt.Row // this run's row; Birth 0 = none
	ownDisk  uint64   // seq under which the by-seq index on disk lists it, 0 = not listed
	more     *more
}

const (
	shortName = 46 // a UUID in the tenant "default" still fits
	longName  = 255
)

// turn tells the dirty cells of two flushes apart: those that the flush under
// way has yet to capture, and those of the next one.
type turn uint8

const clean turn = 0

// turnOf is never clean.
func turnOf(epoch uint64) turn { return turn(1 + epoch&1) }

// more is what an agent has that other nodes serve, too, or that was used
// before this run.
type more struct {
	slots []slot // rows of other origins
	*rare
}

// rare is what few cells have.
type rare struct {
	name            string // if it is long
	pendingRefunded uint64
	consumedHi      uint64
	refundedHi      uint64
	reset           crdt.HLC // newest reset that was applied
	marks           reserveMarks
	side            *refill.Agent // of a policy with a pool or an adaptive rate
}

// reserveMarks are the high-water marks of a bucket whose policy is `reserve`.
type reserveMarks struct {
	mark    uint64 // durable, on the own row; 0 = none
	want    uint64 // asked for in the next flush
	rebirth bool   // the own row began a generation since the last capture
}

// slot is one origin's row of a cell.
type slot struct {
	origin crdt.Origin
	row    crdt.Row
	disk   uint64 // seq under which the by-seq index on disk lists it, 0 = not listed
	gone   bool   // collected: to be deleted by the next flush
}

// is tells whether the cell is that of a key.
func (c *cell) is(key []byte) bool {
	if crdt.Kind(key[0]) != c.kind {
		return false
	}
	if c.nameLen == longName {
		return c.more.name == string(key[1:])
	}
	return bytes.Equal(c.short[:c.nameLen], key[1:])
}

// begin makes a free cell that of a key.
func (c *cell) begin(kind crdt.Kind, key string, now Instant) {
	c.kind, c.used = kind, tickOf(now.Mono)
	if len(key) > shortName {
		c.nameLen = longName
		c.needRare().name = key
		return
	}
	c.nameLen = uint8(copy(c.short[:], key))
}

// key is the key without its kind. It is a copy: a cell may go while somebody
// holds its key.
func (c *cell) key() string {
	if c.nameLen == longName {
		return c.more.name
	}
	return string(c.short[:c.nameLen])
}

// appendKey appends kind and key.
func (c *cell) appendKey(b []byte) []byte {
	b = append(b, byte(c.kind))
	if c.nameLen == longName {
		return append(b, c.more.name...)
	}
	return append(b, c.short[:c.nameLen]...)
}

func (c *cell) limit() *ratelimit.Limit { return &c.policy.Limit }

func (c *cell) needMore() *more {
	if c.more == nil {
		c.more = new(more)
	}
	return c.more
}

func (c *cell) needRare() *rare {
	m := c.needMore()
	if m.rare == nil {
		m.rare = new(rare)
	}
	return m.rare
}

// rares is the rare part to be read.
func (c *cell) rares() rare {
	if c.more == nil || c.more.rare == nil {
		return rare{}
	}
	return *c.more.rare
}

func (c *cell) marks() reserveMarks { return c.rares().marks }

// slots are the rows of other origins, collected ones included.
func (c *cell) slots() []slot {
	if c.more == nil {
		return nil
	}
	return c.more.slots
}

// slotOf finds the row of another origin.
func (c *cell) slotOf(o crdt.Origin) *slot {
	slots := c.slots()
	for i := range slots {
		if slots[i].origin == o && !slots[i].gone {
			return &slots[i]
		}
	}
	return nil
}

// needSlot finds the row of another origin or begins it.
func (c *cell) needSlot(o crdt.Origin) *slot {
	if s := c.slotOf(o); s != nil {
		return s
	}
	m := c.needMore()
	m.slots = append(m.slots, slot{origin: o})
	return &m.slots[len(m.slots)-1]
}

func (c *cell) hasOwn() bool { return c.own.Birth != 0 }

// rows counts the rows, collected ones included.
func (c *cell) rows() int {
	n := len(c.slots())
	if c.hasOwn() {
		n++
	}
	return n
}

// total is the sum of everything ever applied.
func (c *cell) total() crdt.Total {
	r := c.rares()
	return crdt.Total{
		Consumed: crdt.Uint128{Hi: r.consumedHi, Lo: c.consumed},
		Refunded: crdt.Uint128{Hi: r.refundedHi, Lo: c.refunded},
	}
}

func (c *cell) setTotal(t crdt.Total) {
	c.consumed, c.refunded = t.Consumed.Lo, t.Refunded.Lo
	if t.Consumed.Hi|t.Refunded.Hi != 0 || c.more != nil && c.more.rare != nil {
		r := c.needRare()
		r.consumedHi, r.refundedHi = t.Consumed.Hi, t.Refunded.Hi
	}
}

// consume books n as consumed by this node.
func (c *cell) consume(n uint64) {
	c.pendingConsumed += n
	sum, carry := bits.Add64(c.consumed, n, 0)
	if carry != 0 {
		c.setTotal(c.total().Add(crdt.Delta{Consumed: n}))
		return
	}
	c.consumed = sum
}

// giveBack books n as refunded by this node.
func (c *cell) giveBack(n uint64) {
	c.needRare().pendingRefunded += n
	c.setTotal(c.total().Add(crdt.Delta{Refunded: n}))
}

// pending is what this node did since the last capture.
func (c *cell) pending() (consumed, refunded uint64) {
	return c.pendingConsumed, c.rares().pendingRefunded
}

// refundable is how much of what was ever consumed was not given back yet.
func (c *cell) refundable() uint64 {
	t := c.total()
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
func (r *Replica) lookupLocked(sh *shard, hash uint64, key []byte, now Instant, create bool) (*cell, error) {
	if c := sh.find(hash, key); c != nil {
		return c, nil
	}
	return r.loadLocked(sh, hash, key, now, create)
}

// appendCellKey is kind and key in one: what a shard finds a cell by.
func appendCellKey(b []byte, kind crdt.Kind, key string) []byte {
	return append(append(b, byte(kind)), key...)
}

func (r *Replica) loadLocked(sh *shard, hash uint64, name []byte, now Instant, create bool) (*cell, error) {
	kind, key := crdt.Kind(name[0]), string(name[1:])
	found, err := r.store.Cell(kind, key, &sh.scratch)
	if err != nil {
		return nil, err
	}
	if !found && !create {
		return nil, nil
	}
	number, c := sh.slab.alloc()
	c.begin(kind, key, now)
	if found {
		r.thaw(c, &sh.scratch, now)
	}
	if kind == crdt.KindBucket {
		r.bindLocked(c, now)
		if err := r.loadMark(c); err != nil {
			sh.slab.release(number)
			return nil, err
		}
		r.applyReset(c, now)
	}
	sh.index.insert(tagOf(hash), number)
	r.counters.hot.Add(1)
	return c, nil
}

// thaw copies the record of a cold cell.
func (r *Replica) thaw(c *cell, rec *storage.Cell, now Instant) {
	c.setTotal(rec.Total)
	for _, s := range rec.Slots {
		if s.Origin == r.run {
			c.own, c.ownDisk = s.Row, s.Row.Seq
			continue
		}
		m := c.needMore()
		if m.slots == nil {
			m.slots = make([]slot, 0, len(rec.Slots))
		}
		m.slots = append(m.slots, slot{origin: s.Origin, row: s.Row, disk: s.Row.Seq})
	}
	if c.kind != crdt.KindBucket || !rec.Check.Present {
		return
	}
	r.bindPolicy(c, now)
	if rec.Check.Reset != 0 {
		c.needRare().reset = rec.Check.Reset
	}
	c.bucket = ratelimit.Restore(now.Mono, now.Wall, c.limit(), r.view.Load(), thawCheck(&rec.Check))
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
	ck := c.bucket.Checkpoint(now.Mono, now.Wall, c.limit(), r.view.Load(), nil)
	if c.rows() == 0 && ck.Level >= c.limit().Capacity {
		return // a full bucket nobody used is what an unknown one is, too
	}
	k.Present, k.Level, k.WallMS, k.Forfeited, k.Reset = true, ck.Level, ck.WallMS, ck.Forfeited, c.rares().reset
	for _, m := range ck.Marks {
		k.Marks = append(k.Marks, storage.Mark{Node: crdt.NodeID(m.Peer), Mark: m.Mark})
	}
	if ck.Base != 0 {
		k.Marks = append(k.Marks, storage.Mark{Mark: ck.Base})
	}
}

// bindLocked makes the cell's policy that of the present table, and its bucket
// one of that policy's limit.
func (r *Replica) bindLocked(c *cell, now Instant) {
	set := r.policies.Load()
	if c.bound == set.gen && c.present {
		return
	}
	old := c.policy
	r.bindPolicy(c, now)
	switch {
	case !c.present:
		c.bucket = ratelimit.NewBucket(now.Mono, c.limit(), r.view.Load())
		c.present = true
	case old != nil && old.Limit != c.policy.Limit:
		// As of when the policy was learnt, whoever looks at the bucket since.
		c.bucket.Relimit(min(now.Mono, set.since), &old.Limit, c.limit(), r.view.Load())
	}
}

// bindPolicy looks the cell's policy up in the present table.
func (r *Replica) bindPolicy(c *cell, now Instant) {
	set := r.policies.Load()
	if c.bound == set.gen {
		return
	}
	c.policy = set.of(c.key())
	c.bound = set.gen
	if r.opts.Refill != nil {
		r.bindSide(c, now)
	}
}
