package replica

import (
	"time"

	"github.com/openclaw/clawd/crdt"
)

// evictAge is how long a cell must have been left alone to go.
const evictAge = time.Second

// tickShift makes the unit in which cells remember when they were used: 2^27 ns,
// so that 32 bits last for years.
const tickShift = 27

func tickOf(mono int64) uint32 { return uint32(mono >> tickShift) }

// evict drops cells above the bound, those first that the clock hand meets
// unused. What waits for a flush stays, and so does what is in debt: a cold
// bucket forgets the shares held for peers, and a debtor must not gain by that.
func (r *Replica) evict(now Instant) {
	over := r.counters.hot.Load() - int64(r.opts.HotCells)
	if over <= 0 {
		return
	}
	quota := int(over)/len(r.shards) + 1
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		r.evictLocked(sh, now, quota)
		sh.mu.Unlock()
	}
}

func (r *Replica) evictLocked(sh *shard, now Instant, quota int) {
	for looked := 0; quota > 0 && looked < 4*quota+64 && sh.slab.next > 0; looked++ {
		sh.hand++
		if sh.hand >= sh.slab.next {
			sh.hand = 0
		}
		c := sh.slab.at(sh.hand)
		if c.kind == 0 || !r.evictable(c, now) {
			continue
		}
		r.removeLocked(sh, c)
		r.counters.evicted.Add(1)
		quota--
	}
}

func (r *Replica) evictable(c *cell, now Instant) bool {
	if c.dirty != clean || c.void || c.marks().want != 0 || tickOf(now.Mono)-c.used <= tickOf(evictAge.Nanoseconds()) {
		return false
	}
	return c.kind != crdt.KindBucket || c.bucket.Level(now.Mono, c.limit(), r.view.Load()) >= 0
}
