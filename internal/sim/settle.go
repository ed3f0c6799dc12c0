package sim

import (
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
)

// settle ends all faults, lets everybody talk to everybody, and looks whether
// all agree with each other and with the ledger.
func (w *world) settle() {
	w.settling, w.calm = true, true
	w.queue.clear()
	w.heal()
	w.tell("the faults are over")
	w.repairAll()
	w.dismiss()
	for _, m := range w.members() {
		w.gossip(m)
	}
	for _, n := range w.lost {
		w.forgetSomewhere(n)
	}
	w.exchange()
	w.restartReplaced()
	for _, m := range w.machines {
		w.bringUp(m) // those that were told in the exchange that they were forgotten
	}
	if w.schism {
		for _, n := range w.lost { // who was told first may have been one of those
			w.forgetSomewhere(n)
		}
	}
	w.converge()
	if w.torn {
		w.auditAll()
	}
	w.checkEqual()
	if w.plan.Age {
		w.age()
	}
	w.note()
}

// dismiss lets the calls that wait be answered, and ends those that want to wait
// again: a client that asks for one mark after the other would never be quiet.
func (w *world) dismiss() {
	c := chance(w.plan.Seed + 4)
	for range 2 {
		for _, m := range w.members() {
			if m.proc != nil && len(m.proc.waiters) > 0 {
				w.flushOnce(m.proc, &c)
			}
		}
	}
	for _, m := range w.members() {
		m.proc.waiters = nil
	}
}

// restartReplaced lets those start again that find a newer run of their own, of
// before a backup was restored.
func (w *world) restartReplaced() {
	c := chance(w.plan.Seed + 2)
	for _, m := range w.members() {
		if m.proc != nil && m.proc.rep.Replaced() {
			w.replaced(m, &c)
			w.bringUp(m)
		}
	}
}

// repairAll starts all machines that belong to the cluster.
func (w *world) repairAll() {
	for _, m := range w.machines {
		m.until = 0
		switch {
		case m.cloned:
			w.undoClone(m)
		case m.disk != nil && m.disk.rotten != nil && !m.gone:
			w.loseDisk(m) // whoever repairs it finds the damage
		case m.faulty:
			w.crash(m, func(int) int { return 0 })
		case m.proc != nil:
			m.full = false
			m.proc.store.SetFull(false)
		}
		m.failAt = 0
	}
	for range 2 { // an empty machine needs one that is up
		for _, m := range w.machines {
			w.bringUp(m)
		}
	}
	for _, m := range w.machines {
		if m.disk == nil || m.gone || m.proc != nil || w.broken != nil {
			continue
		}
		w.newDisk(m)
		m.disk.empty = false // nobody is left whose state it could take over
		w.start(m)
	}
}

// undoClone takes the copy of a disk away again, and gives the machine it was
// copied from an empty one: the peers may have taken its process for dead.
func (w *world) undoClone(m *machine) {
	if o := w.twin(m); o != nil && !o.gone {
		o.proc = nil
		w.newDisk(o)
		o.owed, o.backup = nil, nil
	}
	w.lost = append(w.lost, m.disk.node)
	m.proc, m.disk, m.gone = nil, nil, true
}

// members are the machines that are up in the end.
func (w *world) members() (list []*machine) {
	for _, m := range w.machines {
		if m.proc != nil && w.broken == nil {
			list = append(list, m)
		}
	}
	return list
}

// forgetSomewhere lets an operator forget a node wherever it is listed.
func (w *world) forgetSomewhere(n crdt.NodeID) {
	for _, m := range w.members() {
		if w.forget(m.proc, n) {
			return
		}
	}
}

// converge exchanges until nobody learns anything new. Three rounds must do:
// one for the rows, one for what a relay could pass on only then, and one in
// which the vectors of the second are told.
func (w *world) converge() {
	for range 3 {
		w.news = false
		w.exchange()
		if !w.news {
			return
		}
	}
}

// exchange lets everybody flush and pull from everybody.
func (w *world) exchange() {
	c := chance(w.plan.Seed)
	w.flushAll(&c)
	for _, a := range w.members() {
		for _, b := range w.members() {
			if a != b && a.proc != nil && b.proc != nil && w.broken == nil {
				w.pull(a.proc, b, &c)
			}
		}
	}
	w.now += 100
	w.flushAll(&c)
}

