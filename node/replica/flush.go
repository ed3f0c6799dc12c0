package replica

import (
	"slices"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/storage"
)

// Flush is everything that changed up to one instant: a batch for the store
// and the pages that tell the peers. The caller commits the batch with sync
// and then calls EndFlush; it may hand the pages to the peers before that when
// PushEarly is set, and must wait for the commit otherwise.
type Flush struct {
	Gen       uint64
	Batch     *storage.Batch
	Pages     []*antientropy.Page
	PushEarly bool

	start                   int64  // the run's clock when it began
	base                    uint64 // last seq of the flush before
	alone                   bool   // there was nobody to push to
	upto                    uint64
	captures                []capture // by shard
	regs                    []*registerWrite
	vectors                 map[crdt.Origin]antientropy.Vector
	runs                    []crdt.Run
	newlyCollected, retired []crdt.Origin
	changes                 []Change
}

// Spent is what this node admitted of a bucket between two flushes.
type Spent struct {
	Key    string // an encoded crdt.BucketKey
	Amount uint64 // µtok
}

// Spent calls fn with the consumption that f took.
func (f *Flush) Spent(fn func(Spent)) {
	for i := range f.captures {
		for _, s := range f.captures[i].spent {
			fn(s)
		}
	}
}

// capture collects what one shard contributes to a flush.
type capture struct {
	turn    turn
	base    uint64 // seqs of this shard follow it, by the cell's place in the list
	now     Instant
	ts      int64 // time of the own rows
	stamp   int64 // largest stable time stamped so far: decides generations
	list    []*cell
	batch   storage.Batch
	rows    []crdt.Entry
	spent   []Spent
	moved   []movedSlot
	dropped []droppedSlot
	erased  []*cell
	names   names
	marks   []raisedMark
	changes []Change
	careful bool // rows here may not leave before the fsync
	alone   bool // no rows for pages are needed
}

// movedSlot remembers an index entry's old place, for a commit that fails.
type movedSlot struct {
	cell   *cell
	origin crdt.Origin
	disk   uint64
}

// droppedSlot is a collected slot that the flush takes off the index, likewise.
type droppedSlot struct {
	cell *cell
	slot slot
}

type raisedMark struct {
	cell  *cell
	birth uint64
	mark  uint64
}

// BeginFlush takes the dirty set as of now. It never waits for the disk.
func (r *Replica) BeginFlush(now Instant) *Flush {
	r.synced.freeze(r.store)
	f := r.swapDirty(now)
	for i := range r.shards {
		r.captureShard(&r.shards[i], &f.captures[i])
	}
	r.captureRegisters(f, now)
	r.assemble(f, now)
	return f
}

// swapDirty stops the world for as long as it takes to exchange pointers: the
// cells, registers and vectors of the flush belong to one instant.
func (r *Replica) swapDirty(now Instant) *Flush {
	r.merge.Lock()
	defer r.merge.Unlock()
	for i := range r.shards {
		r.shards[i].mu.Lock()
	}
	f := &Flush{Gen: r.epoch.Load(), Batch: storage.NewBatch(), PushEarly: true, captures: r.spareCaptures()}
	r.own.clock = max(r.own.clock, now.Wall)
	f.start = r.own.clock
	f.alone = len(r.peers) == 0
	f.regs = r.regs.take()
	f.base = r.own.seq
	seq := r.regs.number(f.regs, r.run, r.own.seq) // before the rows: a peer learns a policy before what it governs
	for i := range r.shards {
		sh, k := &r.shards[i], &f.captures[i]
		empty := k.list
		k.turn, k.base, k.now, k.ts, k.stamp, k.list = turnOf(f.Gen), seq, now, f.start, r.own.stamp, sh.dirty
		k.alone = f.alone
		seq += uint64(len(sh.dirty))
		sh.dirty = empty
		sh.taken, sh.flying = k, k
	}
	r.epoch.Store(f.Gen + 1)
	for i := range r.shards {
		r.shards[i].mu.Unlock()
	}
	f.upto, r.own.seq = seq, seq
	f.vectors = r.takeVectors(f.upto)
	f.runs = r.takeRuns(seq > 0)
	r.takeRetired(f, now)
	r.flushing = f
	return f
}

