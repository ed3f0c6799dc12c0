package sim

import (
	"maps"

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
	ours, err := p.rep.Digest(w.instant(p))
	w.must(err)
	theirs, err := o.rep.Digest(w.instant(o))
	w.must(err)
	if w.broken != nil || !maps.Equal(ours.Vector, theirs.Vector) {
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
			n, err := p.rep.MergeAudit(w.instant(p), page)
			if n > 0 && !p.know.lossy && !o.know.lossy && !w.schism {
				w.fail("I3", "an audit of %s with %s finds %s", p.m.name, o.m.name, w.entryNames([]*antientropy.Page{page}))
			}
			return err
		})
		w.must(err)
	}
}
