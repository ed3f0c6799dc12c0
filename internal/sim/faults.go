package sim

import (
	"errors"

	"github.com/openclaw/clawd/storage"
)

func (w *world) opCrash(m *machine, _ *Op, c *chance) {
	w.crash(m, func(n int) int { return c.below(n + 1) })
	w.startLater(m, c)
}

// opStop ends a process in order: everything is flushed and pushed.
func (w *world) opStop(m *machine, _ *Op, c *chance) {
	w.stop(m, c)
	if m.proc == nil {
		w.startLater(m, c)
	}
}

func (w *world) stop(m *machine, c *chance) {
	p := m.proc
	if p.flush != nil {
		w.endFlush(p, c)
	}
	if m.proc == nil || w.broken != nil {
		return
	}
	for range 3 { // calls under way are finished
		if len(p.waiters) == 0 || w.broken != nil || m.proc == nil {
			break
		}
		w.beginFlush(p, c)
		if m.proc != nil && p.flush != nil {
			w.endFlush(p, c)
		}
	}
	if m.proc == nil || w.broken != nil {
		return
	}
	p.waiters = nil
	w.tell("%s stops", m.name)
	f, err := p.rep.BeginLastFlush(w.instant(p))
	if w.failed(p, "last flush", err) {
		return
	}
	w.noteFlush(p, f, c)
	w.endFlush(p, c)
	if m.proc == nil || w.broken != nil {
		return
	}
	m.goodbye = !m.full // a disk that is full keeps the last flush from being durable
	w.end(m)
	m.owed.clean = m.goodbye
	m.disk.engine = m.disk.engine.Crash(nil)
}

// end forgets the process; what it had promised is looked at when the machine
// starts again.
func (w *world) end(m *machine) {
	p := m.proc
	m.owed = &promised{run: p.run, floor: p.floor, accepted: p.accepted, regs: p.regFloor}
	m.proc, m.full, m.faulty = nil, false, false
}

// crash ends the process at once; of the batches that were not synced yet, the
// first keep stay.
func (w *world) crash(m *machine, keep func(unsynced int) int) {
	w.coverage.hit(covCrash)
	kept := false // the batch of the flush under way is the oldest that is not synced
	m.disk.engine = m.disk.engine.Crash(func(n int) int {
		k := keep(n)
		kept = k > 0
		return k
	})
	if f := m.proc.flush; f != nil {
		w.coverage.hit(covCrashInFlush)
		switch {
		case f.written && kept:
			f.becomeDurable(m.disk)
		case f.f.PushEarly && len(f.f.Pages) > 0:
			w.coverage.hit(covFlushLostAfterPush)
		}
	}
	w.tell("%s crashes; an unfinished flush is %s", m.name, map[bool]string{true: "kept", false: "lost"}[kept])
	m.goodbye = false
	w.end(m)
}

// dieOfDisk ends a process whose disk has failed.
func (w *world) dieOfDisk(m *machine) {
	w.coverage.hit(covDiskFailed)
	c := chance(w.id('f', uint64(m.id), m.starts))
	w.crash(m, func(n int) int { return c.below(n + 1) })
	w.startLater(m, &c)
}

func (w *world) opBackup(m *machine, _ *Op, _ *chance) {
	m.backup = w.copyDisk(m)
	w.tell("%s is backed up", m.name)
}

// copyDisk copies what the store shows, a batch that is not synced included.
func (w *world) copyDisk(m *machine) *disk {
	d := m.disk.clone()
	if f := m.proc.flush; f != nil && f.written {
		d.know, d.regs = f.know.clone(), f.regs.clone()
	}
	return d
}

func (w *world) opRestore(m *machine, _ *Op, c *chance) {
	if m.backup == nil {
		return
	}
	w.coverage.hit(covRestore)
	w.torn = true
	w.tell("%s is restored from its backup", m.name)
	if m.proc != nil {
		w.end(m)
	}
	m.owed = nil
	m.disk = m.backup.clone()
	m.disk.know.lossy = true
	w.startLater(m, c)
}

func (w *world) opLoseDisk(m *machine, _ *Op, c *chance) {
	if m.disk == nil {
		return
	}
	w.coverage.hit(covDiskLost)
	w.tell("%s loses its disk", m.name)
	w.loseDisk(m)
	if w.present() > 2 && c.permille(300) {
		w.coverage.hit(covDead)
		w.tell("%s is not replaced", m.name)
		m.gone = true
		return
	}
	w.startLater(m, c)
}

func (w *world) loseDisk(m *machine) {
	if m.proc != nil {
		w.end(m)
	}
	m.backup, m.owed, m.goodbye = nil, nil, false
	w.torn = true
	if twin := w.twin(m); twin != nil {
		m.cloned, twin.cloned = false, false
	} else {
		w.lost = append(w.lost, m.disk.node)
	}
	w.newDisk(m)
}

// opClone starts a spare machine on a copy of another's disk: the mistake of an
// operator, or of a hypervisor.
func (w *world) opClone(m *machine, _ *Op, c *chance) {
	for _, spare := range w.machines[w.plan.Machines:] {
		if spare.disk != nil || spare.gone {
			continue
		}
		w.coverage.hit(covClone)
		w.tell("the disk of %s is copied to %s", m.name, spare.name)
		spare.disk = w.copyDisk(m)
		spare.cloned, w.torn = true, true
		w.unclearAll() // as at a bootstrap
		// Each of the two counts as the other for all peers: what one has said it
		// has, the other may miss.
		m.disk.know.lossy, m.proc.know.lossy, spare.disk.know.lossy = true, true, true
		if m.proc.flush != nil {
			m.proc.flush.know.lossy = true
		}
		w.startLater(spare, c)
		return
	}
}

