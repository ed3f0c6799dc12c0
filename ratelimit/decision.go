package ratelimit

import (
	"math"
	"time"
)

// Decision is the answer to one request to spend tokens. A denial is a Decision
// and not an error.
type Decision struct {
	Allowed    bool
	Policy     string        // name of the policy that decided
	Tokens     int64         // asked for, µtok
	Capacity   int64         // of the bucket, µtok
	Remaining  int64         // left after this decision, µtok, never negative
	RetryAfter time.Duration // until Tokens could be had; 0 when allowed
	Reset      time.Duration // until the bucket is full
	Window     time.Duration // time from empty to full
}

// Never is the RetryAfter of a request that no waiting will make possible.
const Never = time.Duration(math.MaxInt64)

// Decide is Admit with the answer written out.
func (b *Bucket) Decide(now int64, c *Compiled, v *View, n int64) Decision {
	allowed := b.Admit(now, &c.Limit, v, n)
	return b.describe(c, v, n, allowed)
}

// Describe writes out an answer without taking anything: of a peek, or of one
// of many limits that are decided together.
func (b *Bucket) Describe(now int64, c *Compiled, v *View, n int64, allowed bool) Decision {
	b.Advance(now, &c.Limit, v)
	return b.describe(c, v, n, allowed)
}

func (b *Bucket) describe(c *Compiled, v *View, n int64, allowed bool) Decision {
	l := &c.Limit
	d := Decision{
		Allowed:   allowed,
		Policy:    c.Policy.Name,
		Tokens:    n,
		Capacity:  l.Capacity,
		Remaining: max(b.level, 0),
		Reset:     roundUp(b.timeTo(l.Capacity, l, v)),
		Window:    l.TimeToFill(),
	}
	if !allowed {
		d.RetryAfter = b.retryAfter(n, l, v)
	}
	return d
}

// RetryAfter advances and returns the time until n µtok can be had, in whole ms
// rounded up: 0 when they are there, Never when the bucket cannot hold them.
func (b *Bucket) RetryAfter(now int64, l *Limit, v *View, n int64) time.Duration {
	b.Advance(now, l, v)
	return b.retryAfter(n, l, v)
}

func (b *Bucket) retryAfter(n int64, l *Limit, v *View) time.Duration {
	if n > l.Capacity {
		return Never
	}
	return roundUp(b.timeTo(n, l, v))
}

// TimeToFull advances and returns the time until the bucket is full, in whole ms
// rounded up.
func (b *Bucket) TimeToFull(now int64, l *Limit, v *View) time.Duration {
	b.Advance(now, l, v)
	return roundUp(b.timeTo(l.Capacity, l, v))
}

// timeTo returns the time until the level is n, if nobody takes anything but
// what is predicted. Shares that are held now count as held throughout: the
// answer is late rather than early.
func (b *Bucket) timeTo(n int64, l *Limit, v *View) time.Duration {
	need := n - b.level
	if need <= 0 {
		return 0
	}
	if len(b.states()) == 0 {
		return l.timeFor(need, b.carry)
	}
	// Each peer may be taken off up to a µtok early.
	need += int64(len(b.peers))
	t := math.Ceil(float64(need) / b.netRate(l, v))
	if t >= math.MaxInt64 {
		return Never
	}
	return time.Duration(t)
}

// roundUp rounds to whole ms; what is too long for that stays Never.
func roundUp(d time.Duration) time.Duration {
	if d > Never-time.Millisecond {
		return Never
	}
	return (d + time.Millisecond - 1).Truncate(time.Millisecond)
}