// spareCaptures is the memory of an earlier flush, emptied. A flush of many
// rows would otherwise grow the same buffers anew ten times a second.
func (r *Replica) spareCaptures() []capture {
	spare := r.spare
	r.spare = nil
	if spare == nil {
		return make([]capture, len(r.shards))
	}
	for i := range spare {
		k := &spare[i]
		clear(k.list)
		clear(k.rows)
		clear(k.moved)
		clear(k.dropped)
		clear(k.erased)
		clear(k.marks)
		k.batch.Reset()
		*k = capture{
			list: k.list[:0], batch: k.batch, rows: k.rows[:0], spent: k.spent[:0],
			moved: k.moved[:0], dropped: k.dropped[:0], erased: k.erased[:0], marks: k.marks[:0],
		}
	}
	return spare
}

// maxSpareRows bounds the flush whose memory is kept: a flood is not to hold its
// for ever.
const maxSpareRows = 1 << 17

// takeVectors is the vectors that moved since the last flush.
func (r *Replica) takeVectors(upto uint64) map[crdt.Origin]antientropy.Vector {
	before := r.recv.Vector(r.run)
	r.recv.Set(r.run, antientropy.Vector{Seq: upto, Stable: r.own.stamp})
	if upto > 0 {
		r.noteVector(r.run, before, r.recv.Vector(r.run))
	}
	moved := make(map[crdt.Origin]antientropy.Vector, len(r.dirtyVectors))
	for o := range r.dirtyVectors {
		moved[o] = r.recv.Vector(o)
	}
	clear(r.dirtyVectors)
	return moved
}

// takeRuns is the descriptors that changed. The own one goes to disk with the
// first row, so that a run without rows leaves nothing.
func (r *Replica) takeRuns(written bool) []crdt.Run {
	var runs []crdt.Run
	for o := range r.dirtyRuns {
		if o == r.run && !written {
			continue
		}
		runs = append(runs, r.runs[o])
		delete(r.dirtyRuns, o)
	}
	return runs
}

// captureShard captures what nobody has captured on the way.
func (r *Replica) captureShard(sh *shard, k *capture) {
	const chunk = 128 // cells between two breaths of the lock
	for at := 0; at < len(k.list); at += chunk {
		sh.mu.Lock()
		for _, c := range k.list[at:min(at+chunk, len(k.list))] {
			if c.dirty == k.turn {
				r.captureLocked(sh, k, c)
			}
		}
		sh.mu.Unlock()
	}
	sh.mu.Lock()
	sh.taken = nil
	sh.mu.Unlock()
}

// captureIfDueLocked must be called before a cell changes: if a flush under
// way has yet to capture it, that happens now, so that the flush sees the
// state of its own instant.
func (r *Replica) captureIfDueLocked(sh *shard, c *cell) {
	if sh.taken != nil && c.dirty == sh.taken.turn {
		r.captureLocked(sh, sh.taken, c)
	}
}

// markDirtyLocked puts c into the dirty set of the present epoch.
func (r *Replica) markDirtyLocked(sh *shard, c *cell) {
	if c.dirty != clean {
		return
	}
	c.dirty, c.order = turnOf(r.epoch.Load()), uint32(len(sh.dirty))
	sh.dirty = append(sh.dirty, c)
	if len(sh.dirty) == dirtyHigh {
		r.askFlush()
	}
}

// dirtyHigh is the dirty cells of one shard at which a flush does not wait for
// its tick, so that a flood of merges cannot grow memory without bound.
const dirtyHigh = 1 << 14

func (r *Replica) captureLocked(sh *shard, k *capture, c *cell) {
	c.dirty = clean
	key := k.names.of(c)
	if c.void {
		k.erase(r.run, c, key)
		return
	}
	if consumed, refunded := c.pending(); consumed|refunded != 0 || c.resend && c.hasOwn() {
		r.writeOwnRow(k, c, key)
	}
	c.resend = false
	k.moveOwn(r.run, c, key)
	k.moveSlots(c, key)
	k.raiseMark(c, key)
	rec := &sh.scratch
	rec.Reset()
	rec.Total = c.total()
	if c.hasOwn() {
		rec.Slots = append(rec.Slots, storage.Slot{Origin: r.run, Row: c.own})
	}
	for _, s := range c.slots() {
		rec.Slots = append(rec.Slots, storage.Slot{Origin: s.origin, Row: s.row})
	}
	if c.present {
		r.freeze(c, k.now, &rec.Check)
	}
	k.batch.PutCell(c.kind, key, rec)
	if c.kind == crdt.KindCounter {
		k.changes = append(k.changes, counterChange(c))
	}
}

