package ratelimit

import "time"

// Bucket is one node's view of one agent's token bucket.
type Bucket struct {
	level     int64
	last      int64
	carry     uint64
	forfeited uint64
	peers     []peerState
}

type peerState struct{}

// NewBucket returns a full bucket.
func NewBucket(now int64, l *Limit, v *View) Bucket { return Bucket{level: l.Capacity, last: now} }

// Advance brings the bucket to now.
func (b *Bucket) Advance(now int64, l *Limit, v *View) {}

// Level advances and returns the level in µtok, negative when in debt.
func (b *Bucket) Level(now int64, l *Limit, v *View) int64 { b.Advance(now, l, v); return b.level }

// Admit advances and takes n µtok if they are there; otherwise it takes nothing.
func (b *Bucket) Admit(now int64, l *Limit, v *View, n int64) bool { return false }

// Charge takes n µtok after the fact, into debt if need be, down to the floor.
// It returns what was taken.
func (b *Bucket) Charge(now int64, l *Limit, v *View, n int64) (charged int64) { return 0 }

// Refund gives n µtok back, up to the capacity.
func (b *Bucket) Refund(now int64, l *Limit, v *View, n int64) {}

// Observe applies a row of a peer: delta is the increase of its consumption
// less the increase of its refunds, in µtok.
func (b *Bucket) Observe(now int64, l *Limit, v *View, peer int, delta int64) {}

// Relimit changes the limit: the past is settled with the old one.
func (b *Bucket) Relimit(now int64, old, next *Limit, v *View) {}

// Reset fills the bucket and forgets all that was heard.
func (b *Bucket) Reset(now int64, l *Limit) {}

// RetryAfter is the time until n µtok can be had, in whole ms rounded up, at
// least 1 ms when they are not there.
func (b *Bucket) RetryAfter(now int64, l *Limit, v *View, n int64) time.Duration { return 0 }

// TimeToFull is the time until the bucket is full, in whole ms rounded up.
func (b *Bucket) TimeToFull(now int64, l *Limit, v *View) time.Duration { return 0 }

// Decide is Admit with the answer written out.
func (b *Bucket) Decide(now int64, c *Compiled, v *View, n int64) Decision { return Decision{} }

// Describe is the answer to a request that was decided elsewhere (a peek, one of
// a batch): it takes nothing.
func (b *Bucket) Describe(now int64, c *Compiled, v *View, n int64, allowed bool) Decision {
	return Decision{}
}

// Unseen bounds what peers may have consumed without this node knowing, in µtok.
func (b *Bucket) Unseen(now int64, l *Limit, v *View) int64 { return 0 }

// Mark is how much had been forfeited when a peer was last heard.
type Mark struct {
	Peer uint64 // Peer.ID
	Mark uint64
}

// Checkpoint is what has to be kept of a bucket.
type Checkpoint struct {
	Level     int64 // µtok at WallMS, predictions not counted
	WallMS    int64 // unix ms
	Forfeited uint64
	Base      uint64 // mark of the peers that have none of their own
	Marks     []Mark
	// ResetVersion is the caller's: the version of the last reset applied.
	ResetVersion uint64
}

// Checkpoint appends the marks to marks (which may be nil) and returns what
// has to be kept.
func (b *Bucket) Checkpoint(now, wallMS int64, l *Limit, v *View, marks []Mark) Checkpoint {
	return Checkpoint{}
}

// Restore brings a bucket back.
func Restore(now, wallMS int64, l *Limit, v *View, ck Checkpoint) Bucket { return Bucket{} }
