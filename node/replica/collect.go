package replica

import (
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/storage"
)

// sweep is where collection stands: it walks over all cells again and again, a
// piece at a time.
type sweep struct {
	kind int // index of crdt.RowKinds
	from string
	due  map[crdt.Origin]bool // runs that were due when the walk began
}

// CollectStats tells what one call of Collect did.
type CollectStats struct {
	Looked   int
	Dropped  int  // rows
	Finished bool // the walk came to its end and begins anew
}

// Collect walks over up to budget cells and drops the rows that nobody needs:
// idle ones whose origin will begin a new generation, and those of dead runs
// that every member has. There are no tombstones: whatever arrives late is at
// or below the vector, and ignored. The drops reach the disk with the next
// flush.
func (r *Replica) Collect(now Instant, budget int) (CollectStats, error) {
	var stats CollectStats
	stable, due := r.collectable(now)
	keys, err := r.sweepKeys(budget)
	if err != nil {
		return stats, err
	}
	kind := crdt.RowKinds[r.sweep.kind]
	for _, key := range keys {
		stats.Looked++
		n, ahead, err := r.collectCell(now, kind, key, stable, due)
		stats.Dropped += n
		if err == nil && ahead {
			r.saveStable(stable)
			n, _, err = r.collectCell(now, kind, key, stable, due)
			stats.Dropped += n
		}
		if err != nil {
			return stats, err
		}
	}
	r.counters.collected.Add(uint64(stats.Dropped))
	if stats.Finished, err = r.advanceSweep(now, keys, budget, due); err != nil {
		return stats, err
	}
	return stats, r.collectRegisters(now)
}

// stableTime is up to when all of a run is known here, and what the disk says.
type stableTime struct{ now, saved int64 }

// saveStable puts the stable times into the next flush. They are written seldom,
// since they move with every page; but a row that is dropped by one must not be
// gone from disk while the stable time there says that it is still young: after a
// restart an audit would take it for lost, bring it back and count it twice.
func (r *Replica) saveStable(stable map[crdt.Origin]stableTime) {
	r.merge.Lock()
	defer r.merge.Unlock()
	for o, st := range stable {
		if st.now > st.saved {
			r.dirtyVectors[o] = true
			r.savedStable[o] = max(r.savedStable[o], st.now)
			stable[o] = stableTime{st.now, st.now}
		}
	}
}

// collectable is what collection goes by: the stable time of each live run,
// and the dead runs that are due.
func (r *Replica) collectable(now Instant) (stable map[crdt.Origin]stableTime, due map[crdt.Origin]bool) {
	r.merge.Lock()
	defer r.merge.Unlock()
	stable = make(map[crdt.Origin]stableTime, len(r.runs))
	due = make(map[crdt.Origin]bool)
	members := r.otherMembers()
	for o, run := range r.runs {
		switch {
		case o == r.run:
			stable[o] = stableTime{r.own.stamp, r.savedStable[o]}
		case run.Sealed():
			if r.runDue(now, run, members) {
				due[o] = true
				r.beginCollected(o)
			}
		default:
			stable[o] = stableTime{r.recv.Vector(o).Stable, r.savedStable[o]}
		}
	}
	return stable, due
}

// runDue tells whether a sealed run's rows may go. They go without tombstones,
// so no version of them may arrive any more that is not known here: for the life
// of a message the run has been known to be over, and since then every member
// has said that it has just as much of it as this one, and nothing beyond. That
// is measured by this node's own steady clock; how long a run has been over by
// the wall clock only keeps it around for as long as an idle row. One member that
// collected the run settles it for all. After ForgetAfter nobody is waited for.
func (r *Replica) runDue(now Instant, run crdt.Run, members []crdt.NodeID) bool {
	o := run.Origin
	seen, known := r.sealedSeen[o]
	if !known {
		seen = now.Mono
		r.sealedSeen[o] = seen
	}
	quiet := seen + r.opts.MessageLife.Nanoseconds()
	switch {
	case r.collected[o], r.released[o], now.Wall >= run.SealedAt+r.opts.ForgetAfter.Milliseconds():
		return true
	case now.Mono < quiet, now.Wall < run.SealedAt+r.opts.Idle.Milliseconds():
		return false
	}
	have := r.recv.Vector(o).Seq
	// What whoever sealed the run had of it (Final) is not asked for: it may have
	// been in memory only, or on a disk that was lost, and then nobody ever has it.
	return r.durableVV[o] == have && r.ragged[o] == 0 && r.acks.Agree(o, have, members, quiet)
}

func (r *Replica) sweepKeys(budget int) ([]string, error) {
	var keys []string
	err := r.store.Cells(crdt.RowKinds[r.sweep.kind], "", r.sweep.from, func(key string, c *storage.Cell) bool {
		keys = append(keys, key)
		return len(keys) < budget
	})
	return keys, err
}

