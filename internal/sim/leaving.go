package sim

import (
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

// checkLeaving looks at what a process is about to tell a peer: a register, and a
// row under a `reserve` mark, must be on its disk by then. A crash would take
// back the one, and charge the other a second time.
func (w *world) checkLeaving(p *process, page *antientropy.Page) {
	if !p.alive() {
		return // it was cast out in the midst of an answer, and its disk wiped
	}
	d := p.m.disk
	own := page.Run.Origin == w.ledger.runs[p.run].origin
	for i := range page.Entries {
		e := &page.Entries[i]
		switch {
		case e.Kind == crdt.KindRegister:
			k := w.ledger.regs.key(e.Key)
			sent := w.ledger.regs.find(k, &e.Register)
			if kept := w.ledger.regs.value(d.regs, k); sent > 0 && (kept == nil || w.ledger.regs.values[k][sent-1].later(kept)) {
				w.fail("E2", "%s tells of register %q: expected a value that is on its disk, got version %v", p.m.name, e.Key, e.Register.Version)
			}
		case own && w.careful(e):
			k := w.ledger.key(e.Kind, e.Key)
			if k < 0 {
				continue
			}
			if sent := w.ledger.runs[p.run].find(k, e.Row); sent > d.know.get(p.run, k) {
				w.fail("D4", "%s tells of %s: expected a row that is on its disk, got %s", p.m.name, w.keyName(k), rowText(e.Row))
			}
		}
	}
}

// careful tells whether an entry is of a bucket that was under `reserve` all the
// time.
func (w *world) careful(e *crdt.Entry) bool {
	if e.Kind != crdt.KindBucket || len(w.plan.Policies) > 0 || w.plan.Default.Durability != ratelimit.Reserve {
		return false
	}
	b, err := crdt.ParseBucketKey(e.Key)
	return err == nil && b.Inline == ""
}

// checkMarks looks that a start has charged all marks: what is left would be
// charged again.
func (w *world) checkMarks(p *process) {
	marks := 0
	w.must(p.store.HighWaters(countMark(&marks)))
	if marks > 0 {
		w.fail("I10", "marks on the disk of %s when it has started: expected none, got %d", p.m.name, marks)
	}
}

func countMark(n *int) func(string, storage.HighWater) bool {
	return func(string, storage.HighWater) bool {
		*n++
		return true
	}
}
