package replica

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/openclaw/clawd/node/antientropy"
)

// counters are what a replica counts of itself.
type counters struct {
	hot                          atomic.Int64
	recovered                    atomic.Uint64 // µtok charged for reserve marks at the start
	pages, merged, registers     atomic.Uint64
	births, collected, evicted   atomic.Uint64
	releases, echoes, unreadable atomic.Uint64
	repaired                     atomic.Uint64
	gaps, foreign, malformed     atomic.Uint64
	refused                      atomic.Uint64

	usageEvents, usageDuplicates, usageConflicts, usageCorrected atomic.Uint64
}

// Stats are the numbers for metrics and the simulator's coverage.
type Stats struct {
	Hot       int64 // cells in memory
	Dirty     int   // cells waiting for a flush
	Consumed  uint64
	Refunded  uint64
	Recovered uint64
	Pages     uint64 // merged
	Rows      uint64 // merged that were news
	Registers uint64 // written or merged that were news
	Births    uint64 // own rows that began a new generation
	Collected uint64 // rows dropped
	Evicted   uint64 // cells put out of memory
	Releases  uint64 // shares of failed peers released
	Repaired  uint64 // by the audit; more than 0 is a bug or bit rot
	Echoes    uint64 // pages that claim more of this run than it wrote: forgery
	Unread    uint64 // registers this version cannot read
	Gaps      uint64
	Foreign   uint64 // pages of another cluster
	Malformed uint64
	Refused   uint64 // other refused pages
	Staleness time.Duration

	UsageEvents     uint64 // billed here
	UsageDuplicates uint64 // billed before
	UsageConflicts  uint64 // refused: the id was billed with other contents
	UsageCorrected  uint64 // bills taken back or put again, since another node had the event too
}

// Stats answers the present numbers.
func (r *Replica) Stats(now Instant) Stats {
	c := &r.counters
	s := Stats{
		Hot: c.hot.Load(), Recovered: c.recovered.Load(),
		Pages: c.pages.Load(), Rows: c.merged.Load(), Registers: c.registers.Load(), Births: c.births.Load(),
		Collected: c.collected.Load(), Evicted: c.evicted.Load(), Releases: c.releases.Load(), Repaired: c.repaired.Load(),
		Echoes: c.echoes.Load(), Unread: c.unreadable.Load(), Gaps: c.gaps.Load(), Foreign: c.foreign.Load(),
		Malformed: c.malformed.Load(), Refused: c.refused.Load(),
		Staleness:   time.Duration(r.view.Load().Staleness(now.Mono)),
		UsageEvents: c.usageEvents.Load(), UsageDuplicates: c.usageDuplicates.Load(),
		UsageConflicts: c.usageConflicts.Load(), UsageCorrected: c.usageCorrected.Load(),
	}
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		s.Dirty += len(sh.dirty)
		s.Consumed += sh.consumed
		s.Refunded += sh.refunded
		sh.mu.Unlock()
	}
	return s
}

// reject counts a refused message by its reason.
func (r *Replica) reject(err error) error {
	var gap *antientropy.GapError
	switch {
	case errors.As(err, &gap):
		r.counters.gaps.Add(1)
	case errors.Is(err, antientropy.ErrForeignCluster):
		r.counters.foreign.Add(1)
	case errors.Is(err, antientropy.ErrMalformed):
		r.counters.malformed.Add(1)
	default:
		r.counters.refused.Add(1)
	}
	return err
}