// advanceSweep moves on. When a walk over everything has ended, the runs that
// were due from its beginning to its end have no rows left.
func (r *Replica) advanceSweep(now Instant, keys []string, budget int, due map[crdt.Origin]bool) (finished bool, err error) {
	if r.sweep.due == nil {
		r.sweep.due = due
	}
	for o := range r.sweep.due {
		if !due[o] {
			delete(r.sweep.due, o)
		}
	}
	if len(keys) == budget {
		r.sweep.from = keys[len(keys)-1] + "\x00"
		return false, nil
	}
	r.sweep.from = ""
	if r.sweep.kind++; r.sweep.kind < len(crdt.RowKinds) {
		return false, nil
	}
	r.sweep.kind = 0
	done := r.sweep.due
	r.sweep.due = nil
	return true, r.retire(now, done)
}

// collectCell drops what is due of one cell. It leaves what is still young by what
// the disk knows, and tells that it is ahead of that.
func (r *Replica) collectCell(now Instant, kind crdt.Kind, key string, stable map[crdt.Origin]stableTime, due map[crdt.Origin]bool) (dropped int, ahead bool, err error) {
	name := appendCellKey(nil, kind, key)
	sh, hash := r.locate(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if c := sh.find(hash, name); c == nil {
		// Look before loading: most cells have nothing to drop.
		if found, err := r.store.Cell(kind, key, &sh.scratch); err != nil || !found || !r.anyDue(sh.scratch.Slots, stable, due) {
			return 0, false, err
		}
		if r.superseded(&crdt.Entry{Kind: kind, Key: key}) {
			return 0, false, nil // void: the flush that erases it is yet to come
		}
	}
	c, err := r.lookupLocked(sh, hash, name, now, false)
	if err != nil || c == nil {
		return 0, false, err
	}
	r.captureIfDueLocked(sh, c)
	drop := func(o crdt.Origin, row *crdt.Row) bool {
		if !r.rowDue(o, row, stable, due) {
			return false
		}
		if !due[o] && !r.outdated(stable[o].saved, row) {
			ahead = true
			return false
		}
		dropped++
		return true
	}
	if c.hasOwn() && drop(r.run, &c.own) {
		c.forgetOwn()
	}
	slots := c.slots()
	for i := range slots {
		if s := &slots[i]; !s.gone {
			s.gone = drop(s.origin, &s.row)
		}
	}
	if dropped > 0 {
		r.markDirtyLocked(sh, c)
	}
	return dropped, ahead, nil
}

// forgetOwn drops the own row; what is left of a reserve mark is about the next.
func (c *cell) forgetOwn() {
	if c.marks().mark > 0 {
		m := &c.needRare().marks
		m.mark -= min(m.mark, c.own.Consumed)
		m.rebirth = true
	}
	c.own = crdt.Row{}
}

func (r *Replica) anyDue(slots []storage.Slot, stable map[crdt.Origin]stableTime, due map[crdt.Origin]bool) bool {
	for i := range slots {
		if r.rowDue(slots[i].Origin, &slots[i].Row, stable, due) {
			return true
		}
	}
	return false
}

func (r *Replica) rowDue(o crdt.Origin, row *crdt.Row, stable map[crdt.Origin]stableTime, due map[crdt.Origin]bool) bool {
	if due[o] {
		return true
	}
	st, live := stable[o]
	return live && r.outdated(st.now, row)
}

// beginCollected makes it a durable fact that a run's rows may be dropped,
// before the first of them is: after a restart that forgot what the members had
// agreed on, an audit would bring dropped rows back.
func (r *Replica) beginCollected(o crdt.Origin) {
	if r.collected[o] {
		return
	}
	r.collected[o] = true
	r.newlyCollected = append(r.newlyCollected, o)
	delete(r.sealedSeen, o)
	delete(r.released, o)
	delete(r.ragged, o)
}

// retire forgets the dead runs whose rows are gone from disk: their index and
// vector go, the descriptor stays a while so that late rows are refused. A run
// that still carries registers hands them over first.
func (r *Replica) retire(now Instant, runs map[crdt.Origin]bool) error {
	for _, o := range sortedKeys(runs) {
		left, err := r.indexed(o)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			r.adopt(now, o, left)
			continue
		}
		r.merge.Lock()
		if !r.gone[o] {
			r.gone[o] = true
			r.retired = append(r.retired, o)
		}
		r.merge.Unlock()
	}
	return nil
}

// indexed lists the registers that stand in the index under a run. Rows still
// there keep the run alive, too: they are reported with an empty key.
func (r *Replica) indexed(o crdt.Origin) (keys []string, err error) {
	err = r.store.Index(o, 0, func(_ uint64, kind crdt.Kind, key string) bool {
		if kind != crdt.KindRegister {
			key = ""
		}
		keys = append(keys, key)
		return len(keys) < adoptStep
	})
	return keys, err
}

// adoptStep bounds the registers republished at a time.
const adoptStep = 1000

