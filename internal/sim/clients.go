package sim

import (
	"errors"
	"fmt"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/ratelimit"
)

const tenant = "t"

func agentName(i int) string { return fmt.Sprintf("agent%d", i) }

// request is one client's consumption, until it is answered.
type request struct {
	agent  string
	n      int64 // tokens
	inline *ratelimit.Limit
	tries  int
}

func (q *request) of() replica.Request {
	return replica.Request{Tenant: tenant, Agent: q.agent, Tokens: q.n * ratelimit.Token, Inline: q.inline}
}

func (w *world) newRequest(c *chance) *request {
	return &request{agent: agentName(w.someAgent(c)), n: 1 + int64(c.below(w.plan.bite()))}
}

// someAgent draws an agent; with Zipf the first is as busy as the second and third
// together, and so on.
func (w *world) someAgent(c *chance) int {
	n := w.plan.Agents
	if !w.plan.Zipf {
		return c.below(n)
	}
	const unit = 840 // divisible by 1 … 8
	total := 0
	for i := range n {
		total += unit / (i + 1)
	}
	at := c.below(total)
	for i := range n {
		if at -= unit / (i + 1); at < 0 {
			return i
		}
	}
	return 0
}

// opBurst is one client that asks again and again, at once.
func (w *world) opBurst(m *machine, _ *Op, c *chance) {
	q := w.newRequest(c)
	w.coverage.hit(covBurst)
	for range 4 + c.below(12) {
		if m.proc == nil || w.broken != nil {
			return
		}
		w.consume(m.proc, &request{agent: q.agent, n: q.n})
	}
}

func (w *world) opConsume(m *machine, _ *Op, c *chance) { w.consume(m.proc, w.newRequest(c)) }

func (w *world) opInline(m *machine, _ *Op, c *chance) {
	q := w.newRequest(c)
	limit := ratelimit.Policy{Capacity: 9 + int64(c.below(2)), RefillRate: ratelimit.Whole(1), IntervalSeconds: ratelimit.Whole(2)}.Limit()
	q.inline, q.n = &limit, min(q.n, plainBite)
	w.consume(m.proc, q)
}

// consume asks once; a bucket that reserves may want to be asked again.
func (w *world) consume(p *process, q *request) {
	k := w.bucketKey(p, q)
	if k < 0 {
		return
	}
	w.noteAsked(q, k)
	var out replica.Outcome
	r := q.of()
	if err := p.rep.Consume(w.instant(p), &r, &out); w.failed(p, "consume", err) {
		return
	}
	w.decided(p, q, k, &out)
}

func (w *world) decided(p *process, q *request, k int, out *replica.Outcome) {
	run := w.ledger.runs[p.run].name
	switch {
	case out.Again:
		w.tell("%s: consume %d of %s has to wait for a mark", run, q.n, q.agent)
		w.coverage.hit(covMarkAwaited)
		if q.tries++; q.tries > 50 {
			w.fail("I15", "%s, consume %d of %s: expected an answer after a mark or two, got 50 requests to wait", run, q.n, q.agent)
			return
		}
		p.await(out.Wait, func(w *world, durable bool) {
			if durable {
				w.consume(p, q)
			}
		})
	case !out.Decision.Allowed:
		w.tell("%s: consume %d of %s: denied", run, q.n, q.agent)
		w.coverage.hit(covDenied)
		w.checkDenial(p, q, k, out)
		w.checkStarved(p, q, k, out)
	default:
		w.tell("%s: consume %d of %s: allowed", run, q.n, q.agent)
		w.accept(p, k, amount{consumed: uint64(q.n * ratelimit.Token)})
		w.checkAdmission(p, q, k)
		w.checkStarved(p, q, k, out)
		w.promise(p, k, w.durability(p, q), out.Wait)
	}
}

