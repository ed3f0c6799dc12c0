package sim

import (
	"fmt"
	"io"
)

// Coverage counts how often the rare things happened. A suite in which one of
// them never did proves less than it seems to.
type Coverage struct {
	Schedules uint64
	of        [covCount]uint64
}

type cov int

// What must have been seen.
const (
	covGap cov = iota
	covDup
	covDamaged
	covCrash
	covCrashInFlush
	covFlushLostAfterPush
	covBirth
	covCollected
	covRetired
	covBootstrap
	covRestore
	covDiskLost
	covMultiPage
	covDenied
	covRefund
	covRelayed
	covSplit
	covForgotten
	covCount
)

var covNames = [covCount]string{
	covGap: "gap seen", covDup: "message twice", covDamaged: "message damaged", covCrash: "crash",
	covCrashInFlush: "crash within a flush", covFlushLostAfterPush: "flush lost after its push",
	covBirth: "birth rolled over", covCollected: "row collected", covRetired: "run retired",
	covBootstrap: "bootstrap", covRestore: "backup restored", covDiskLost: "disk lost", covMultiPage: "session of several pages",
	covDenied: "request denied", covRefund: "refund", covRelayed: "row relayed by a third node", covSplit: "partition", covForgotten: "node forgotten",
}

func (c *Coverage) hit(what cov) { c.of[what]++ }

func (c *Coverage) add(what cov, n uint64) { c.of[what] += n }

// Merge adds what another worker has seen.
func (c *Coverage) Merge(o *Coverage) {
	c.Schedules += o.Schedules
	for i := range c.of {
		c.of[i] += o.of[i]
	}
}

// Missing lists what was never seen.
func (c *Coverage) Missing() (names []string) {
	for i, n := range c.of {
		if n == 0 {
			names = append(names, covNames[i])
		}
	}
	return names
}

// Print writes the counters, one a line.
func (c *Coverage) Print(to io.Writer) {
	for i, n := range c.of {
		fmt.Fprintf(to, "  %-30s %d\n", covNames[i], n)
	}
}
