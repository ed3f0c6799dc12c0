package replica

import (
	"fmt"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

// AgentView is everything this node knows of an agent, and why it would answer
// as it does.
type AgentView struct {
	Tenant, Agent string
	Total         crdt.Total // over all buckets and origins, for ever
	Buckets       []BucketView
	WouldAllow    bool          // of the tokens asked about
	RetryAfter    time.Duration // until they could be had
}

// BucketView is one bucket of an agent: the configured one, or one made by an
// inline policy.
type BucketView struct {
	Inline    bool
	Policy    ratelimit.Policy
	Source    string
	Decision  ratelimit.Decision // level and times; Allowed is about the tokens asked for
	Level     int64              // µtok, negative in debt
	Total     crdt.Total
	Overshoot int64 // µtok that peers may have consumed unseen, at most
	Staleness time.Duration
	Rows      []RowView
}

// RowView is one origin's row.
type RowView struct {
	Origin             crdt.Origin
	Node               crdt.NodeID
	Name               string
	Consumed, Refunded uint64
	Age                time.Duration // since the origin wrote it, by its clock
}

// Explain answers why the agent's buckets are as they are, and whether q's
// tokens could be had now. It consumes nothing.
func (r *Replica) Explain(now Instant, q *Request) (AgentView, error) {
	v := AgentView{Tenant: q.Tenant, Agent: q.Agent}
	asked := string(r.bucketOf(nil, q))
	keys, err := r.bucketsOf(q.Tenant, q.Agent)
	if err != nil {
		return v, err
	}
	if !containsKey(keys, asked[1:]) {
		keys = append([]string{asked[1:]}, keys...)
	}
	for _, key := range keys {
		b, err := r.explainBucket(now, key, q.Tokens)
		if err != nil {
			return v, err
		}
		v.Total = v.Total.Plus(b.Total)
		if key == asked[1:] {
			v.WouldAllow, v.RetryAfter = b.Decision.Allowed, b.Decision.RetryAfter
			v.Buckets = append([]BucketView{b}, v.Buckets...)
			continue
		}
		v.Buckets = append(v.Buckets, b)
	}
	return v, nil
}

func containsKey(keys []string, key string) bool {
	for _, k := range keys {
		if k == key {
			return true
		}
	}
	return false
}

// bucketsOf lists the keys of all buckets of an agent, hot and cold.
func (r *Replica) bucketsOf(tenant, agent string) ([]string, error) {
	var keys []string
	base := r.appendBucketCellKey(nil, tenant, agent)
	prefix := string(base[1:])
	err := r.store.Cells(crdt.KindBucket, prefix, "", func(key string, _ *storage.Cell) bool {
		keys = append(keys, key)
		return true
	})
	if err != nil {
		return nil, err
	}
	return r.withHot(keys, base), nil
}

// withHot adds the keys in memory that begin with a prefix, which holds the
// whole name of an agent.
func (r *Replica) withHot(keys []string, prefix []byte) []string {
	sh, hash := r.locate(prefix)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.each(hash, prefix, func(c *cell) {
		if key := c.key(); !containsKey(keys, key) {
			keys = append(keys, key)
		}
	})
	return keys
}

func (r *Replica) explainBucket(now Instant, key string, tokens int64) (BucketView, error) {
	name := appendCellKey(nil, crdt.KindBucket, key)
	runs := r.runsCopy()
	sh, hash := r.locate(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c := sh.find(hash, name)
	if c == nil {
		var err error
		if c, err = r.coldLocked(sh, key, now); err != nil {
			return BucketView{}, err
		}
	}
	if c.bound != r.policies.Load().gen {
		r.captureIfDueLocked(sh, c)
		r.bindLocked(c, now)
	}
	view := r.view.Load()
	level := c.bucket.Level(now.Mono, c.limit(), view)
	k, err := crdt.ParseBucketKey(key)
	if err != nil {
		return BucketView{}, err
	}
	b := BucketView{Inline: k.Inline != "", Policy: c.policy.Policy, Level: level, Total: c.total()}
	if b.Source = ratelimit.SourceInline; !b.Inline {
		_, b.Source = r.policies.Load().tableOf(k.Tenant).Lookup(k.Agent)
	}
	b.Decision = c.bucket.Describe(now.Mono, c.policy, view, tokens, level >= tokens)
	b.Overshoot = c.bucket.Unseen(now.Mono, c.limit(), view)
	b.Staleness = time.Duration(view.Staleness(now.Mono))
	b.Rows = r.rowViews(c, runs, now)
	return b, nil
}

// coldLocked reads a cell without keeping it: looking at agents must not push
// the ones in use out of memory.
func (r *Replica) coldLocked(sh *shard, key string, now Instant) (*cell, error) {
	found, err := r.store.Cell(crdt.KindBucket, key, &sh.scratch)
	if err != nil {
		return nil, err
	}
	c := new(cell)
	c.begin(crdt.KindBucket, key, now)
	if found {
		r.thaw(c, &sh.scratch, now)
	}
	r.bindLocked(c, now)
	r.applyReset(c, now)
	return c, nil
}

func (r *Replica) rowViews(c *cell, runs map[crdt.Origin]crdt.Run, now Instant) []RowView {
	var rows []RowView
	view := func(o crdt.Origin, row *crdt.Row) RowView {
		return RowView{
			Origin: o, Node: runs[o].Node, Name: runs[o].Name, Consumed: row.Consumed, Refunded: row.Refunded,
			Age: time.Duration(max(0, now.Wall-row.TS)) * time.Millisecond,
		}
	}
	for _, s := range c.slots() {
		if !s.gone {
			rows = append(rows, view(s.origin, &s.row))
		}
	}
	consumed, refunded := c.pending()
	if c.hasOwn() || consumed|refunded != 0 {
		v := view(r.run, &c.own)
		v.Consumed += consumed
		v.Refunded += refunded
		if !c.hasOwn() {
			v.Age = 0
		}
		rows = append(rows, v)
	}
	return rows
}

func (r *Replica) runsCopy() map[crdt.Origin]crdt.Run {
	r.merge.Lock()
	defer r.merge.Unlock()
	m := make(map[crdt.Origin]crdt.Run, len(r.runs))
	for o, run := range r.runs {
		m[o] = run
	}
	return m
}

// Refund gives up to q.Tokens back, at most what was consumed and not yet
// given back as far as this node knows.
func (r *Replica) Refund(now Instant, q *Request) (given int64, out Outcome, err error) {
	sh, c, err := r.lockBucket(now, q)
	if err != nil {
		return 0, Outcome{}, err
	}
	defer sh.mu.Unlock()
	r.captureIfDueLocked(sh, c)
	given = int64(min(uint64(q.Tokens), c.refundable()))
	if given > 0 {
		c.giveBack(uint64(given))
		c.bucket.Refund(now.Mono, c.limit(), r.view.Load(), given)
		r.markDirtyLocked(sh, c)
		sh.refunded += uint64(given)
		out.Wait = r.waitOf(c)
	}
	out.Decision = c.bucket.Describe(now.Mono, c.policy, r.view.Load(), 0, true)
	return given, out, nil
}

// ResetAgent fills the agent's buckets on every node that learns of it, once.
// Rows and totals stay.
func (r *Replica) ResetAgent(now Instant, tenant, agent string) (wait uint64, err error) {
	return r.controlAgent(now, crdt.RegisterKey{Space: crdt.SpaceReset, Tenant: tenant, Name: agent})
}

// DeleteAgent forgets the agent: its rows and totals are void everywhere, and
// it starts again as one never seen.
func (r *Replica) DeleteAgent(now Instant, tenant, agent string) (wait uint64, err error) {
	return r.controlAgent(now, crdt.RegisterKey{Space: crdt.SpaceAgent, Tenant: tenant, Name: agent})
}

// controlAgent writes a register whose version is all it says: of two that are
// written at once the later one wins without taking anything back. A deletion
// and a reset are two registers for the same reason.
func (r *Replica) controlAgent(now Instant, key crdt.RegisterKey) (wait uint64, err error) {
	_, wait, err = r.writeRegister(now, key, func(crdt.Register, bool) (crdt.Register, error) {
		return crdt.Register{}, nil
	})
	return wait, err
}

// agentChanged follows an agent's control registers: hot buckets of older
// epochs are voided, the others reset.
func (r *Replica) agentChanged(now Instant, k crdt.RegisterKey, reg crdt.Register) {
	name := agentName(k.Tenant, k.Name)
	old := *r.controls.Load()
	next := make(map[string]agentControl, len(old)+1)
	for n, c := range old {
		next[n] = c
	}
	ctl := next[name]
	if k.Space == crdt.SpaceAgent {
		ctl.epoch = reg.Version
	}
	ctl.reset = max(ctl.reset, reg.Version) // a new epoch begins with full buckets
	next[name] = ctl
	r.controls.Store(&next)
	keys, err := r.allBuckets(k.Tenant, k.Name)
	if err != nil {
		r.store.Fail(err)
		return
	}
	for _, key := range keys {
		r.controlBucket(now, key, ctl)
	}
}

// allBuckets lists the buckets of an agent in every epoch.
func (r *Replica) allBuckets(tenant, agent string) ([]string, error) {
	prefix := crdt.AgentPrefix(tenant, agent)
	var keys []string
	err := r.store.Cells(crdt.KindBucket, prefix, "", func(key string, _ *storage.Cell) bool {
		keys = append(keys, key)
		return true
	})
	return r.withHot(keys, appendCellKey(nil, crdt.KindBucket, prefix)), err
}

func (r *Replica) controlBucket(now Instant, key string, ctl agentControl) {
	k, err := crdt.ParseBucketKey(key)
	if err != nil {
		return
	}
	name := appendCellKey(nil, crdt.KindBucket, key)
	sh, hash := r.locate(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c, err := r.lookupLocked(sh, hash, name, now, false)
	if err != nil {
		r.store.Fail(err)
	}
	if c == nil || err != nil {
		return
	}
	r.captureIfDueLocked(sh, c)
	if k.Epoch < ctl.epoch {
		r.voidLocked(sh, c)
		return
	}
	if c.followReset(now, ctl.reset) {
		r.markDirtyLocked(sh, c)
	}
}

// voidLocked takes a cell of a deleted agent or counter out of sight now, and
// off the disk with the next flush; until that has ended, lists refer to it.
func (r *Replica) voidLocked(sh *shard, c *cell) {
	c.void = true
	r.markDirtyLocked(sh, c)
}

// superseded tells whether a row belongs to an agent or counter that was
// deleted since.
func (r *Replica) superseded(e *crdt.Entry) bool {
	switch e.Kind {
	case crdt.KindUsage:
		return false // what was used is billed, whatever becomes of the agent
	case crdt.KindCounter:
		return r.counterSuperseded(e.Key)
	}
	m := *r.controls.Load()
	if len(m) == 0 {
		return false
	}
	k, err := crdt.ParseBucketKey(e.Key)
	return err != nil || k.Epoch < m[agentName(k.Tenant, k.Agent)].epoch
}

// Summary is one line of an agent listing.
type Summary struct {
	Agent  string
	Policy string // name of the configured bucket's
	Total  crdt.Total
	Level  int64 // of the configured bucket, µtok
	Limit  int64
}

// Agents lists the agents after the given name, in order, up to limit.
func (r *Replica) Agents(now Instant, tenant, prefix, after string, limit int) ([]Summary, error) {
	names, err := r.agentNames(tenant, prefix, after, limit)
	if err != nil {
		return nil, err
	}
	list := make([]Summary, 0, len(names))
	for _, name := range names {
		v, err := r.Explain(now, &Request{Tenant: tenant, Agent: name})
		if err != nil {
			return nil, err
		}
		b := v.Buckets[0]
		list = append(list, Summary{Agent: name, Policy: b.Policy.Name, Total: v.Total, Level: b.Level, Limit: b.Decision.Capacity})
	}
	return list, nil
}

// BatchOutcome answers several requests at once.
type BatchOutcome struct {
	Allowed bool
	Binding int // index of the request that denied an atomic batch, -1 = none
	Wait    uint64
	Again   bool
}

func capacityError(l *ratelimit.Limit) error {
	return fmt.Errorf("%w: capacity is %d", ErrLimit, l.Capacity/ratelimit.Token)
}