// greetAll lets everybody flush and send empty pages: all that is needed while
// nothing is consumed.
func (w *world) greetAll() {
	c := chance(w.plan.Seed + 3)
	w.flushAll(&c)
	for _, a := range w.members() {
		for _, b := range w.members() {
			if a != b && a.proc != nil && w.broken == nil {
				w.greet(a.proc, b, &c)
			}
		}
	}
	w.now += 100
	w.flushAll(&c)
}

func (w *world) flushAll(c *chance) {
	for _, m := range w.members() {
		w.flushOnce(m.proc, c)
	}
}

// checkEqual looks whether everybody knows what anybody knows.
func (w *world) checkEqual() {
	best, regs := w.union()
	for _, m := range w.members() {
		w.checkStore(m.proc)
		w.checkIndex(m.proc)
		w.checkKnows(m, &best, regs)
	}
	w.checkVectors()
	w.checkDigests()
}

// union is what the machines know together.
func (w *world) union() (best knowledge, regs regKnowledge) {
	for _, m := range w.members() {
		for i, at := range m.disk.know.at {
			if at > 0 {
				best.learn(i/maxKeys, i%maxKeys, int(at))
			}
		}
		for key, at := range m.disk.regs {
			if at > 0 {
				regs.learn(&w.ledger.regs, key, int(at))
			}
		}
	}
	return best, regs
}

// checkKnows looks whether a machine was told of all that any of them was told.
// A deletion that was lost with its disk may take rows with it that were left out
// for its sake, if their run was over and collected before an audit.
func (w *world) checkKnows(m *machine, best *knowledge, regs regKnowledge) {
	if m.disk.know.lossy {
		return
	}
	for i, at := range best.at {
		run, k := i/maxKeys, i%maxKeys
		if have := m.disk.know.get(run, k); have < int(at) && !w.void(&regs, k) && !w.ledger.runs[run].disowned && !(w.torn && w.deleted(k)) {
			r := w.ledger.runs[run]
			w.fail("I3", "all is quiet; what %s was told that %s wrote for %s: expected seq %d, as others were, got number %d of %d",
				m.name, r.name, w.keyName(k), r.rows[k][at-1].row.Seq, have, at)
			return
		}
	}
	for key, at := range regs {
		if have := m.disk.regs.get(key); have != int(at) {
			w.fail("I3", "all is quiet; register %q at %s: expected value number %d, got %d", w.ledger.regs.keys[key], m.name, at, have)
			return
		}
	}
}

// checkVectors looks whether all vectors are equal, but for runs that are over
// and collected.
func (w *world) checkVectors() {
	members := w.members()
	var all []crdt.VersionVector
	for _, m := range members {
		all = append(all, m.proc.rep.PullRequest(w.instant(m.proc)).Have)
	}
	for i, m := range members {
		for o, seq := range all[0] {
			if have, ok := all[i][o]; ok && have != seq && !w.disowned(o) && !m.disk.know.lossy && !members[0].disk.know.lossy {
				w.fail("I3", "all is quiet; the vector of %s for %s: expected %d, as at %s, got %d", m.name, w.runName(o), seq, members[0].name, have)
				return
			}
		}
	}
}

func (w *world) disowned(o crdt.Origin) bool {
	i, known := w.ledger.runOf[o]
	return known && w.ledger.runs[i].disowned
}

// checkDigests looks whether audits have nothing to repair.
func (w *world) checkDigests() {
	members := w.members()
	digests := w.digests(members)
	for i := 1; i < len(members); i++ {
		w.auditWith(members[0].proc, members[i].proc, digests[0], digests[i])
	}
}

func (w *world) digests(of []*machine) []*antientropy.Digest {
	list := make([]*antientropy.Digest, len(of))
	for i, m := range of {
		list[i] = w.digest(m.proc)
	}
	return list
}

