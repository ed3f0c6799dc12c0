package sim

import (
	"math/rand/v2"

	"github.com/openclaw/clawd/ratelimit"
)

// meter makes a plan one by which the limiter can be measured: of machines that
// stay, clocks of one rate, one limit that forgives no debt, and requests that are
// a good part of it. What is admitted anywhere can then be held against one
// central bucket from the beginning to the end.
func (c *Config) meter(r *rand.Rand) {
	c.Metered = true
	c.Machines, c.Spares = pick(r, 1, 2, 2, 3, 3, 3), 0
	c.Agents, c.Keys = pick(r, 1, 1, 2), 0
	c.HotCells = 1000
	c.Policies = nil
	floor := int64(1_000_000)
	c.Default.Floor, c.Default.Minority = &floor, ""
	c.Default.Durability = pick(r, ratelimit.Async, ratelimit.Sync)
	c.Bite = max(int(c.Default.Capacity)/8, plainBite)
	c.Net.Latency, c.Net.Slow = pick(r, int64(0), 50), 0
	c.Clocks = c.Clocks[:0]
	offset := pick(r, 0, 2_000)
	for range c.Machines {
		c.Clocks = append(c.Clocks, Clock{OffsetMS: int64(r.IntN(2*offset+1) - offset)})
	}
}

// plainBite is the most that a request asks for where a plan says nothing else.
const plainBite = 9

func (c *Config) bite() int { return max(c.Bite, plainBite) }

// meter leaves out of a mix what ends the account of a bucket.
func (w *weights) meter() {
	for _, k := range []OpKind{
		OpRefund, OpReset, OpDelete, OpClockJump, OpRestore, OpLoseDisk, OpClone, OpJoin, OpLeave, OpForget, OpDiskFull, OpDiskFail, OpCorrupt,
	} {
		w.of[k] = 0
	}
	w.of[OpCrash], w.of[OpStop] = min(w.of[OpCrash], 5), min(w.of[OpStop], 5)
}
