package sim

import (
	"math/big"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/ratelimit"
)

// ideal is one central bucket that everything admitted anywhere is taken from,
// at true time, in exact arithmetic. How far it is below zero is the overshoot.
// It begins full when somebody first asks. Tokens arrive one µtok after the
// other, also while it is full: the fraction of the next one is never thrown away.
type ideal struct {
	begun   bool
	full    bool     // the last time somebody looked, before it took
	unclear bool     // refunds, resets or other limits have touched it
	level   *big.Int // µtok · den
	at      int64    // ms
	taken   uint64   // µtok, ever
}

// unclear ends the account of overshoot of a bucket: what comes next has no
// counterpart in the ideal one.
func (w *world) unclear(k int) { w.ledger.keys[k].ideal.unclear = true }

func (w *world) unclearAll() {
	for k := range w.ledger.keys {
		w.unclear(k)
	}
	w.muddled = true
}

// refilled brings the bucket to the present. The fastest clock of the cluster
// counts, as the refill of its node does.
func (b *ideal) refilled(w *world, l *ratelimit.Limit) {
	full := new(big.Int).Mul(big.NewInt(l.Capacity), new(big.Int).SetUint64(l.RateDen))
	if !b.begun {
		*b = ideal{begun: true, unclear: b.unclear, level: full, at: w.now, full: true}
		return
	}
	ns := (w.now - b.at) * (1_000_000 + w.fastest())
	b.at = w.now
	b.level.Add(b.level, new(big.Int).Mul(big.NewInt(ns), new(big.Int).SetUint64(l.RateNum)))
	b.full = false
	if over := new(big.Int).Sub(b.level, full); over.Sign() >= 0 {
		b.full = true
		b.level.Add(full, over.Rem(over, new(big.Int).SetUint64(l.RateDen)))
	}
}

// noteAsked begins the ideal bucket.
func (w *world) noteAsked(q *request, k int) {
	if b := &w.ledger.keys[k].ideal; !b.begun && !w.muddled && w.ledger.keys[k].kind == crdt.KindBucket {
		l := w.limitOf(q)
		b.refilled(w, &l)
	}
}

func (b *ideal) take(n uint64, l *ratelimit.Limit) {
	b.taken += n
	b.level.Sub(b.level, new(big.Int).Mul(new(big.Int).SetUint64(n), new(big.Int).SetUint64(l.RateDen)))
}

// micro is the level in µtok, rounded down.
func (b *ideal) micro(l *ratelimit.Limit) int64 {
	return new(big.Int).Div(b.level, new(big.Int).SetUint64(l.RateDen)).Int64()
}

func (w *world) fastest() (ppm int64) {
	for _, c := range w.plan.Clocks {
		ppm = max(ppm, c.DriftPPM)
	}
	return ppm
}

func (w *world) limitOf(q *request) ratelimit.Limit {
	if q.inline != nil {
		return *q.inline
	}
	return w.plan.Default.Limit()
}

// checkAdmission holds an admission against the ideal bucket: it may be
// overdrawn by what the node was not told of, and by what it took for unused
// while it did not hear its peers.
func (w *world) checkAdmission(p *process, q *request, k int) {
	b := &w.ledger.keys[k].ideal
	if w.muddled {
		b.unclear = true
	}
	if b.unclear {
		return
	}
	l := w.limitOf(q)
	b.refilled(w, &l)
	w.forgive(k)
	b.take(uint64(q.n*ratelimit.Token), &l)
	level := b.micro(&l)
	if level < 0 {
		w.coverage.hit(covOvershoot)
	}
	if l.Floor < forgivesNothing {
		return // debt may be forgiven: the bound is wider
	}
	if w.alone() && level < 0 {
		w.fail("I8", "%s, alone, is asked for %d of %s: expected a denial, since %d µtok are missing, got admission", p.m.name, q.n, q.agent, -level)
	}
	known := w.ledger.sum(&p.know, k).plus(p.pending[k])
	unseen := int64(b.taken - min(b.taken, known.consumed))
	bound := unseen + w.mistaken(p, k, &l) + w.rounding(p, &l)
	if -level > bound {
		w.fail("I8", "%s admits %d of %s; overdraft: expected %d µtok at most, as it was not told of %d, got %d",
			p.m.name, q.n, q.agent, bound, unseen, -level)
	}
	if -level > 0 {
		w.coverage.hit(covOvershootChecked)
	}
}

