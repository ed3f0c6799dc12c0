package sim

import (
	"slices"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/node/replica"
)

func (w *world) opCollect(m *machine, _ *Op, c *chance) { w.collect(m.proc, 1+c.below(8)) }

func (w *world) collect(p *process, budget int) replica.CollectStats {
	stats, err := p.rep.Collect(w.instant(p), budget)
	if w.failed(p, "collect", err) {
		return stats
	}
	if stats.Dropped > 0 {
		w.coverage.add(covCollected, uint64(stats.Dropped))
		w.tell("%s drops %d rows", w.ledger.runs[p.run].name, stats.Dropped)
	}
	return stats
}

func (w *world) opTick(m *machine, _ *Op, _ *chance) {
	m.proc.rep.Tick(w.instant(m.proc))
	w.checkReleases(m.proc)
}

// opAudit compares the digests of two machines that have equal vectors.
func (w *world) opAudit(m *machine, op *Op, _ *chance) {
	o := w.machines[op.P]
	if o.proc == nil || o == m || m.faulty || o.faulty {
		return
	}
	w.audit(m.proc, o.proc)
}

// audit takes over what the other one has where digests differ although vectors
// are equal. Nothing may: it would mean that a row was lost.
func (w *world) audit(p, o *process) {
	w.auditWith(p, o, w.digest(p), w.digest(o))
}

func (w *world) digest(p *process) *antientropy.Digest {
	d, err := p.rep.Digest(w.instant(p))
	w.must(err)
	return d
}

func (w *world) auditWith(p, o *process, ours, theirs *antientropy.Digest) {
	if w.broken != nil || !ours.Comparable(theirs) {
		return
	}
	w.coverage.hit(covAudit)
	for i := range ours.Buckets {
		if ours.Buckets[i] == theirs.Buckets[i] {
			continue
		}
		err := o.rep.AuditBucket(w.instant(o), i, func(page *antientropy.Page) error {
			page, err := antientropy.DecodePage(page.Append(nil))
			if err != nil {
				return err
			}
			return w.repair(p, o, page)
		})
		w.must(err)
	}
}

// repair takes the entries of an audit, one by one, to see which of them are news.
func (w *world) repair(p, o *process, page *antientropy.Page) error {
	one := *page
	for i := range page.Entries {
		one.Entries = page.Entries[i : i+1]
		n, err := p.rep.MergeAudit(w.instant(p), &one)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if !p.know.lossy && !o.know.lossy && !w.schism && !w.superseded(&page.Entries[i]) && !w.dropped(p, &page.Entries[i]) {
			w.fail("I3", "an audit of %s with %s: expected nothing that its vector says is there, got %s", p.m.name, o.m.name, w.entryNames([]*antientropy.Page{&one}))
			return nil
		}
		w.coverage.hit(covRepaired)
		w.learnPage(p, &one)
	}
	return nil
}

// superseded tells whether something was written that voids an entry: a later
// value of a register, or the deletion of the agent or counter. A node that knows
// of it leaves the entry out of its pages, and who gets those may miss both, until
// the later write arrives on its own; if it was lost with the only disk that held
// it, an audit brings the entry back.
func (w *world) superseded(e *crdt.Entry) bool {
	regs := &w.ledger.regs
	if e.Kind == crdt.KindRegister {
		k := regs.key(e.Key)
		at := regs.find(k, &e.Register)
		return at > 0 && slices.ContainsFunc(regs.values[k], func(v regValue) bool { return v.later(&regs.values[k][at-1]) })
	}
	k := w.ledger.key(e.Kind, e.Key)
	return k >= 0 && w.deleted(k)
}

// dropped tells whether an entry is a register that was old enough to be dropped by
// a clock that the process, or the donor of its state, had before. By today's it
// may be young, and comes back until it is old again.
func (w *world) dropped(p *process, e *crdt.Entry) bool {
	cut := p.m.wall(w.now) + p.m.lost - w.plan.Tombstones.Milliseconds()
	r := &e.Register
	return e.Kind == crdt.KindRegister && (r.Deleted && r.Version.WallMS() < cut || r.ExpiresAt != 0 && r.ExpiresAt < cut)
}

// deleted tells whether anybody ever deleted the agent or counter of a key.
func (w *world) deleted(k int) bool {
	key := &w.ledger.keys[k]
	name := kvKey(key.agent)
	if key.kind == crdt.KindBucket {
		name = crdt.RegisterKey{Space: crdt.SpaceAgent, Tenant: tenant, Name: key.agent}
	}
	r, known := w.ledger.regs.keyOf[name.Encode()]
	return known && slices.ContainsFunc(w.ledger.regs.values[r], func(v regValue) bool { return v.version > key.epoch })
}
