package replica

import (
	"fmt"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

const (
	reserve   = ratelimit.Reserve
	syncWrite = ratelimit.Sync
)

// maxInline is how many inline policies of one agent may live on a node.
const maxInline = 8

// Request asks to consume Tokens (µtok) of an agent's bucket.
type Request struct {
	Tenant, Agent string
	Tokens        int64
	Inline        *ratelimit.Limit // a policy carried by the request
	// Retry: the same was refused before. A pool counts the wish once.
	Retry bool
}

// Outcome is the answer, and what has to happen before it may be given.
type Outcome struct {
	Decision ratelimit.Decision
	// Wait is the flush generation that must be durable before the answer
	// leaves; 0 = none.
	Wait uint64
	// Again: nothing was decided yet; decide again once Wait is durable.
	Again bool
}

// Consume decides one request. It takes the tokens when it allows.
func (r *Replica) Consume(now Instant, q *Request, out *Outcome) error {
	*out = Outcome{}
	sh, c, err := r.lockBucket(now, q)
	if err != nil {
		return err
	}
	defer sh.mu.Unlock()
	return r.consumeLocked(sh, c, now, q, out)
}

func (r *Replica) consumeLocked(sh *shard, c *cell, now Instant, q *Request, out *Outcome) error {
	n := q.Tokens
	limit := c.limit()
	if n > limit.Capacity {
		return capacityError(limit)
	}
	if limit.Durability == reserve && !r.coveredLocked(sh, c, now, n, out) {
		return nil
	}
	r.captureIfDueLocked(sh, c)
	if c.policy.Adaptive {
		r.decideAdaptive(c, now, q, &out.Decision)
	} else {
		out.Decision = c.bucket.Decide(now.Mono, c.policy, r.view.Load(), n)
	}
	if out.Decision.Allowed {
		r.takeLocked(sh, c, uint64(n))
		out.Wait = r.waitOf(c)
	}
	return nil
}

// takeLocked books n µtok as this node's consumption.
func (r *Replica) takeLocked(sh *shard, c *cell, n uint64) {
	c.consume(n)
	r.markDirtyLocked(sh, c)
	sh.consumed += n
}

// waitOf is the generation an answer about c has to wait for.
func (r *Replica) waitOf(c *cell) uint64 {
	if c.limit().Durability != syncWrite {
		return 0
	}
	r.askFlush()
	return r.epoch.Load() // a dirty cell that is about to change is of the present epoch
}

// coveredLocked makes sure that the durable high-water mark covers n more
// µtok. When it does not, a new mark is asked for and the decision waits for
// it. A request that would be denied anyway needs no mark.
func (r *Replica) coveredLocked(sh *shard, c *cell, now Instant, n int64, out *Outcome) bool {
	need := c.ownConsumed() + uint64(n)
	if need <= c.marks().mark {
		return true
	}
	if c.bucket.Level(now.Mono, c.limit(), r.view.Load()) < n {
		return true
	}
	r.captureIfDueLocked(sh, c)
	m := &c.needRare().marks
	m.want = max(m.want, need+reserveStep(c.limit()))
	r.markDirtyLocked(sh, c)
	out.Wait, out.Again = r.epoch.Load(), true
	r.askFlush()
	return false
}

// ownConsumed is this run's consumption in the present generation of its row.
func (c *cell) ownConsumed() uint64 { return c.pendingConsumed + c.own.Consumed }

// reserveStep is δ of the reserve mode: 1 % of the capacity or one second of
// refill, whichever is more.
func reserveStep(l *ratelimit.Limit) uint64 {
	return uint64(max(l.Capacity/100, l.PerSecond()))
}

// lockBucket finds the bucket a request is about and returns it with its
// shard locked. With an error nothing is locked.
func (r *Replica) lockBucket(now Instant, q *Request) (*shard, *cell, error) {
	var space [keySpace]byte
	key := r.bucketOf(space[:0], q)
	sh, hash := r.locateOwner(key[:ownerLen(q)])
	sh.mu.Lock()
	c, err := r.bucketLocked(sh, hash, key, now, q)
	if err != nil {
		sh.mu.Unlock()
		return nil, nil, err
	}
	return sh, c, nil
}

// bucketLocked finds or makes the bucket of key under the present policies.
func (r *Replica) bucketLocked(sh *shard, hash uint64, key []byte, now Instant, q *Request) (*cell, error) {
	c := sh.find(hash, key)
	if c == nil {
		var err error
		if c, err = r.newBucketLocked(sh, hash, key, now, q); err != nil {
			return nil, err
		}
	}
	if c.bound != r.policies.Load().gen {
		r.captureIfDueLocked(sh, c)
		r.bindLocked(c, now)
	}
	c.used = tickOf(now.Mono)
	return c, nil
}

// bucketOf is the cell key for q: the inline policy is part of it, unless the
// agent's policy forbids inline ones.
func (r *Replica) bucketOf(b []byte, q *Request) []byte {
	if q.Inline == nil || !r.policies.Load().inlineAllowed(q.Tenant, q.Agent) {
		return r.appendBucketCellKey(b, q.Tenant, q.Agent)
	}
	b = r.appendBucketCellKey(b, q.Tenant, q.Agent)
	return q.Inline.AppendInline(b)
}

func (r *Replica) newBucketLocked(sh *shard, hash uint64, key []byte, now Instant, q *Request) (*cell, error) {
	if q.Inline == nil {
		return r.loadLocked(sh, hash, key, now, true)
	}
	if c, err := r.loadLocked(sh, hash, key, now, false); c != nil || err != nil {
		return c, err
	}
	if err := r.checkInlineLocked(sh, hash, string(key[1:])); err != nil {
		return nil, err
	}
	return r.loadLocked(sh, hash, key, now, true)
}

// checkInlineLocked refuses one more inline bucket of an agent that has as
// many as allowed. It runs only when a new bucket is about to be made.
func (r *Replica) checkInlineLocked(sh *shard, hash uint64, key string) error {
	k, err := crdt.ParseBucketKey(key)
	if err != nil || k.Inline == "" {
		return err
	}
	k.Inline = ""
	prefix := k.Encode()
	base := appendCellKey(nil, crdt.KindBucket, prefix)
	live := 0
	sh.each(hash, base, func(c *cell) {
		if !c.is(base) {
			live++
		}
	})
	err = r.store.Cells(crdt.KindBucket, prefix, "", func(key string, _ *storage.Cell) bool {
		if key != prefix && sh.find(hash, appendCellKey(nil, crdt.KindBucket, key)) == nil {
			live++
		}
		return live < maxInline
	})
	if err != nil {
		return err
	}
	if live >= maxInline {
		return fmt.Errorf("%w: at most %d", ErrTooManyInline, maxInline)
	}
	return nil
}
