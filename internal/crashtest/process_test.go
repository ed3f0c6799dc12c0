package crashtest

import (
	"errors"
	"fmt"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

// stage is how far the flush under way has come.
type stage uint8

const (
	idle    stage = iota
	begun         // the dirty set was taken
	applied       // the store shows the batch, but a crash may undo it
	synced        // it is durable, and nobody was told
)

// request is a consumption by one agent, or by several at once.
type request struct {
	agents []string
	tokens []int64
	inline *ratelimit.Limit
}

const (
	maxTokens = 5  // of one agent in a request
	maxBatch  = 15 // of one agent in an atomic batch
)

// reserveStep is δ of the policy with durability reserve, in µtok.
const reserveStep = 30 * token

// consume asks the replica, and notes what it accepted.
func (p *process) consume(q request) error {
	qs := make([]replica.Request, len(q.agents))
	for i, a := range q.agents {
		qs[i] = replica.Request{Tenant: tenant, Agent: a, Tokens: q.tokens[i] * token, Inline: q.inline}
	}
	keys := make([]cellKey, len(qs))
	for i := range qs {
		keys[i] = p.bucket(qs[i].Agent, q.inline)
	}
	outs := make([]replica.Outcome, len(qs))
	if len(qs) == 1 {
		if err := p.rep.Consume(p.n.now(), &qs[0], &outs[0]); err != nil {
			return err
		}
		p.took(q, keys, outs[0].Decision.Allowed, outs[0].Again, outs[0].Wait)
		return nil
	}
	b, _, err := p.rep.ConsumeBatch(p.n.now(), qs, true, outs)
	if err != nil {
		return err
	}
	p.took(q, keys, b.Allowed && !b.Again, b.Again, b.Wait)
	return nil
}

func (p *process) took(q request, keys []cellKey, allowed, again bool, wait uint64) {
	l := p.n.w.ledger
	for i, k := range keys {
		if durabilityOf(q.agents[i]) == ratelimit.Reserve && q.inline == nil {
			l.promise(p.n.id, k, ratelimit.Reserve).asked = true
		}
	}
	if again {
		p.again = append(p.again, q)
		return
	}
	if !allowed {
		return
	}
	for i, k := range keys {
		d := durabilityOf(q.agents[i])
		if q.inline != nil {
			d = ratelimit.Async
		}
		a := amount{consumed: uint64(q.tokens[i]) * token}
		p.accepted(k, d, d, a, wait)
	}
}

// accepted notes an amount of a counter, and when its client is told: by how the
// amount itself is kept.
func (p *process) accepted(k cellKey, d, kept ratelimit.Durability, a amount, wait uint64) {
	promise := p.n.w.ledger.accept(p.run, k, d, a)
	switch {
	case kept == ratelimit.Async: // promised once it is flushed
	case wait == 0:
		promise.kept = promise.kept.plus(a)
	default:
		p.waiting = append(p.waiting, waiter{wait, func() { promise.kept = promise.kept.plus(a) }})
	}
}

// bucket is the key under which the replica keeps an agent's bucket now.
func (p *process) bucket(agent string, inline *ratelimit.Limit) cellKey {
	k := crdt.BucketKey{Tenant: tenant, Agent: agent, Epoch: p.version(crdt.RegisterKey{Space: crdt.SpaceAgent, Tenant: tenant, Name: agent})}
	if inline != nil {
		k.Inline = string(inline.AppendInline(nil))
	}
	return cellKey{crdt.KindBucket, k.Encode()}
}

// version is that of a register as the replica knows it, 0 for none: of an
// agent's deletion, the epoch of its buckets, of a key, that of its counter.
func (p *process) version(key crdt.RegisterKey) crdt.HLC {
	defer p.n.faults.pause()()
	reg, _, err := p.rep.Register(key)
	if errors.Is(err, storage.ErrFailed) {
		p.failed = true // nothing that it accepts from now on reaches the disk
		return 0
	}
	p.n.w.must(err)
	return reg.Version
}

// void tells whether a counter was deleted as far as the replica knows.
func (p *process) void(k cellKey) bool {
	if k.kind == crdt.KindCounter {
		ck, err := crdt.ParseCounterKey(k.key)
		p.n.w.must(err)
		return p.version(crdt.RegisterKey{Space: crdt.SpaceKV, Tenant: tenant, Name: ck.Name}) > ck.Epoch
	}
	bk, err := crdt.ParseBucketKey(k.key)
	p.n.w.must(err)
	return p.version(crdt.RegisterKey{Space: crdt.SpaceAgent, Tenant: tenant, Name: bk.Agent}) > bk.Epoch
}

func (p *process) refund(agent string, tokens int64) error {
	k := p.bucket(agent, nil)
	given, out, err := p.rep.Refund(p.n.now(), &replica.Request{Tenant: tenant, Agent: agent, Tokens: tokens * token})
	if err != nil || given == 0 {
		return err
	}
	d := durabilityOf(agent)
	kept := d
	if kept == ratelimit.Reserve {
		kept = ratelimit.Async // a mark protects consumption only
	}
	p.accepted(k, d, kept, amount{refunded: uint64(given)}, out.Wait)
	return nil
}

func (p *process) increment(key string, by int64) error {
	epoch := p.version(crdt.RegisterKey{Space: crdt.SpaceKV, Tenant: tenant, Name: key})
	_, wait, err := p.rep.KVIncrement(p.n.now(), tenant, key, by)
	if err != nil {
		return err
	}
	a := amount{consumed: uint64(max(by, 0)), refunded: uint64(max(-by, 0))}
	k := cellKey{crdt.KindCounter, crdt.CounterKey{Tenant: tenant, Name: key, Epoch: epoch}.Encode()}
	p.accepted(k, ratelimit.Sync, ratelimit.Sync, a, wait)
	return nil
}

// wroteRegister notes a write that the replica has just accepted.
func (p *process) wroteRegister(key crdt.RegisterKey, wait uint64) {
	l, name := p.n.w.ledger, key.Encode()
	defer p.n.faults.pause()()
	reg, found, err := p.rep.Register(key)
	if errors.Is(err, storage.ErrFailed) {
		p.failed = true
		return
	}
	if err == nil && !found {
		err = errors.New("it is not there")
	}
	if err != nil {
		p.n.w.must(fmt.Errorf("register %q just written: %w", name, err))
	}
	l.regs[name] = append(l.regs[name], reg)
	p.waiting = append(p.waiting, waiter{wait, func() {
		if l.regsKept[p.n.id] == nil {
			l.regsKept[p.n.id] = make(map[string]crdt.HLC)
		}
		l.regsKept[p.n.id][name] = max(l.regsKept[p.n.id][name], reg.Version)
	}})
}

// begin takes the dirty set, and pushes at once if it may.
func (p *process) begin() {
	p.beganAs(p.rep.BeginFlush(p.n.now()))
	if p.flush.PushEarly {
		p.pushSome()
	}
}

func (p *process) beganAs(f *replica.Flush) {
	w := p.n.w
	var entries []crdt.Entry
	var upto uint64
	for _, page := range f.Pages {
		entries = append(entries, page.Entries...)
		upto = page.Upto
	}
	w.must(w.ledger.flushed(p.run, entries, upto, p.void))
	p.flush, p.stage = f, begun
	p.atBegin = make(map[cellKey]amount)
	for k, promise := range w.ledger.promises[p.n.id] {
		p.atBegin[k] = promise.accepted
	}
	p.at("begun")
}

// apply shows the batch in the store before it is durable.
func (p *process) apply() {
	if p.commit(p.flush.Batch, false) {
		p.stage = applied
		p.at("applied")
	}
}

// sync makes the flush durable.
func (p *process) sync() {
	b := p.flush.Batch
	if p.stage == applied {
		b = storage.NewBatch()
	}
	if b.Len() == 0 && p.stage == begun || p.commit(b, true) {
		p.stage = synced
		p.at("synced")
	}
}

// commit commits, or ends the flush with the error.
func (p *process) commit(b *storage.Batch, sync bool) bool {
	err := p.store.Commit(b, sync)
	if err == nil {
		return true
	}
	p.n.w.count.faults++
	p.n.w.tell("%s: commit: %v", p.n, err)
	p.failed = errors.Is(err, storage.ErrFailed)
	f := p.flush
	p.flush, p.stage = nil, idle
	p.rep.EndFlush(f, p.n.now(), err)
	p.requeue()
	return false
}

// requeue asks again for what waited for a flush that failed, and drops the
// answers: they were errors.
func (p *process) requeue() {
	p.waiting = nil
	p.again = nil
}

// end tells everybody who waited, and the peers.
func (p *process) end() {
	f := p.flush
	p.flush, p.stage = nil, idle
	p.rep.EndFlush(f, p.n.now(), nil)
	for k, a := range p.atBegin {
		promise := p.n.w.ledger.promises[p.n.id][k]
		switch promise.durability {
		case ratelimit.Async:
			promise.kept = a
		case ratelimit.Reserve: // a mark protects consumption only
			promise.kept.refunded = a.refunded
		}
	}
	kept := p.waiting[:0]
	for _, wt := range p.waiting {
		if wt.gen > f.Gen {
			kept = append(kept, wt)
			continue
		}
		wt.told()
	}
	p.waiting = kept
	again := p.again
	p.again = nil
	for _, q := range again {
		if err := p.consume(q); err != nil {
			p.n.w.tell("%s: %v", p.n, err)
		}
	}
	p.at("ended")
	if !f.PushEarly && !p.n.point.crashed() {
		p.flush = f // pushSome looks at its pages
		p.pushSome()
		p.flush = nil
	}
}

// at tells the schedule's own hook where the flush is.
func (p *process) at(where string) {
	p.n.w.tell("%s: flush %s", p.n, where)
	if p.n.w.boundary != nil && !p.n.point.crashed() {
		p.n.w.boundary(p, where)
	}
}

// wholeFlush finishes the flush under way, if any, and makes another.
func (p *process) wholeFlush() {
	for range 2 {
		if p.flush == nil {
			p.begin()
		}
		if p.flush != nil && p.stage != synced {
			p.sync()
		}
		if p.flush == nil || !p.n.alive() {
			return
		}
		p.end()
	}
}

// stop is a clean end: what it leaves charges nobody.
func (p *process) stop() {
	w := p.n.w
	if p.flush != nil {
		if p.stage != synced {
			p.sync()
		}
		if p.flush == nil || p.n.point.crashed() {
			return
		}
		p.end()
	}
	f, err := p.rep.BeginLastFlush(p.n.now())
	p.beganAs(f)
	clean := err == nil
	p.sync()
	if p.flush == nil || p.n.point.crashed() {
		return
	}
	p.again = nil // nothing is admitted any more
	p.end()
	p.again = nil
	if clean {
		for _, promise := range w.ledger.promises[p.n.id] {
			promise.asked = false
		}
	}
	w.tell("%s stops", p.n)
}

// pushSome pushes the pages of the flush under way to some peers, some of which
// miss a page.
func (p *process) pushSome() {
	w := p.n.w
	for _, o := range w.nodes {
		if o == p.n || !o.alive() || w.chance(30) {
			continue
		}
		for _, page := range p.flush.Pages {
			if w.chance(10) || !p.push(o.proc, page) {
				break
			}
		}
	}
}

// push sends a page in its wire form.
func (p *process) push(to *process, page *antientropy.Page) bool {
	got, err := antientropy.DecodePage(page.Append(nil))
	p.n.w.must(err)
	ack, err := to.rep.MergePush(to.n.now(), got)
	if err != nil {
		p.n.w.tell("%s refuses a page of %s: %v", to.n, p.n, err)
		return false
	}
	p.rep.NoteAck(p.n.now(), &ack)
	return true
}

// pull fetches what p lacks from another process, at most so many pages; -1
// means all.
func (p *process) pull(from *process, pages int) {
	q, err := antientropy.DecodePull(p.rep.PullRequest(p.n.now()).Append(nil))
	p.n.w.must(err)
	err = from.rep.AnswerPull(from.n.now(), q, func(page *antientropy.Page) error {
		if pages == 0 {
			return errCut
		}
		pages--
		got, err := antientropy.DecodePage(page.Append(nil))
		p.n.w.must(err)
		return p.rep.MergePulled(p.n.now(), got)
	})
	if err != nil {
		p.n.w.tell("%s pulls from %s: %v", p.n, from.n, err)
	}
	ack := from.rep.Ack(from.n.now())
	p.rep.NoteAck(p.n.now(), &ack)
}

var errCut = errors.New("the connection broke")

// inlineLimit is an inline policy of the schedules.
func inlineLimit() *ratelimit.Limit {
	l := ratelimit.Policy{Capacity: 500, RefillRate: ratelimit.Whole(1), IntervalSeconds: ratelimit.Whole(3600)}.Limit()
	return &l
}