// auditAll lets everybody audit everybody: what a disk took with it may have kept
// something older from being told, see superseded.
func (w *world) auditAll() {
	members := w.members()
	digests := w.digests(members)
	for i, a := range members {
		for j, b := range members {
			if i != j {
				w.auditWith(a.proc, b.proc, digests[i], digests[j])
			}
		}
	}
	w.exchange()
}

// sweepAll lets everybody walk once over everything.
func (w *world) sweepAll() {
	for _, m := range w.members() {
		for range 60 {
			if w.broken != nil || w.collect(m.proc, 8).Finished {
				break
			}
		}
	}
}

// wrongness is how far clocks may be apart: a row is idle, and a run over, by
// the clock of who wrote it.
func (w *world) wrongness() (ms int64) {
	least, most := w.machines[0].clock.OffsetMS, w.machines[0].clock.OffsetMS
	for _, m := range w.machines {
		least, most = min(least, m.clock.OffsetMS), max(most, m.clock.OffsetMS)
	}
	return most - least + w.jumped
}

// age lets everything become idle, and looks that it is collected and that what
// comes after it counts once.
func (w *world) age() {
	w.now += w.wrongness()
	for range 4 {
		w.now += w.plan.Idle.Milliseconds()*11/10 + 1000 // clocks drift
		w.greetAll()
		w.sweepAll()
	}
	if w.torn {
		// Of a run whose disk was lost, rows may be left that no session made
		// whole; they go when nobody is waited for any more.
		w.now += w.plan.Forget.Milliseconds() + w.wrongness()
		w.greetAll()
		w.sweepAll()
	}
	w.exchange() // whoever has collected a run says so when asked
	w.sweepAll()
	w.greetAll()
	w.sweepAll()
	w.greetAll()
	w.checkBounded()
	w.checkFull()
	w.revive()
}

// checkBounded looks that nothing is left of what is idle.
func (w *world) checkBounded() {
	for _, m := range w.members() {
		w.checkStore(m.proc)
		for k := range w.ledger.keys {
			for _, s := range w.slots(m, k) {
				w.fail("I13", "all is idle; rows of %s at %s: expected none, got %s of %s", w.keyName(k), m.name, rowText(s.Row), w.runName(s.Origin))
				return
			}
		}
		collected, err := m.proc.store.Collected()
		w.must(err)
		w.coverage.add(covRetired, uint64(len(collected)))
		runs, err := m.proc.store.Vectors()
		w.must(err)
		for o := range runs {
			if _, ours := w.ledger.runOf[o]; !ours {
				w.fail("I13", "vectors at %s: expected those of runs that once were, got %v", m.name, o)
			}
		}
		described, err := m.proc.store.Runs()
		w.must(err)
		for o := range described {
			if _, ours := w.ledger.runOf[o]; !ours {
				w.fail("I13", "descriptors at %s: expected those of runs that once were, got %v", m.name, o)
			}
		}
	}
}

// checkFull looks that a bucket nobody used for long enough is full everywhere.
func (w *world) checkFull() {
	w.now += 3_000_000
	w.greetAll()
	w.now++
	for _, m := range w.members() {
		for i := range w.plan.Agents {
			q := &request{agent: agentName(i), n: 1}
			r := q.of()
			v, err := m.proc.rep.Explain(w.instant(m.proc), &r)
			w.must(err)
			if w.broken != nil {
				return
			}
			b := &v.Buckets[0]
			l := b.Policy.Limit()
			if idle := refill(&l, 3_000_000, -30_000); idle > l.Capacity+l.Floor && b.Level < l.Capacity {
				w.fail("I15", "the level of %s at %s after the time it takes to fill twice: expected %d, got %d", q.agent, m.name, l.Capacity, b.Level)
			}
		}
	}
}

// revive uses everything once more.
func (w *world) revive() {
	c := chance(w.plan.Seed + 1)
	for _, m := range w.members() {
		w.consume(m.proc, w.newRequest(&c))
	}
	if w.broken == nil {
		w.converge()
		w.checkEqual()
	}
}

// note counts what the replicas counted themselves.
func (w *world) note() {
	for _, m := range w.members() {
		s := m.proc.rep.Stats(w.instant(m.proc))
		w.coverage.add(covReleased, s.Releases)
		w.coverage.add(covEvicted, s.Evicted)
	}
}
