package sim

import (
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/node/replica"
)

// hearing is what a process heard of its peers, by which a checker bounds how far
// its buckets may be below the central one.
type hearing struct {
	any  map[crdt.NodeID]int64 // when anything complete of the node's runs came last, from whomever
	hurt map[crdt.NodeID]bool  // since it was last heard, somebody who was silent for longer has made a claim
	rows map[crdt.NodeID]lastRows
	runs map[crdt.Origin]int64 // when a run was last heard, by itself
	lost int64                 // ms; the longest silence that a claim fell into
}

// lastRows is when rows of a node came last, of which run, and when it had been
// heard before.
type lastRows struct {
	at    int64
	run   crdt.Origin
	heard int64
}

// heardAt is when the node had been heard before this instant, if it has told of
// rows in it already.
func (r lastRows) heardAt(now int64) int64 {
	if r.run != 0 && r.at == now {
		return r.heard
	}
	return now
}

// lag is how old the news in a page may be at most, as far as it was seen, in ms:
// a page that says that nothing was consumed does not know of what waits for a
// flush, or for the end of one, nor of what was consumed while it was under way.
type lag struct{ pending, flush, message int64 }

func (g *lag) all() int64 { return g.pending + g.flush + g.message }

// promptly flushes soon after something was accepted, as the product does, where
// it is measured.
func (w *world) promptly(p *process) {
	if !w.plan.Metered {
		return
	}
	if p.waitsSince == 0 {
		p.waitsSince = w.now
	}
	if p.prompt || w.settling {
		return
	}
	p.prompt = true
	w.flushPromptly(p, chance(w.id('m', uint64(p.m.id), uint64(w.now))))
}

// flushPromptly begins a flush as soon as there is none under way.
func (w *world) flushPromptly(p *process, c chance) {
	w.after(100, p, func(w *world, p *process) {
		if p.flush != nil {
			w.flushPromptly(p, c)
			return
		}
		p.prompt = false
		w.beginFlush(p, &c)
	})
}

// noteClaim follows a page that p was just given. A row of a peer that was silent
// for long may claim what was forfeited meanwhile, and with it what peers heard
// since would have claimed: their marks are above what is left. They miss what is
// forfeited until they are heard again, and no more than that.
func (w *world) noteClaim(p *process, page *antientropy.Page) {
	h := &p.hearing
	if h.any == nil {
		h.any, h.hurt, h.rows = make(map[crdt.NodeID]int64), make(map[crdt.NodeID]bool), make(map[crdt.NodeID]lastRows)
		h.runs = make(map[crdt.Origin]int64)
	}
	from := page.Run.Node
	if len(page.Entries) > 0 {
		for n, at := range h.any {
			if n != from && at > p.heard[from] {
				h.hurt[n] = true
			}
		}
	}
	if rows := h.rows[from]; len(page.Entries) > 0 {
		if rows.at == w.now && rows.run != page.Run.Origin {
			h.lost = max(h.lost, w.now-rows.heard) // the rows of its older run have claimed all there was
		}
		if at := h.runs[page.Run.Origin]; at < p.heard[from] {
			h.lost = max(h.lost, w.now-at) // the node was heard by another of its runs, and its mark moved
		}
		h.rows[from] = lastRows{at: w.now, run: page.Run.Origin, heard: min(p.heard[from], rows.heardAt(w.now))}
	}
	if !page.Complete {
		return
	}
	h.runs[page.Run.Origin] = w.now
	if page.From != from { // a relay may have heard it long ago itself
		h.lost = max(h.lost, w.now-p.heard[from])
	}
	if h.hurt[from] && page.From == from {
		h.lost = max(h.lost, w.now-p.heard[from])
		h.hurt[from] = false
	}
	h.any[from] = w.now
}

// checkStarved looks that what is left in a bucket is no less than what the
// central one holds, but for what peers are expected to consume while they are not
// heard, and for what claims may take from each other. The ideal bucket was
// brought to the present.
func (w *world) checkStarved(p *process, q *request, k int, out *replica.Outcome) {
	b := &w.ledger.keys[k].ideal
	if !w.plan.Metered || b.unclear || w.muddled || !b.begun || w.restarted() || len(w.machines) == 1 {
		return
	}
	l := w.limitOf(q)
	b.refilled(w, &l)
	gap := int64(0)
	for _, m := range w.machines {
		if m != p.m {
			gap = max(gap, w.now-p.heard[m.disk.node])
		}
	}
	least := b.micro(&l) - refill(&l, gap+p.hearing.lost+w.lag.all()+1, 0) - grains
	if left := out.Decision.Remaining; left < least {
		w.fail("I7", "%s is asked for %d of %s; what is left: expected at least %d µtok, since a central bucket has %d, got %d",
			p.m.name, q.n, q.agent, least, b.micro(&l), left)
	}
	if least > 0 {
		w.coverage.hit(covStarvedChecked)
	}
}

// grains is what is rounded away, a µtok for each row and prediction.
const grains = 2000

// restarted tells whether any machine has had more than one process. Rows of a run
// that is over may come after its node was heard under the next one; what they
// would have claimed is lost then.
func (w *world) restarted() bool {
	for _, m := range w.machines {
		if m.starts != 1 {
			return true
		}
	}
	return false
}
