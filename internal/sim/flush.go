package sim

import (
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/storage"
)

// flush is a flush under way, with what the disk will hold once it is durable.
type flush struct {
	f       *replica.Flush
	know    knowledge
	regs    regKnowledge
	written bool // in the store, but not synced
}

func (f *flush) becomeDurable(d *disk) { d.know, d.regs = f.know, f.regs }

// beginFlush takes the dirty set. The commit ends a while later, so that
// anything can happen in between.
func (w *world) beginFlush(p *process, c *chance) {
	if p.flush != nil {
		return // one at a time
	}
	f := p.rep.BeginFlush(w.instant(p))
	w.noteRows(p, f)
	fl := &flush{f: f, know: p.know.clone(), regs: p.regs.clone()}
	p.flush = fl
	if f.Batch.Len() > 0 && c.permille(500) {
		// The store shows a batch before it is synced.
		if err := p.store.Commit(f.Batch, false); err != nil {
			w.fail("flush", "%s: %v", p.m.name, err)
			return
		}
		fl.written = true
	}
	if f.PushEarly {
		w.push(p, f.Pages, c)
	}
	if c.permille(400) {
		w.endFlush(p, c)
		return
	}
	rest := c.fork()
	w.after(int64(c.below(1500)), p, func(w *world, p *process) {
		if p.flush == fl {
			w.endFlush(p, &rest)
		}
	})
}

// endFlush syncs the batch of the flush under way.
func (w *world) endFlush(p *process, c *chance) {
	fl := p.flush
	p.flush = nil
	f := fl.f
	var err error
	switch {
	case f.Batch.Len() == 0:
	case fl.written:
		err = p.store.Commit(storage.NewBatch(), true)
	default:
		err = p.store.Commit(f.Batch, true)
	}
	p.rep.EndFlush(f, w.instant(p), err)
	if err != nil {
		w.fail("flush", "%s: %v", p.m.name, err)
		return
	}
	fl.becomeDurable(p.m.disk)
	if !f.PushEarly {
		w.push(p, f.Pages, c)
	}
	if w.settling || c.permille(150) {
		w.checkStore(p)
	}
}

// noteRows puts the rows of a flush into the ledger: they must be exactly what
// was accepted since the last one, on top of what this run had written.
func (w *world) noteRows(p *process, f *replica.Flush) {
	run := w.ledger.runs[p.run]
	for _, page := range f.Pages {
		for i := range page.Entries {
			e := &page.Entries[i]
			if e.Seq() <= run.lastSeq {
				w.fail("I5", "%s writes seq %d after seq %d", run.name, e.Seq(), run.lastSeq)
				return
			}
			run.lastSeq = e.Seq()
			if e.Kind != crdt.KindRegister {
				w.noteRow(p, run, e)
			}
		}
	}
	if len(f.Pages) > 1 {
		w.coverage.hit(covMultiPage)
	}
	for k := range p.pending {
		if !p.pending[k].zero() {
			w.fail("I4", "%s accepted %v of %s, but its flush does not write it", run.name, p.pending[k], w.keyName(k))
			return
		}
	}
	if w.story != nil && len(f.Pages) > 0 {
		w.tell("%s flushes %s", run.name, w.entryNames(f.Pages))
	}
}

func (w *world) noteRow(p *process, run *ledgerRun, e *crdt.Entry) {
	k := w.ledger.key(e.Kind, e.Key)
	if k < 0 {
		return
	}
	list := run.rows[k]
	var last version
	if len(list) > 0 {
		last = list[len(list)-1]
	}
	grown := p.pending[k]
	want := grown
	if last.row.Birth == e.Row.Birth {
		want = want.plus(amount{last.row.Consumed, last.row.Refunded})
	} else if e.Row.Birth != e.Row.Seq {
		w.fail("I5", "%s gives %s the birth %d at seq %d", run.name, w.keyName(k), e.Row.Birth, e.Row.Seq)
		return
	} else if len(list) > 0 {
		w.coverage.hit(covBirth)
	}
	if (amount{e.Row.Consumed, e.Row.Refunded}) != want {
		w.fail("I4", "%s writes %d−%d for %s, but accepted %v since the row %v",
			run.name, e.Row.Consumed, e.Row.Refunded, w.keyName(k), grown, last.row)
		return
	}
	p.pending[k] = amount{}
	run.rows[k] = append(list, version{row: e.Row, sum: last.sum.plus(grown)})
	p.know.learn(p.run, k, len(run.rows[k]))
}

// push sends pages to all other machines.
func (w *world) push(p *process, pages []*antientropy.Page, c *chance) {
	for _, page := range pages {
		body := page.Append(nil)
		for _, to := range w.machines {
			if to != p.m {
				w.send(&message{kind: msgPush, from: p.m.id, to: to.id, body: body, chance: c.fork()})
			}
		}
	}
}