// writeOwnRow moves the pending increments into the own row, starting a new
// generation when peers may have collected the old one.
func (r *Replica) writeOwnRow(k *capture, c *cell, key string) {
	seq := k.base + uint64(c.order) + 1
	consumed, refunded := c.pending()
	if row := &c.own; !c.hasOwn() {
		r.beginOwnRow(c, seq)
	} else if r.outdated(k.stamp, row) || row.Consumed+consumed > crdt.MaxCounter || row.Refunded+refunded > crdt.MaxCounter {
		if c.marks().mark > 0 {
			m := &c.needRare().marks
			m.mark -= min(m.mark, row.Consumed)
		}
		r.beginOwnRow(c, seq)
		r.counters.births.Add(1)
	}
	if c.kind == crdt.KindBucket && consumed > 0 {
		k.spent = append(k.spent, Spent{key, consumed})
	}
	c.own.Consumed += consumed
	c.own.Refunded += refunded
	c.own.Seq, c.own.TS = seq, k.ts
	c.pendingConsumed = 0
	if refunded != 0 {
		c.needRare().pendingRefunded = 0
	}
	if !k.alone {
		k.rows = append(k.rows, crdt.Entry{Kind: c.kind, Key: key, Row: c.own})
	}
	if c.policy != nil && c.limit().Durability == reserve {
		k.careful = true
	}
}

// beginOwnRow starts a generation. A reserve mark on disk is about the last one.
func (r *Replica) beginOwnRow(c *cell, seq uint64) {
	c.own = crdt.Row{Birth: seq}
	if c.policy != nil && c.limit().Durability == reserve || c.marks() != (reserveMarks{}) {
		c.needRare().marks.rebirth = true
	}
}

// outdated is the one rule by which a row may be collected, and after which
// its origin must start a new generation.
func (r *Replica) outdated(stable int64, row *crdt.Row) bool {
	return stable >= row.TS+r.opts.Idle.Milliseconds()
}

// moveOwn makes the by-seq index list the own row once, under its newest seq,
// or not at all when it was collected.
func (k *capture) moveOwn(run crdt.Origin, c *cell, key string) {
	if c.ownDisk == c.own.Seq {
		return
	}
	if c.ownDisk != 0 {
		k.batch.DeleteIndex(run, c.ownDisk)
	}
	if c.hasOwn() {
		k.batch.PutIndex(run, c.own.Seq, c.kind, key)
	}
	k.moved = append(k.moved, movedSlot{c, run, c.ownDisk})
	c.ownDisk = c.own.Seq
}

// moveSlots does so for the rows of others, and drops those that were collected.
func (k *capture) moveSlots(c *cell, key string) {
	slots := c.slots()
	if len(slots) == 0 {
		return
	}
	kept := slots[:0]
	for _, s := range slots {
		if s.gone {
			if s.disk != 0 {
				k.batch.DeleteIndex(s.origin, s.disk)
				k.dropped = append(k.dropped, droppedSlot{c, s})
			}
			continue
		}
		if s.disk != s.row.Seq {
			if s.disk != 0 {
				k.batch.DeleteIndex(s.origin, s.disk)
			}
			k.batch.PutIndex(s.origin, s.row.Seq, c.kind, key)
			k.moved = append(k.moved, movedSlot{c, s.origin, s.disk})
			s.disk = s.row.Seq
		}
		kept = append(kept, s)
	}
	c.more.slots = kept
}

// raiseMark writes the high-water mark of a `reserve` bucket when a new one is
// wanted, or when the row it refers to starts a new generation.
func (k *capture) raiseMark(c *cell, key string) {
	have := c.marks()
	if have == (reserveMarks{}) || c.kind != crdt.KindBucket {
		return
	}
	m := &c.needRare().marks
	want := max(have.want, have.mark)
	switch {
	case have.want <= have.mark && !have.rebirth:
		return
	case want == 0:
		if c.limit().Durability == reserve {
			k.batch.DeleteHighWater(key)
		}
		m.rebirth = false
		return
	}
	k.batch.PutHighWater(key, storage.HighWater{Birth: c.own.Birth, Mark: want})
	k.marks = append(k.marks, raisedMark{c, c.own.Birth, want})
	m.want, m.rebirth = 0, false
}