// replaced ends a process that has found a newer one with its identity. If that
// is running, on a copy of its disk, somebody gives this machine an empty one;
// else it is one of its own past, and the next start is newer still.
func (w *world) replaced(m *machine, c *chance) {
	w.coverage.hit(covReplaced)
	w.tell("%s finds that it was replaced", m.name)
	w.stop(m, c)
	if m.proc != nil {
		return
	}
	if twin := w.twin(m); twin != nil {
		twin.cloned = false // the only one left
		w.newDisk(m)
		m.backup, m.owed, m.cloned = nil, nil, false
	}
	w.startLater(m, c)
}

// twin is the other machine with the same identity, if there is one.
func (w *world) twin(m *machine) *machine {
	for _, o := range w.machines {
		if o != m && o.disk != nil && o.disk.node == m.disk.node {
			return o
		}
	}
	return nil
}

// opJoin starts a spare machine as a new member.
func (w *world) opJoin(m *machine, _ *Op, c *chance) {
	if m.disk != nil {
		return
	}
	w.coverage.hit(covJoin)
	w.tell("%s joins", m.name)
	w.newDisk(m)
	w.startLater(m, c)
}

// opSplit cuts the machines into two sides.
func (w *world) opSplit(_ *machine, _ *Op, c *chance) {
	w.coverage.hit(covSplit)
	side := c.next()
	for a := range w.cut {
		for b := range w.cut[a] {
			w.cut[a][b] = side>>a&1 != side>>b&1
		}
	}
	w.tell("the network is cut: %s", w.cutName())
}

// opCut cuts one direction of one link.
func (w *world) opCut(m *machine, op *Op, _ *chance) {
	if m.id != op.P {
		w.coverage.hit(covOneWay)
		w.cut[m.id][op.P] = true
		w.tell("nothing of %s reaches %s any more", m.name, w.machines[op.P].name)
	}
}

// opCutLink cuts one link both ways, whoever else the two can reach.
func (w *world) opCutLink(m *machine, op *Op, _ *chance) {
	if m.id != op.P {
		w.coverage.hit(covLink)
		w.cut[m.id][op.P], w.cut[op.P][m.id] = true, true
		w.tell("%s and %s do not reach each other any more", m.name, w.machines[op.P].name)
	}
}

func (w *world) opHeal(_ *machine, _ *Op, _ *chance) { w.heal() }

func (w *world) heal() {
	for a := range w.cut {
		clear(w.cut[a])
	}
	w.tell("the network is whole")
}

// opPause stops a process for a while; its clocks go on.
func (w *world) opPause(m *machine, _ *Op, c *chance) {
	w.coverage.hit(covPause)
	m.until = w.now + 1000 + int64(c.below(maxPause-1000))
	w.tell("%s is paused until %s", m.name, clockText(m.until))
}

// opClockJump sets a wall clock wrong, or right again.
func (w *world) opClockJump(m *machine, _ *Op, c *chance) {
	w.coverage.hit(covClockJump)
	by := []int64{-100_000, -30_000, -2_000, 2_000, 30_000, 100_000}[c.below(6)]
	m.clock.OffsetMS += by
	m.lost = max(m.lost-by, 0)
	w.jumped += max(by, -by)
	w.unclearAll()
	w.tell("the clock of %s jumps by %d ms", m.name, by)
}

// opDiskFull makes a disk full for a while: commits are refused, and everything
// goes on in memory.
func (w *world) opDiskFull(m *machine, _ *Op, c *chance) {
	if m.full {
		return
	}
	w.coverage.hit(covDiskFull)
	w.tell("the disk of %s is full", m.name)
	m.full = true
	m.proc.store.SetFull(true)
	w.after(int64(c.below(20_000)), m.proc, func(w *world, p *process) {
		w.tell("the disk of %s has room again", p.m.name)
		p.m.full = false
		p.store.SetFull(false)
	})
}

// opCorrupt damages a block of a disk. Whoever reads it is told, and the process
// ends; a start that comes to it gives the disk up.
func (w *world) opCorrupt(m *machine, _ *Op, c *chance) {
	if m.disk == nil || m.disk.empty || m.disk.rotten != nil {
		return
	}
	keys := m.disk.engine.Keys()
	if len(keys) == 0 {
		return
	}
	w.coverage.hit(covCorrupt)
	w.tell("a block of the disk of %s is damaged", m.name)
	m.disk.rotten = keys[c.below(len(keys))]
	m.disk.engine.Rot(m.disk.rotten)
	m.faulty = m.proc != nil
}

var errDisk = errors.New("the disk gave up")

// opDiskFail lets one of the next operations on a disk go wrong, after which
// the process cannot go on.
func (w *world) opDiskFail(m *machine, _ *Op, c *chance) {
	if m.proc == nil {
		m.failAt = 1 + c.below(20)
		return
	}
	w.tell("the disk of %s is about to fail", m.name)
	m.faulty = true
	m.disk.engine.Inject(storage.FailNth(1+c.below(30), errDisk))
}
