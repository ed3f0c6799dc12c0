package replica

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/refill"
	"github.com/openclaw/clawd/ratelimit"
)

// side is what a bucket of an adaptive policy has beside it, nil for the others.
func (c *cell) side() *refill.Agent {
	if c.more == nil || c.more.rare == nil {
		return nil
	}
	return c.more.side
}

// bindSide gives the bucket what its policy asks for beside it. Its limit is then
// its own.
func (r *Replica) bindSide(c *cell, now Instant) {
	have := c.side()
	if c.kind != crdt.KindBucket || !c.policy.Adaptive {
		if have != nil {
			c.more.side = nil
		}
		return
	}
	name := c.key()
	a := r.opts.Refill.Bind(have, placement(name), c.policy, now.Mono, r.view.Load())
	c.needRare().side = a
	c.policy = a.Policy()
}

// renewLocked lets the bucket follow its rate.
func (r *Replica) renewLocked(c *cell, a *refill.Agent, now Instant) {
	if old, since, changed := a.Renew(); changed {
		c.bucket.Relimit(min(now.Mono, since), &old, c.limit(), r.view.Load())
	}
}

// decideAdaptive decides about a bucket whose rate moves or that draws on a pool.
// The bucket itself is what bounds the agent.
func (r *Replica) decideAdaptive(c *cell, now Instant, q *Request, d *ratelimit.Decision) {
	a, view := c.side(), r.view.Load()
	if a == nil { // nobody plans here
		*d = c.bucket.Decide(now.Mono, c.policy, view, q.Tokens)
		return
	}
	r.renewLocked(c, a, now)
	fits := c.bucket.Level(now.Mono, c.limit(), view) >= q.Tokens
	ok, room, wait := a.Take(now.Mono, refill.Draw{Tokens: q.Tokens, Fits: fits, Retry: q.Retry}, view)
	if ok {
		c.bucket.Admit(now.Mono, c.limit(), view, q.Tokens)
	}
	*d = c.bucket.Describe(now.Mono, c.policy, view, q.Tokens, ok)
	narrow(d, room, wait)
}

// narrow adds what a pool says to what the bucket said.
func narrow(d *ratelimit.Decision, room int64, wait time.Duration) {
	d.Remaining = min(d.Remaining, room)
	if !d.Allowed {
		d.RetryAfter = max(d.RetryAfter, ceilMillis(wait), time.Millisecond)
	}
}

func ceilMillis(d time.Duration) time.Duration {
	if d > ratelimit.Never-time.Millisecond {
		return ratelimit.Never
	}
	return (d + time.Millisecond - 1).Truncate(time.Millisecond)
}

// takePools draws what the parts of an atomic batch need of pools, all or
// nothing. It returns the part that was refused, nil when none was, and how long
// that one has to wait.
func takePools(now Instant, parts []part, view *ratelimit.View) (refused *part, wait time.Duration) {
	for i := range parts {
		p := &parts[i]
		a := p.c.side()
		if a == nil {
			continue
		}
		ok, _, w := a.Take(now.Mono, refill.Draw{Tokens: p.tokens, Fits: true}, view)
		if ok {
			continue
		}
		for j := range parts[:i] {
			if b := parts[j].c.side(); b != nil {
				b.GiveBack(now.Mono, parts[j].tokens, view)
			}
		}
		return p, ceilMillis(w)
	}
	return nil, 0
}

// poolID is a pool of a tenant.
type poolID struct{ tenant, name string }

// versionedPool is a pool and its register's version.
type versionedPool struct {
	ratelimit.Pool
	version crdt.HLC
}

func poolKey(tenant, name string) crdt.RegisterKey {
	return crdt.RegisterKey{Space: crdt.SpacePool, Tenant: tenant, Name: name}
}

// PutPool stores a pool of a tenant for the whole cluster.
func (r *Replica) PutPool(now Instant, tenant string, p ratelimit.Pool, cond Cond) (version crdt.HLC, created bool, wait uint64, err error) {
	if err := p.Validate(); err != nil {
		return 0, false, 0, err
	}
	if err := crdt.ValidName(p.Name); err != nil {
		return 0, false, 0, err
	}
	value, err := json.Marshal(p)
	if err != nil {
		return 0, false, 0, err
	}
	return r.putRegister(now, poolKey(tenant, p.Name), value, cond)
}

// DeletePool removes a pool. Agents whose policy names it have their static rate.
func (r *Replica) DeletePool(now Instant, tenant, name string, cond Cond) (wait uint64, err error) {
	return r.deleteRegister(now, poolKey(tenant, name), fmt.Sprintf("pool %q", name), cond)
}