// erase removes a cell of a deleted agent or counter.
func (k *capture) erase(run crdt.Origin, c *cell, key string) {
	if c.ownDisk != 0 {
		k.batch.DeleteIndex(run, c.ownDisk)
	}
	for _, s := range c.slots() {
		if s.disk != 0 {
			k.batch.DeleteIndex(s.origin, s.disk)
		}
	}
	k.batch.DeleteCell(c.kind, key)
	if c.kind == crdt.KindBucket {
		k.batch.DeleteHighWater(key)
	}
	k.erased = append(k.erased, c)
}

// assemble joins what the shards captured into the batch and the pages.
func (r *Replica) assemble(f *Flush, now Instant) {
	var rows []crdt.Entry
	for i := range f.captures {
		k := &f.captures[i]
		f.Batch.Join(&k.batch)
		rows = append(rows, k.rows...)
		f.changes = append(f.changes, k.changes...)
		if k.careful {
			f.PushEarly = false
		}
	}
	for _, w := range f.regs {
		if w.own {
			rows = append(rows, crdt.Entry{Kind: crdt.KindRegister, Key: w.key, Register: w.reg})
			f.PushEarly = false // a register leaves the node only after its fsync
		}
	}
	slices.SortFunc(rows, func(a, b crdt.Entry) int {
		if a.Seq() < b.Seq() {
			return -1
		}
		return 1
	})
	for _, o := range sortedKeys(f.vectors) {
		v := f.vectors[o]
		f.Batch.PutVector(o, storage.Vector{Seq: v.Seq, Stable: v.Stable})
	}
	for _, run := range f.runs {
		f.Batch.PutRun(run)
	}
	if r.store.Err() != nil {
		f.PushEarly = false // there will be no commit, and what it says may be wrong
	}
	r.merge.Lock()
	if !f.alone { // else whoever joins later pulls
		f.Pages = r.ownPages(now, rows, f.upto)
	}
	if len(f.Pages) > 1 {
		// Half of a session that a crash undoes would stay with its receivers,
		// beyond all vectors.
		f.PushEarly = false
	}
	if f.PushEarly {
		r.own.pushed = f.upto
	}
	r.merge.Unlock()
}

// ownPages cuts rows, all own changes since the last page, into a session.
func (r *Replica) ownPages(now Instant, rows []crdt.Entry, upto uint64) []*antientropy.Page {
	if upto == r.own.pushed {
		return nil
	}
	head := antientropy.Page{
		Cluster: r.opts.Cluster, From: r.self, Clock: r.clock.Now(now.Wall), Run: r.runs[r.run],
		Session: r.sessions.Add(1), FromSeq: r.own.pushed, AfterSeq: r.own.pushed,
	}
	var pages []*antientropy.Page
	g := antientropy.Pager{
		Head: head, Rows: r.opts.PageRows, Bytes: r.opts.PageBytes,
		Emit: func(p *antientropy.Page) error {
			keep := *p
			keep.Entries = slices.Clone(p.Entries)
			pages = append(pages, &keep)
			return nil
		},
	}
	for _, e := range rows {
		_ = g.Add(e) // Emit does not fail
	}
	_ = g.Close(upto, r.own.stamp)
	return pages
}

// IdlePage is an empty complete page: it tells the peers that nothing was
// consumed here, and lets the stable time move on.
func (r *Replica) IdlePage(now Instant) *antientropy.Page {
	r.merge.Lock()
	defer r.merge.Unlock()
	return &antientropy.Page{
		Cluster: r.opts.Cluster, From: r.self, Clock: r.clock.Now(now.Wall), Run: r.runs[r.run],
		Session: r.sessions.Add(1), FromSeq: r.own.pushed, AfterSeq: r.own.pushed,
		Upto: r.own.pushed, Stable: r.own.stamp, Complete: true,
	}
}

// EndFlush ends f after its batch was committed with sync, or, with an error,
// was not: then everything in it waits for the next flush.
func (r *Replica) EndFlush(f *Flush, now Instant, err error) {
	r.synced.thaw()
	if err != nil {
		r.revert(f)
		return
	}
	for i := range f.captures {
		k := &f.captures[i]
		r.settleShard(&r.shards[i], k)
	}
	r.regs.settle(f.regs)
	r.merge.Lock()
	for o, v := range f.vectors {
		if v.Seq > 0 {
			r.durableVV[o] = v.Seq
		}
	}
	r.own.tickStart = f.start
	r.own.pushed = f.upto
	if f.upto-f.base <= maxSpareRows {
		r.spare = f.captures
	}
	r.noteFlushed(f)
	r.restamp(now)
	r.flushing = nil
	version := r.durableVV.Clone()
	r.merge.Unlock()
	r.feed.append(f.changes, version)
	r.durable.Store(f.Gen)
	r.evict(now)
}