// adopt republishes registers under this run: the same value and version, a
// new place in the index. Deleting them with their run would make a member
// that was away miss them for ever. The successor of the same node does it;
// for a node that is gone, the ready member with the smallest id.
func (r *Replica) adopt(now Instant, o crdt.Origin, keys []string) {
	r.merge.Lock()
	defer r.merge.Unlock()
	if !r.heir(r.runs[o].Node) {
		return
	}
	for _, key := range keys {
		if key == "" {
			continue
		}
		reg, found, err := r.register(key)
		if err != nil || !found || reg.Origin != o {
			continue
		}
		reg.Origin, reg.Seq = r.run, 0
		reg.Gen++
		r.stage(now, key, reg, true, false)
	}
}

func (r *Replica) heir(of crdt.NodeID) bool {
	if of == r.self {
		return true
	}
	if !r.member.gone(of) {
		return false
	}
	for n, p := range r.peers {
		if p.state == PeerAlive && !r.member.gone(n) && n < r.self {
			return false
		}
	}
	return true
}

// takeRetired puts the end of collected runs into a flush.
func (r *Replica) takeRetired(f *Flush, now Instant) {
	for _, o := range r.newlyCollected {
		f.Batch.PutCollected(o)
	}
	f.newlyCollected, r.newlyCollected = r.newlyCollected, nil
	for _, o := range r.retired {
		f.Batch.DeleteIndexRange(o)
		f.Batch.DeleteVector(o)
		f.retired = append(f.retired, o)
		r.recv.Forget(o)
		delete(r.durableVV, o)
		delete(r.dirtyVectors, o)
		delete(f.vectors, o)
	}
	r.retired = nil
	for _, o := range sortedKeys(r.runs) {
		run := r.runs[o]
		if r.collected[o] && now.Wall > run.SealedAt+2*r.opts.ForgetAfter.Milliseconds() {
			f.Batch.DeleteRun(o)
			f.Batch.DeleteCollected(o)
			delete(r.runs, o)
			delete(r.dirtyRuns, o)
			delete(r.collected, o)
			delete(r.gone, o)
		}
	}
}

// collectRegisters drops tombstones and expired values that every member has
// had for the whole of the tombstones' time.
func (r *Replica) collectRegisters(now Instant) error {
	type old struct {
		key string
		reg crdt.Register
	}
	var found []old
	var claims []crdt.RegisterKey
	looked := 0
	err := r.store.Registers("", r.regSweep, func(key string, reg crdt.Register) bool {
		looked++
		r.regSweep = key + "\x00"
		if r.expired(now, key, &reg) {
			found = append(found, old{key, reg})
		} else if k, err := crdt.ParseRegisterKey(key); err == nil && k.Space == crdt.SpaceClaim && reg.Writer == r.self {
			claims = append(claims, k)
		}
		return looked < adoptStep
	})
	if looked < adoptStep {
		r.regSweep = ""
	}
	if err != nil {
		return err
	}
	r.merge.Lock()
	defer r.merge.Unlock()
	members := r.otherMembers()
	for _, o := range found {
		if r.isEpoch(o.key, o.reg) {
			continue
		}
		if r.acks.Min(o.reg.Origin, members) >= o.reg.Seq || r.collected[o.reg.Origin] {
			r.regs.mu.Lock()
			if _, busy := r.regs.get(o.key); !busy {
				r.regs.put(&registerWrite{key: o.key, reg: o.reg, drop: true})
			}
			r.regs.mu.Unlock()
		}
	}
	// Who is gone for good decides claims too, and is learnt after them.
	for _, k := range claims {
		if h, _, ok := parseClaimName(k.Name); ok {
			if err := r.resolve(now, k.Tenant, h); err != nil {
				return err
			}
		}
	}
	return nil
}

// expired tells whether a register is a tombstone, or a value that expired, long
// enough ago: as much as nothing, once every member has it. A claim is of no use
// from the instant on.
func (r *Replica) expired(now Instant, key string, reg *crdt.Register) bool {
	cut := now.Wall - r.opts.Tombstones.Milliseconds()
	if isClaim(key) {
		cut = now.Wall
	}
	return reg.Deleted && reg.Version.WallMS() < cut || reg.ExpiresAt != 0 && reg.ExpiresAt < cut
}

func isClaim(key string) bool { return key[0] == crdt.SpaceClaim }

// isEpoch tells whether a dead register names the epoch of a counter, deleted or
// live: without it the counter would be out of sight.
func (r *Replica) isEpoch(key string, reg crdt.Register) bool {
	k, err := crdt.ParseRegisterKey(key)
	if err != nil || k.Space != crdt.SpaceKV {
		return k.Space != crdt.SpaceClaim // control registers are few and stay
	}
	if reg.Meta == counterTombstone && reg.Deleted {
		return true
	}
	_, live, err := r.counterValue(k.Tenant, k.Name, reg.Version)
	return live || err != nil
}
