package sim

import (
	"errors"

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
	begun   int64
}

func (f *flush) becomeDurable(d *disk) { d.know, d.regs = f.know, f.regs }

func (w *world) opFlush(m *machine, _ *Op, c *chance) { w.beginFlush(m.proc, c) }

// flushIfWanted begins a flush soon when somebody waits for one.
func (w *world) flushIfWanted(p *process, c *chance) {
	select {
	case <-p.rep.WantFlush():
	default:
		return
	}
	if p.soon || w.settling {
		return
	}
	p.soon = true
	rest := c.fork()
	w.after(int64(c.below(300)), p, func(w *world, p *process) {
		p.soon = false
		w.beginFlush(p, &rest)
	})
}

// beginFlush takes the dirty set. The commit ends a while later, so that
// anything can happen in between.
func (w *world) beginFlush(p *process, c *chance) {
	if p.flush != nil {
		return // one at a time
	}
	w.tally.Flushes++
	w.noteFlush(p, p.rep.BeginFlush(w.instant(p)), c)
	fl := p.flush
	if fl == nil || w.broken != nil {
		return
	}
	if fl.f.Batch.Len() > 0 && c.permille(500) {
		// The store shows a batch before it is synced.
		switch err := p.store.Commit(fl.f.Batch, false); {
		case err == nil:
			fl.written = true
		case !errors.Is(err, storage.ErrFull):
			fl.written = true // or not: a crash will show
			w.failed(p, "flush", err)
			return
		}
	}
	if fl.f.PushEarly {
		w.push(p, fl.f.Pages, c)
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

// noteFlush puts a flush that has begun into the ledger.
func (w *world) noteFlush(p *process, f *replica.Flush, _ *chance) {
	if p.waitsSince > 0 {
		w.lag.pending = max(w.lag.pending, w.now-p.waitsSince)
		p.waitsSince = 0
	}
	if p.store.Err() != nil { // its commit is going to fail, and nothing of it leaves
		p.flush = &flush{f: f, know: p.m.disk.know, regs: p.m.disk.regs}
		return
	}
	w.noteRows(p, f)
	p.flush = &flush{f: f, know: p.know.clone(), regs: p.regs.clone(), begun: w.now}
}

// endFlush syncs the batch of the flush under way.
func (w *world) endFlush(p *process, c *chance) {
	fl := p.flush
	if fl == nil || !p.alive() {
		return // what was pushed came back with a request that ended the process
	}
	f := fl.f
	var err error
	switch {
	case f.Batch.Len() == 0:
	case fl.written:
		err = p.store.Commit(storage.NewBatch(), true)
	default:
		err = p.store.Commit(f.Batch, true)
		fl.written = true // a commit that failed may be there after a crash
	}
	if err != nil && !errors.Is(err, storage.ErrFull) {
		w.failed(p, "flush", err) // the process ends with its flush
		return
	}
	p.flush = nil
	p.rep.EndFlush(f, w.instant(p), err)
	if err != nil {
		w.coverage.hit(covFlushRefused)
		w.tell("%s cannot flush: %v", w.ledger.runs[p.run].name, err)
		w.wake(p, f.Gen, false)
		return
	}
	w.lag.flush = max(w.lag.flush, w.now-fl.begun)
	fl.becomeDurable(p.m.disk)
	w.wake(p, f.Gen, true)
	if !f.PushEarly {
		w.push(p, f.Pages, c)
	}
	if c.permille(150) {
		w.checkStore(p)
	}
}

// noteRows puts the rows of a flush into the ledger: they must be exactly what
// was accepted since the last one, on top of what this run had written.
func (w *world) noteRows(p *process, f *replica.Flush) {
	run := w.ledger.runs[p.run]
	for _, page := range f.Pages {
		for i := range page.Entries {
			w.noteEntry(p, run, &page.Entries[i])
		}
	}
	if len(f.Pages) == 0 && f.Batch.Len() > 0 {
		w.noteUnsaid(p, run, f)
	}
	if w.broken != nil {
		return
	}
	if len(f.Pages) > 1 {
		w.coverage.hit(covMultiPage)
	}
	for k := range w.ledger.keys {
		if !p.pending[k].zero() && !w.void(&p.regs, k) {
			w.fail("I4", "a flush of %s: expected a row for %s, of which it accepted %s, got none", run.name, w.keyName(k), tokens(p.pending[k]))
			return
		}
		p.pending[k] = amount{}
	}
	if w.story != nil && len(f.Pages) > 0 {
		w.tell("%s flushes %s", run.name, w.entryNames(f.Pages))
	}
}

func (w *world) noteEntry(p *process, run *ledgerRun, e *crdt.Entry) {
	if e.Seq() <= run.lastSeq {
		w.fail("I5", "a flush of %s: expected a seq after %d, got %d", run.name, run.lastSeq, e.Seq())
		return
	}
	run.lastSeq = e.Seq()
	if e.Kind == crdt.KindRegister {
		w.noteRegister(p, run, e)
	} else {
		w.noteRow(p, run, e)
	}
}

// noteUnsaid finds the rows of a flush that nobody is told of, since there are
// no peers, in its batch.
func (w *world) noteUnsaid(p *process, run *ledgerRun, f *replica.Flush) {
	engine := p.m.disk.engine.Clone()
	engine.Rot(nil)
	scratch, err := storage.New(engine)
	w.must(err)
	w.must(scratch.Commit(f.Batch, false))
	var cell storage.Cell
	w.must(scratch.Index(run.origin, run.lastSeq, func(_ uint64, kind crdt.Kind, key string) bool {
		e := crdt.Entry{Kind: kind, Key: key}
		if kind == crdt.KindRegister {
			e.Register, _, err = scratch.Register(key)
		} else if _, err = scratch.Cell(kind, key, &cell); err == nil {
			e.Row = *cell.Slot(run.origin)
		}
		w.must(err)
		w.noteEntry(p, run, &e)
		return w.broken == nil
	}))
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
		w.fail("I5", "%s begins a generation of %s: expected birth %d, its seq, got %d", run.name, w.keyName(k), e.Row.Seq, e.Row.Birth)
		return
	} else if len(list) > 0 {
		w.coverage.hit(covBirth)
	}
	if (amount{e.Row.Consumed, e.Row.Refunded}) != want {
		w.fail("I4", "the row of %s for %s: expected %s, with the %s accepted since the last one, got %s",
			run.name, w.keyName(k), tokens(want), tokens(grown), rowText(e.Row))
		return
	}
	p.pending[k] = amount{}
	run.rows[k] = append(list, version{row: e.Row, sum: last.sum.plus(grown)})
	p.know.learn(p.run, k, len(run.rows[k]))
}

// noteRegister looks that a register leaves the process as it was written.
func (w *world) noteRegister(p *process, run *ledgerRun, e *crdt.Entry) {
	k := w.ledger.regs.key(e.Key)
	if w.ledger.regs.find(k, &e.Register) != p.regs.get(k) {
		w.fail("I6", "a flush of %s, register %q: expected the value it was last told of, got version %v", run.name, e.Key, e.Register.Version)
	}
}

// push sends pages to all other machines.
func (w *world) push(p *process, pages []*antientropy.Page, c *chance) {
	for _, page := range pages {
		w.checkLeaving(p, page)
		body := w.encode(page)
		for _, to := range w.machines {
			if to != p.m {
				w.send(&message{kind: msgPush, from: p.m.id, to: to.id, body: body, chance: c.fork()})
			}
		}
	}
}

func (w *world) opIdle(m *machine, _ *Op, c *chance) {
	w.push(m.proc, []*antientropy.Page{m.proc.rep.IdlePage(w.instant(m.proc))}, c)
}