// accept notes what a replica has said yes to.
func (w *world) accept(p *process, k int, a amount) {
	p.pending[k] = p.pending[k].plus(a)
	p.accepted[k] = p.accepted[k].plus(a)
	w.promptly(p)
}

// promise notes from when on the consumption up to now must survive a crash:
// the client has its answer.
func (w *world) promise(p *process, k int, mode ratelimit.Durability, wait uint64) {
	if mode == ratelimit.Async {
		return
	}
	upto := p.accepted[k].consumed
	if wait == 0 {
		p.floor[k] = max(p.floor[k], upto)
		return
	}
	p.await(wait, func(_ *world, durable bool) {
		if durable {
			p.floor[k] = max(p.floor[k], upto)
		}
	})
}

func (w *world) durability(p *process, q *request) ratelimit.Durability {
	if q.inline != nil {
		return ratelimit.Async
	}
	d := w.policyOf(&p.regs, q.agent).Durability
	if d == "" {
		return ratelimit.Async
	}
	return d
}

// opBatch asks for several buckets at once, all or nothing in half of the cases.
func (w *world) opBatch(m *machine, _ *Op, c *chance) {
	p := m.proc
	atomic := c.permille(500)
	qs := make([]*request, 2+c.below(2))
	for i := range qs {
		qs[i] = w.newRequest(c)
	}
	w.batch(p, qs, atomic)
}

func (w *world) batch(p *process, qs []*request, atomic bool) {
	rs, keys := make([]replica.Request, len(qs)), make([]int, len(qs))
	sum := make(map[int]int64)
	for i, q := range qs {
		if keys[i] = w.bucketKey(p, q); keys[i] < 0 {
			return
		}
		rs[i] = q.of()
		if sum[keys[i]] += q.n; atomic && sum[keys[i]] > w.policyOf(&p.regs, q.agent).Capacity {
			return
		}
	}
	for i, q := range qs {
		w.noteAsked(q, keys[i])
	}
	outs := make([]replica.Outcome, len(qs))
	b, _, err := p.rep.ConsumeBatch(w.instant(p), rs, atomic, outs)
	if w.failed(p, "batch", err) {
		return
	}
	if !atomic {
		for i, q := range qs {
			w.decided(p, q, keys[i], &outs[i])
		}
		return
	}
	w.coverage.hit(covAtomic)
	w.tell("%s: atomic batch of %d: again %v, allowed %v", w.ledger.runs[p.run].name, len(qs), b.Again, b.Allowed)
	switch {
	case b.Again:
		if qs[0].tries++; qs[0].tries > 50 {
			w.fail("I15", "%s, an atomic batch: expected an answer after a mark or two, got 50 requests to wait", p.m.name)
			return
		}
		p.await(b.Wait, func(w *world, durable bool) {
			if durable {
				w.batch(p, qs, true)
			}
		})
	case b.Allowed:
		for i, q := range qs {
			w.accept(p, keys[i], amount{consumed: uint64(q.n * ratelimit.Token)})
		}
		for i, q := range qs {
			w.checkAdmission(p, q, keys[i])
			w.promise(p, keys[i], w.durability(p, q), b.Wait)
		}
	}
}

func (w *world) opRefund(m *machine, _ *Op, c *chance) {
	p := m.proc
	q := w.newRequest(c)
	k := w.bucketKey(p, q)
	if k < 0 {
		return
	}
	w.noteAsked(q, k)
	r := q.of()
	given, _, err := p.rep.Refund(w.instant(p), &r)
	if w.failed(p, "refund", err) {
		return
	}
	known := w.ledger.sum(&p.know, k).plus(p.pending[k])
	want := min(uint64(r.Tokens), known.consumed-min(known.consumed, known.refunded))
	if uint64(given) != want && !p.know.lossy && !w.schism {
		w.fail("I11", "%s refunds %s: expected %dµ of the %s it knows of, got %dµ", p.m.name, q.agent, want, tokens(known), given)
	}
	w.tell("%s: refund %d of %s: %d", w.ledger.runs[p.run].name, q.n, q.agent, given/ratelimit.Token)
	if given > 0 {
		w.coverage.hit(covRefund)
		w.unclear(k)
		w.accept(p, k, amount{refunded: uint64(given)})
	}
}