// Pool reads one pool and its version.
func (r *Replica) Pool(tenant, name string) (ratelimit.Pool, crdt.HLC, error) {
	p, ok := (*r.pools.Load())[poolID{tenant, name}]
	if !ok {
		return ratelimit.Pool{}, 0, fmt.Errorf("pool %q: %w", name, ErrNotFound)
	}
	return p.Pool, p.version, nil
}

// Pools lists a tenant's pools by name, after the given one.
func (r *Replica) Pools(tenant, prefix, after string, limit int) []ratelimit.Pool {
	var list []ratelimit.Pool
	for id, p := range *r.pools.Load() {
		if id.tenant == tenant && id.name > after && strings.HasPrefix(id.name, prefix) {
			list = append(list, p.Pool)
		}
	}
	slices.SortFunc(list, func(a, b ratelimit.Pool) int { return strings.Compare(a.Name, b.Name) })
	return list[:min(len(list), limit)]
}

// poolChanged follows a pool's register.
func (r *Replica) poolChanged(now Instant, k crdt.RegisterKey, reg crdt.Register) {
	id := poolID{k.Tenant, k.Name}
	next := maps.Clone(*r.pools.Load())
	delete(next, id)
	var spec *ratelimit.Pool
	if !reg.Deleted {
		p := versionedPool{version: reg.Version}
		if json.Unmarshal(reg.Value, &p.Pool) != nil || p.Validate() != nil {
			r.counters.unreadable.Add(1)
		} else {
			p.Name = k.Name
			next[id] = p
			spec = &p.Pool
		}
	}
	r.pools.Store(&next)
	if r.opts.Refill != nil && r.opts.Refill.SetPool(now.Mono, k.Tenant, k.Name, spec) {
		set := r.policies.Load() // buckets look their pool up when they are bound
		r.policies.Store(newPolicySet(set.gen+1, now.Mono, set.tenants, r.opts.Default))
	}
}

// PublishRefill writes what the refill controller wants the other nodes to know.
// It leaves this node after the next flush.
func (r *Replica) PublishRefill(now Instant, w refill.Write) (wait uint64, err error) {
	key := crdt.RegisterKey{Space: refillSpaces[w.Kind], Tenant: w.Tenant, Name: w.Name}
	_, wait, err = r.writeRegister(now, key, func(crdt.Register, bool) (crdt.Register, error) {
		return crdt.Register{Value: w.Value}, nil
	})
	return wait, err
}

var refillSpaces = map[refill.Kind]byte{
	refill.WriteStatement: crdt.SpaceShare, refill.WriteLedger: crdt.SpaceLedger, refill.WriteRates: crdt.SpaceRates,
}

// refillChanged hands what nodes say about refill to the controller. At the
// start, it is what was on disk.
func (r *Replica) refillChanged(now Instant, k crdt.RegisterKey, reg crdt.Register) {
	c := r.opts.Refill
	if c == nil || reg.Deleted {
		return
	}
	understood := true
	switch k.Space {
	case crdt.SpaceLedger:
		begin, err := refill.ParseBeginning(reg.Value)
		if understood = err == nil; understood {
			c.SetLedger(now.Mono, k.Tenant, k.Name, uint64(reg.Version), begin)
		}
	case crdt.SpaceShare:
		understood = c.HearStatement(now.Mono, k.Tenant, k.Name, reg.Value, !r.opened)
	case crdt.SpaceRates:
		if r.opened { // what was expected before the start is too old
			understood = c.HearRates(now.Mono, k.Name, reg.Value)
		}
	}
	if !understood {
		r.counters.unreadable.Add(1)
	}
}

// SideOf returns what an agent's configured bucket has beside it, nil when its
// policy is not adaptive or the agent is not in memory.
func (r *Replica) SideOf(tenant, agent string) *refill.Agent {
	key := r.appendBucketCellKey(nil, tenant, agent)
	sh, hash := r.locate(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if c := sh.find(hash, key); c != nil {
		return c.side()
	}
	return nil
}

// heardLately is how long ago a peer was heard that still counts as seen.
const heardLately = int64(10 * time.Second)

// RefillMembers is who the refill controller shares pools with.
func (r *Replica) RefillMembers(now Instant) refill.Members {
	r.merge.Lock()
	defer r.merge.Unlock()
	m := refill.Members{Nodes: []uint64{uint64(r.self)}, Ready: []uint64{uint64(r.self)}, Minority: !r.majority(now, now.Mono-heardLately)}
	for _, id := range sortedKeys(r.peers) {
		p := r.peers[id]
		switch {
		case r.member.gone(id):
			m.Gone = append(m.Gone, uint64(id))
			continue
		case p.state == PeerAlive:
			m.Ready = append(m.Ready, uint64(id))
		}
		m.Nodes = append(m.Nodes, uint64(id))
	}
	return m
}
