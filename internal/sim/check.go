package sim

import (
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/storage"
)

// checkStore holds what is on a disk against the ledger: the totals are the
// sum of what the node was told of, once each, and the rows are the newest.
func (w *world) checkStore(p *process) {
	if w.broken != nil || p.m.faulty || !p.alive() {
		return
	}
	d := p.m.disk
	w.checkRegisters(p, d)
	var cell storage.Cell
	for k, key := range w.ledger.keys {
		if _, err := p.store.Cell(key.kind, key.key, &cell); err != nil {
			w.fail("calls", "%s reads %s: expected the record, got %v", p.m.name, w.keyName(k), err)
			return
		}
		want := w.ledger.sum(&d.know, k)
		least := w.ledger.sure(&d.know, k)
		if w.void(&d.regs, k) {
			want, least = amount{}, amount{} // of a deleted agent or counter nothing is left
		}
		// A lossy node may have too little, never too much.
		if got := (amount{cell.Total.Consumed.Lo, cell.Total.Refunded.Lo}); !got.within(want) || !least.within(got) && !d.know.lossy {
			w.fail("I4", "what %s has counted of %s: expected %s, of which it was told, got %s", p.m.name, w.keyName(k), tokens(want), tokens(got))
			return
		}
		for _, s := range cell.Slots {
			w.checkSlot(p, d, k, s)
		}
		if w.broken != nil {
			return
		}
	}
	w.checkCovered(p, d)
}

// checkCovered looks that a node was told of every row its vectors cover, or of
// the deletion that voids it. A row that was collected elsewhere before the node
// could be told of it would be missing, too: nothing may be collected so early.
func (w *world) checkCovered(p *process, d *disk) {
	vectors, err := p.store.Vectors()
	w.must(err)
	for o, v := range vectors {
		i, known := w.ledger.runOf[o]
		if !known || d.know.lossy || w.ledger.runs[i].disowned {
			continue
		}
		run := w.ledger.runs[i]
		for k := range w.ledger.keys {
			if place := run.upTo(k, v.Seq); place > d.know.get(i, k) && !w.deleted(k) {
				w.fail("I2", "%s has all of %s up to %d; %s: expected row number %d, at seq %d, to be known, got number %d",
					p.m.name, run.name, v.Seq, w.keyName(k), place, run.rows[k][place-1].row.Seq, d.know.get(i, k))
				return
			}
		}
	}
}

// checkRegisters looks that each register holds the last value the node was
// told of, or nothing where that is long deleted or expired.
func (w *world) checkRegisters(p *process, d *disk) {
	now := p.m.wall(w.now) + p.m.lost // by the clock as it was before it went back
	for k, key := range w.ledger.regs.keys {
		want := w.ledger.regs.value(d.regs, k)
		reg, found, err := p.store.Register(key)
		w.must(err)
		switch {
		case w.broken != nil:
			return
		case want == nil && found:
			w.fail("I6", "%s, register %q: expected nothing, since it was told of no value, got version %v", p.m.name, key, reg.Version)
		case want == nil:
		case !found:
			old := now - w.plan.Tombstones.Milliseconds()
			if !(want.deleted && want.version.WallMS() < old || want.expires != 0 && want.expires < old) {
				w.fail("I6", "%s, register %q: expected version %v, got nothing", p.m.name, key, want.version)
			}
		case w.ledger.regs.find(k, &reg) != d.regs.get(k):
			w.fail("I6", "%s, register %q: expected version %v, the last it was told of, got %v", p.m.name, key, want.version, reg.Version)
		}
	}
}

func (w *world) checkSlot(p *process, d *disk, k int, s storage.Slot) {
	i, ok := w.ledger.runOf[s.Origin]
	if !ok {
		w.fail("I5", "%s, rows of %s: expected runs that once were, got %v", p.m.name, w.keyName(k), s.Origin)
		return
	}
	run := w.ledger.runs[i]
	if run.disowned {
		return
	}
	if place, at := run.find(k, s.Row), d.know.get(i, k); place != at || place == 0 {
		w.fail("I1", "the row of %s for %s at %s: expected number %d of those it wrote, got number %d, %s",
			run.name, w.keyName(k), p.m.name, at, place, rowText(s.Row))
	}
}

// checkIndex holds the by-seq index on a disk against the rows and registers.
func (w *world) checkIndex(p *process) {
	type place struct {
		origin crdt.Origin
		seq    uint64
	}
	listed := make(map[place]string)
	note := func(o crdt.Origin, seq uint64, name string) {
		if listed[place{o, seq}] != "" {
			w.fail("I5", "seq %d of %s at %s: expected one row, got %q and %q", seq, w.runName(o), p.m.name, listed[place{o, seq}], name)
		}
		listed[place{o, seq}] = name
	}
	for _, kind := range crdt.RowKinds {
		err := p.store.Cells(kind, "", "", func(key string, c *storage.Cell) bool {
			for _, s := range c.Slots {
				note(s.Origin, s.Row.Seq, string(kind)+key)
			}
			return true
		})
		w.must(err)
	}
	w.must(p.store.Registers("", "", func(key string, r crdt.Register) bool {
		note(r.Origin, r.Seq, string(crdt.KindRegister)+key)
		return true
	}))
	runs, err := p.store.Runs()
	w.must(err)
	for o := range runs {
		w.must(p.store.Index(o, 0, func(seq uint64, kind crdt.Kind, key string) bool {
			if listed[place{o, seq}] != string(kind)+key {
				w.fail("index", "seq %d of %s at %s: expected %q, which has it, got %q listed", seq, w.runName(o), p.m.name, listed[place{o, seq}], string(kind)+key)
			}
			delete(listed, place{o, seq})
			return true
		}))
	}
	for at, name := range listed {
		w.fail("index", "seq %d of %s at %s: expected %q to be listed, got nothing", at.seq, w.runName(at.origin), p.m.name, name)
	}
}

func (w *world) must(err error) {
	if err != nil {
		w.fail("calls", "a check reads a store: expected an answer, got %v", err)
	}
}
