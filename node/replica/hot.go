package replica

import (
	"time"

	"github.com/openclaw/clawd/crdt"
)

// insert adds a cell to the shard.
func (sh *shard) insert(c *cell) {
	if sh.cells == nil {
		sh.cells = make(map[string]*cell)
	}
	name := string(appendCellKey(nil, c.kind, c.key))
	c.key = name[1:] // one string for both
	c.place = len(sh.ring)
	sh.cells[name] = c
	sh.ring = append(sh.ring, c)
	sh.countInline(c, 1)
}

// remove drops a cell from memory.
func (sh *shard) remove(c *cell) {
	delete(sh.cells, string(appendCellKey(nil, c.kind, c.key)))
	last := len(sh.ring) - 1
	sh.ring[c.place] = sh.ring[last]
	sh.ring[c.place].place = c.place
	sh.ring[last] = nil
	sh.ring = sh.ring[:last]
	sh.countInline(c, -1)
}

func (sh *shard) countInline(c *cell, by int) {
	if c.kind != crdt.KindBucket {
		return
	}
	k, err := crdt.ParseBucketKey(c.key)
	if err != nil || k.Inline == "" {
		return
	}
	if sh.inline == nil {
		sh.inline = make(map[string]int)
	}
	k.Inline = ""
	prefix := k.Encode()
	if sh.inline[prefix] += by; sh.inline[prefix] <= 0 {
		delete(sh.inline, prefix)
	}
}

// evictAge is how long a cell must have been left alone to go.
const evictAge = time.Second

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
	for looked := 0; quota > 0 && looked < 4*quota+64 && len(sh.ring) > 0; looked++ {
		sh.hand++
		if sh.hand >= len(sh.ring) {
			sh.hand = 0
		}
		c := sh.ring[sh.hand]
		if !r.evictable(c, now) {
			continue
		}
		sh.remove(c)
		r.counters.hot.Add(-1)
		r.counters.evicted.Add(1)
		quota--
	}
}

func (r *Replica) evictable(c *cell, now Instant) bool {
	if c.dirty != 0 || c.markWant != 0 || now.Mono-c.used < evictAge.Nanoseconds() {
		return false
	}
	return c.kind != crdt.KindBucket || c.bucket.Level(now.Mono, c.limit, r.view.Load()) >= 0
}