// bucketKey is the ledger's number of the bucket a request is about.
func (w *world) bucketKey(p *process, q *request) int {
	key := crdt.BucketKey{Tenant: tenant, Agent: q.agent, Epoch: w.epochOf(&p.regs, q.agent)}
	if q.inline != nil {
		key.Inline = string(q.inline.AppendInline(nil))
	}
	return w.ledger.key(crdt.KindBucket, key.Encode())
}

// opLook asks a replica to explain an agent, and holds it against the ledger.
func (w *world) opLook(m *machine, _ *Op, c *chance) {
	p := m.proc
	q := w.newRequest(c)
	r := q.of()
	v, err := p.rep.Explain(w.instant(p), &r)
	if w.failed(p, "explain", err) {
		return
	}
	w.checkLevels(p, q.agent, &v)
	w.checkExact(p, q, v.Buckets[0].Level)
	var want amount
	epoch := w.epochOf(&p.regs, q.agent)
	for k, key := range w.ledger.keys {
		if key.kind == crdt.KindBucket && key.agent == q.agent && key.epoch == epoch {
			want = want.plus(w.ledger.sum(&p.know, k)).plus(p.pending[k])
		}
	}
	got := amount{v.Total.Consumed.Lo, v.Total.Refunded.Lo}
	if got != want && !(p.know.lossy && got.within(want)) && !w.schism {
		w.fail("I4", "%s explains %s: expected %s, of which it was told, got %s", p.m.name, q.agent, tokens(want), tokens(got))
	}
}

// checkLevels looks that an agent's buckets are within their bounds.
func (w *world) checkLevels(p *process, agent string, v *replica.AgentView) {
	for i := range v.Buckets {
		b := &v.Buckets[i]
		l := b.Policy.Limit()
		if b.Level > l.Capacity || b.Level < -l.Floor {
			w.fail("I7", "the level of %s at %s: expected −%d … %d, got %d", agent, p.m.name, l.Floor, l.Capacity, b.Level)
		}
		if b.Level == -l.Floor && l.Floor > 0 {
			w.coverage.hit(covFloor)
		}
	}
}

// lookAfterMerge looks now and then at an agent of a page that was just merged,
// when its debt is deepest.
func (w *world) lookAfterMerge(p *process, page *antientropy.Page, m *message) {
	c := m.chance // a copy: what is drawn here changes nothing else
	if len(page.Entries) == 0 || p.m.faulty || !c.permille(100) {
		return
	}
	e := &page.Entries[c.below(len(page.Entries))]
	k, err := crdt.ParseBucketKey(e.Key)
	if e.Kind != crdt.KindBucket || err != nil {
		return
	}
	v, err := p.rep.Explain(w.instant(p), &replica.Request{Tenant: tenant, Agent: k.Agent})
	if !w.failed(p, "explain", err) {
		w.checkLevels(p, k.Agent, &v)
	}
}

// failed tells whether a call went wrong. It may when its disk was made to
// fail; the process ends then.
func (w *world) failed(p *process, what string, err error) bool {
	switch {
	case err == nil:
		return false
	case p.m.faulty:
		w.tell("%s: %s fails: %v", p.m.name, what, err)
		w.dieOfDisk(p.m)
	default:
		w.fail("calls", "%s, %s: expected success on a disk that works, got %v", p.m.name, what, err)
	}
	return true
}

// refused is failed for calls that may say no.
func (w *world) refused(p *process, what string, err error, allowed ...error) bool {
	for _, a := range allowed {
		if errors.Is(err, a) {
			return true
		}
	}
	return w.failed(p, what, err)
}