// forgivesNothing is a floor that no bucket of a schedule reaches.
const forgivesNothing = 1000 * 1000 * ratelimit.Token

// mistaken bounds the consumption that a node forgave its peers because it was
// thrown away here while they were not heard.
func (w *world) mistaken(p *process, k int, l *ratelimit.Limit) int64 {
	others := int64(len(w.machines) - 1)
	gap := p.silence[k]
	for _, m := range w.machines {
		if m != p.m && m.disk != nil {
			gap = max(gap, w.now-p.heard[m.disk.node])
		}
	}
	if len(p.heard) == 0 {
		gap = w.now
	}
	return others * min(l.Capacity+l.Floor, refill(l, gap+1, w.fastest()))
}

// forgive ends the memory of silences when the central bucket is full: no node has
// more then.
func (w *world) forgive(k int) {
	if !w.ledger.keys[k].ideal.full {
		return
	}
	for _, m := range w.machines {
		if m.proc != nil {
			m.proc.silence[k] = 0
		}
	}
}

// rounding is what clocks of whole milliseconds lose when a bucket leaves the
// memory and comes back.
func (w *world) rounding(p *process, l *ratelimit.Limit) int64 {
	away := int64(p.rep.Stats(w.instant(p)).Evicted) + int64(p.m.starts) + 2
	return refill(l, 2*away, w.fastest()) + 10
}

func refill(l *ratelimit.Limit, ms, ppm int64) int64 {
	n := new(big.Int).SetUint64(l.RateNum)
	n.Mul(n, big.NewInt(ms*(1_000_000+ppm)))
	return n.Div(n, new(big.Int).SetUint64(l.RateDen)).Int64() + 1
}

// charged takes a charge of a start from the ideal bucket.
func (w *world) charged(k int) {
	w.unclear(k) // it may be more than was admitted
}

// noteHeard remembers when a process last heard all of a node.
func (w *world) noteHeard(p *process, page *antientropy.Page) {
	w.noteClaim(p, page)
	if !page.Complete || page.From != page.Run.Node || w.outlived(page.Run.Origin) {
		return
	}
	last := p.heard[page.From]
	for k := range w.ledger.keys {
		p.silence[k] = max(p.silence[k], w.now-last)
	}
	p.heard[page.From] = w.now
}

// outlived tells whether a newer run of the same node has begun.
func (w *world) outlived(o crdt.Origin) bool {
	i, known := w.ledger.runOf[o]
	if !known {
		return true
	}
	for _, r := range w.ledger.runs[i+1:] {
		if r.node == w.ledger.runs[i].node {
			return true
		}
	}
	return false
}

// checkDenial looks that a node alone denies only what is not there.
func (w *world) checkDenial(p *process, q *request, k int, out *replica.Outcome) {
	b := &w.ledger.keys[k].ideal
	if w.muddled || b.unclear || !w.alone() || w.ledger.keys[k].kind != crdt.KindBucket {
		return
	}
	l := w.limitOf(q)
	b.refilled(w, &l)
	if level := b.micro(&l); level >= q.n*ratelimit.Token {
		w.fail("I8", "%s, alone, is asked for %d of %s: expected admission, since %d µtok are there, got a denial", p.m.name, q.n, q.agent, level)
	}
	if out.Decision.RetryAfter <= 0 {
		w.fail("I8", "%s denies %d of %s: expected a time after which to try again, got none", p.m.name, q.n, q.agent)
	}
}

// checkExact looks that the bucket of a node alone is the ideal one, to the µtok.
func (w *world) checkExact(p *process, q *request, level int64) {
	k := w.bucketKey(p, q)
	if k < 0 || w.muddled || !w.alone() {
		return
	}
	b := &w.ledger.keys[k].ideal
	if b.unclear {
		return
	}
	l := w.limitOf(q)
	want := l.Capacity
	if b.begun { // a look begins nothing
		b.refilled(w, &l)
		want = b.micro(&l)
	}
	if level != want {
		w.fail("I8", "%s, alone, level of %s: expected %d µtok, got %d", p.m.name, q.agent, want, level)
	}
}

// alone tells whether there was never more than one process.
func (w *world) alone() bool {
	return w.plan.Machines == 1 && w.plan.Spares == 0 && w.machines[0].starts == 1 && w.plan.HotCells >= 1000 && w.plan.Clocks[0].DriftPPM == 0
}
