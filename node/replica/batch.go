package replica

import (
	"slices"
	"time"

	"github.com/openclaw/clawd/ratelimit"
)

// ConsumeBatch decides several requests. Not atomic, each is its own; atomic,
// all are allowed or nothing is taken. Requests are checked before anything is
// taken; an error names the first bad one by its index.
func (r *Replica) ConsumeBatch(now Instant, qs []Request, atomic bool, outs []Outcome) (BatchOutcome, int, error) {
	if atomic {
		return r.consumeAtomic(now, qs, outs)
	}
	b := BatchOutcome{Allowed: true, Binding: -1}
	least := r.policies.Load().least
	for i := range qs {
		if q := &qs[i]; q.Inline == nil && q.Tokens <= least {
			continue // fits whichever policy it is
		}
		if err := r.checkCapacity(now, &qs[i]); err != nil {
			return BatchOutcome{}, i, err
		}
	}
	for i := range qs {
		if err := r.Consume(now, &qs[i], &outs[i]); err != nil {
			return b, i, err
		}
		b.Wait = max(b.Wait, outs[i].Wait)
		b.Again = b.Again || outs[i].Again
		b.Allowed = b.Allowed && outs[i].Decision.Allowed
	}
	return b, -1, nil
}

func (r *Replica) checkCapacity(now Instant, q *Request) error {
	sh, c, err := r.lockBucket(now, q)
	if err != nil {
		return err
	}
	defer sh.mu.Unlock()
	if q.Tokens > c.limit().Capacity {
		return capacityError(c.limit())
	}
	return nil
}

// part is what an atomic batch takes from one bucket.
type part struct {
	sh     *shard
	c      *cell
	tokens int64
	first  int // index of the first request about it
}

func (r *Replica) consumeAtomic(now Instant, qs []Request, outs []Outcome) (BatchOutcome, int, error) {
	parts, of, unlock, i, err := r.lockAll(now, qs)
	defer unlock()
	if err != nil {
		return BatchOutcome{}, i, err
	}
	view := r.view.Load()
	var worst time.Duration
	b := BatchOutcome{Allowed: true, Binding: -1}
	for _, p := range parts {
		if a := p.c.side(); a != nil {
			r.renewLocked(p.c, a, now)
		}
		if p.tokens > p.c.limit().Capacity {
			return BatchOutcome{}, p.first, capacityError(p.c.limit())
		}
		if p.c.bucket.Level(now.Mono, p.c.limit(), view) >= p.tokens {
			continue
		}
		b.Allowed = false
		if wait := p.c.bucket.RetryAfter(now.Mono, p.c.limit(), view, p.tokens); wait > worst || b.Binding < 0 {
			worst, b.Binding = wait, p.first
		}
	}
	if b.Allowed {
		for _, p := range parts {
			var out Outcome
			if p.c.limit().Durability == reserve && !r.coveredLocked(p.sh, p.c, now, p.tokens, &out) {
				b.Again, b.Wait = true, max(b.Wait, out.Wait)
			}
		}
		if b.Again {
			return b, -1, nil
		}
		if p, wait := takePools(now, parts, view); p != nil {
			b.Allowed, b.Binding = false, p.first
			describe(now, view, qs, parts, of, false, outs)
			for i := range qs {
				if &parts[of[i]] == p {
					outs[i].Decision.RetryAfter = max(wait, time.Millisecond)
				}
			}
			return b, -1, nil
		}
		for _, p := range parts {
			r.captureIfDueLocked(p.sh, p.c)
			p.c.bucket.Admit(now.Mono, p.c.limit(), view, p.tokens)
			r.takeLocked(p.sh, p.c, uint64(p.tokens))
			b.Wait = max(b.Wait, r.waitOf(p.c))
		}
	}
	describe(now, view, qs, parts, of, b.Allowed, outs)
	return b, -1, nil
}

// describe writes the decisions of an atomic batch: when it was denied, nobody
// was allowed, and those that would have passed alone have nothing to wait for.
func describe(now Instant, view *ratelimit.View, qs []Request, parts []part, of []int, allowed bool, outs []Outcome) {
	for i := range qs {
		p := &parts[of[i]]
		d := p.c.bucket.Describe(now.Mono, p.c.policy, view, qs[i].Tokens, allowed)
		if !allowed {
			if d.RetryAfter = 0; p.c.bucket.Level(now.Mono, p.c.limit(), view) < p.tokens {
				d.RetryAfter = p.c.bucket.RetryAfter(now.Mono, p.c.limit(), view, p.tokens)
			}
		}
		outs[i] = Outcome{Decision: d}
	}
}

// lockAll locks the shards of all requests in ascending order and sums the
// requests about the same bucket.
func (r *Replica) lockAll(now Instant, qs []Request) (parts []part, of []int, unlock func(), bad int, err error) {
	keys := make([]string, len(qs))
	hashes := make([]uint64, len(qs))
	var order []int
	for i := range qs {
		key := r.bucketOf(nil, &qs[i])
		keys[i] = string(key)
		_, hashes[i] = r.locate(key)
		order = append(order, r.shardIndex(hashes[i]))
	}
	needed := slices.Compact(slices.Sorted(slices.Values(order)))
	for _, s := range needed {
		r.shards[s].mu.Lock()
	}
	unlock = func() {
		for _, s := range needed {
			r.shards[s].mu.Unlock()
		}
	}
	at := make(map[string]int, len(qs))
	of = make([]int, len(qs))
	for i := range qs {
		j, seen := at[keys[i]]
		if !seen {
			sh := &r.shards[order[i]]
			c, err := r.bucketLocked(sh, hashes[i], []byte(keys[i]), now, &qs[i])
			if err != nil {
				return nil, nil, unlock, i, err
			}
			j = len(parts)
			at[keys[i]] = j
			parts = append(parts, part{sh: sh, c: c, first: i})
		}
		of[i] = j
		if parts[j].tokens += qs[i].Tokens; parts[j].tokens < 0 {
			parts[j].tokens = 1<<63 - 1
		}
	}
	return parts, of, unlock, -1, nil
}