// settleShard ends a flush that is durable.
func (r *Replica) settleShard(sh *shard, k *capture) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.flying = nil
	for _, m := range k.marks {
		if m.cell.own.Birth == m.birth || m.birth == 0 {
			marks := &m.cell.needRare().marks
			marks.mark = max(marks.mark, m.mark)
		}
	}
	for _, c := range k.erased {
		if c.dirty == clean { // else the flush that takes it now will end it
			r.removeLocked(sh, c)
		}
	}
}

// noteFlushed remembers when own rows were written, so that the stable time
// can stay behind those a member has not acknowledged. The list is coarse: old
// marks are merged, which only makes the stable time earlier.
func (r *Replica) noteFlushed(f *Flush) {
	n := len(r.own.unacked)
	if n > 0 && r.own.unacked[n-1].upto == f.upto || f.upto == 0 {
		return
	}
	r.own.unacked = append(r.own.unacked, flushMark{f.upto, f.start})
	if len(r.own.unacked) > 1024 {
		kept := r.own.unacked[:0]
		for i := 0; i+1 < len(r.own.unacked); i += 2 {
			kept = append(kept, flushMark{r.own.unacked[i+1].upto, r.own.unacked[i].ts})
		}
		if len(r.own.unacked)%2 == 1 {
			kept = append(kept, r.own.unacked[len(r.own.unacked)-1])
		}
		r.own.unacked = kept
	}
}

// restamp moves the stable time of the own run as far as it may: to the start
// of the last completed flush, but never so far that a row some member has not
// acknowledged could be collected.
//
// What it may be is believed only after it has held for the life of a message:
// when a partition heals, the acknowledgements of the members known here arrive
// together with the news that others have joined meanwhile.
func (r *Replica) restamp(now Instant) {
	may := r.own.tickStart
	acked := r.acks.Min(r.run, r.otherMembers())
	for _, m := range r.own.unacked {
		if m.upto > acked {
			may = min(may, m.ts+r.opts.Idle.Milliseconds()-1)
			break
		}
	}
	life := r.opts.MessageLife.Nanoseconds()
	if n := len(r.own.stamps); n == 0 || now.Mono-r.own.stamps[n-1].at >= life/16 {
		r.own.stamps = append(r.own.stamps, stampAt{now.Mono, may, acked})
	}
	for len(r.own.stamps) > 1 && r.own.stamps[1].at <= now.Mono-life {
		r.own.stamps = r.own.stamps[1:]
	}
	s := r.own.stamps[0]
	if s.at > now.Mono-life {
		return
	}
	r.own.stamp = max(r.own.stamp, min(s.stamp, may))
	for len(r.own.unacked) > 0 && r.own.unacked[0].upto <= min(s.acked, acked) {
		r.own.unacked = r.own.unacked[1:]
	}
}

// revert puts everything a failed flush took back into the dirty sets.
func (r *Replica) revert(f *Flush) {
	r.regs.revert(f.regs)
	r.merge.Lock()
	for o := range f.vectors {
		r.dirtyVectors[o] = true
	}
	for _, run := range f.runs {
		r.dirtyRuns[run.Origin] = true
	}
	r.noteFlushed(f) // if it was pushed, its rows keep their time
	r.newlyCollected = append(r.newlyCollected, f.newlyCollected...)
	r.retired = append(r.retired, f.retired...)
	r.flushing = nil
	r.merge.Unlock()
	for i := range f.captures {
		r.revertShard(f, &r.shards[i], &f.captures[i])
	}
}

func (r *Replica) revertShard(f *Flush, sh *shard, k *capture) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.flying = nil
	for _, m := range k.moved {
		if m.origin == r.run {
			m.cell.ownDisk = m.disk
		} else if s := m.cell.slotOf(m.origin); s != nil {
			s.disk = m.disk
		}
	}
	for _, d := range k.dropped {
		m := d.cell.needMore()
		m.slots = append(m.slots, d.slot)
	}
	for _, m := range k.marks {
		marks := &m.cell.needRare().marks
		marks.want = max(marks.want, m.mark)
	}
	for _, c := range k.list {
		// Pages that were not sent never will be: their rows go into the next
		// flush's, which begin where these would have.
		if !f.PushEarly && c.hasOwn() && c.own.Seq > k.base {
			c.resend = true
		}
		r.markDirtyLocked(sh, c)
	}
}
