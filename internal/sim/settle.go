package sim

import (
	"errors"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/replica"
)

// settle ends all faults, lets everybody talk to everybody, and looks whether
// all agree with each other and with the ledger.
func (w *world) settle() {
	w.settling = true
	w.queue.clear()
	w.heal()
	w.tell("the faults are over")
	for range 2 { // an empty machine needs one that is up
		for _, m := range w.machines {
			if m.proc == nil {
				w.bringUp(m)
			}
		}
	}
	for _, m := range w.machines {
		if m.proc == nil {
			w.newDisk(m)
			m.disk.empty = false // nobody is left whose state it could take over
			w.start(m)
		}
		w.gossip(m)
	}
	for _, n := range w.lost {
		w.forgetSomewhere(n)
	}
	w.converge()
	w.checkEqual()
	w.age()
}

// converge exchanges until nobody learns anything new. Three rounds must do:
// one for the rows, one for what a relay could pass on only then, and one in
// which the vectors of the second are told.
func (w *world) converge() {
	for range 3 {
		w.news = false
		w.exchange(1)
		if !w.news {
			return
		}
	}
}

// exchange lets everybody flush and pull from everybody.
func (w *world) exchange(rounds int) {
	c := chance(w.plan.Seed)
	for range rounds {
		for _, m := range w.machines {
			w.flushNow(m.proc, &c)
		}
		for _, a := range w.machines {
			for _, b := range w.machines {
				if a != b && w.broken == nil {
					w.pull(a.proc, b, &c)
				}
			}
		}
		w.now += 100
	}
	for _, m := range w.machines {
		w.flushNow(m.proc, &c)
	}
}

func (w *world) flushNow(p *process, c *chance) {
	if w.broken != nil {
		return
	}
	if p.flush == nil {
		w.beginFlush(p, c)
	}
	if p.flush != nil {
		w.endFlush(p, c)
	}
}

// checkEqual looks whether everybody knows what anybody knows.
func (w *world) checkEqual() {
	best := w.union()
	for _, m := range w.machines {
		if w.broken != nil {
			return
		}
		w.checkStore(m.proc)
		w.checkIndex(m.proc)
		w.checkKnows(m, &best)
	}
	w.checkVectors()
}

func (w *world) union() knowledge {
	var best knowledge
	for _, m := range w.machines {
		for i, at := range m.disk.know.at {
			if at > 0 {
				best.learn(i/maxKeys, i%maxKeys, int(at))
			}
		}
	}
	return best
}

func (w *world) checkKnows(m *machine, best *knowledge) {
	if m.disk.know.lossy {
		return
	}
	for i, at := range best.at {
		run, k := i/maxKeys, i%maxKeys
		if have := m.disk.know.get(run, k); have < int(at) {
			r := w.ledger.runs[run]
			w.fail("I3", "%s was never told of seq %d of %s for %s (it knows number %d of %d)",
				m.name, r.rows[k][at-1].row.Seq, r.name, w.keyName(k), have, at)
			return
		}
	}
}

// checkVectors looks whether all vectors are equal, but for runs that are over
// and collected.
func (w *world) checkVectors() {
	var all []crdt.VersionVector
	for _, m := range w.machines {
		all = append(all, m.proc.rep.PullRequest(w.instant(m.proc)).Have)
	}
	for i, m := range w.machines {
		for o, seq := range all[0] {
			if have, ok := all[i][o]; ok && have != seq {
				w.fail("I3", "%s has %s up to %d, and %s up to %d", w.machines[0].name, w.runName(o), seq, m.name, have)
				return
			}
		}
	}
}

// sweepAll lets everybody walk once over everything.
func (w *world) sweepAll() {
	for _, m := range w.machines {
		for range 40 {
			if w.broken != nil || w.collect(m.proc, 8).Finished {
				break
			}
		}
	}
}

// age lets everything become idle, and looks that it is collected and that what
// comes after it counts once.
func (w *world) age() {
	c := chance(w.plan.Seed + 1)
	for range 3 {
		w.now += w.plan.Idle.Milliseconds() + 1000
		w.exchange(1)
		w.sweepAll()
	}
	if len(w.lost) > 0 || w.restored {
		// Of a run whose disk was lost, rows may be left that no session made
		// whole; they go when nobody is waited for any more.
		w.now += 2 * w.plan.Forget.Milliseconds()
		w.exchange(1)
		w.sweepAll()
	}
	w.exchange(1)
	for _, m := range w.machines {
		if w.broken != nil {
			return
		}
		w.checkStore(m.proc)
		for k := range w.ledger.keys {
			for _, s := range w.slots(m, k) {
				w.fail("I13", "%s still holds %v of %s for %s", m.name, s.Row, w.runName(s.Origin), w.keyName(k))
				return
			}
		}
	}
	for _, m := range w.machines {
		w.consume(m.proc, &Op{}, &c)
	}
	if w.broken == nil {
		w.converge()
		w.checkEqual()
	}
}

// forgetSomewhere lets an operator forget a node wherever it is listed.
func (w *world) forgetSomewhere(n crdt.NodeID) {
	for _, m := range w.machines {
		p := m.proc
		_, err := p.rep.Forget(w.instant(p), n)
		if err == nil {
			w.wrote(p, crdt.RegisterKey{Space: crdt.SpaceMember, Name: n.String()})
			return
		}
		if !errors.Is(err, replica.ErrNotFound) {
			w.must(err)
		}
	}
}
