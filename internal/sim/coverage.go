package sim

import (
	"fmt"
	"io"
)

// Coverage counts how often the rare things happened. A suite in which one of
// them never did proves less than it seems to.
type Coverage struct {
	of [covCount]uint64
}

type cov int

// What must have been seen.
const (
	covDenied cov = iota
	covMarkAwaited
	covAtomic
	covBurst
	covRefund
	covReset
	covAgentDeleted
	covPolicy
	covPolicyDeleted
	covKVPut
	covKVDelete
	covIncrement
	covMultiPage
	covGap
	covRelayed
	covDup
	covDamaged
	covTruncated
	covSplit
	covOneWay
	covLink
	covAudit
	covRepaired
	covBirth
	covCollected
	covRetired
	covCrash
	covCrashInFlush
	covFlushLostAfterPush
	covFlushRefused
	covRecovered
	covRestore
	covDiskLost
	covDead
	covDiskFull
	covDiskFailed
	covOpenFailed
	covCorrupt
	covRebuilt
	covClone
	covReplaced
	covJoin
	covBootstrap
	covLeave
	covForgotten
	covMistaken
	covOutcast
	covPause
	covClockJump
	covFloor
	covOvershoot
	covOvershootChecked
	covStarvedChecked
	covReleased
	covEvicted
	covCount
)

var covNames = [covCount]string{
	covDenied: "request denied", covMarkAwaited: "reserve mark awaited", covAtomic: "atomic batch", covRefund: "refund",
	covReset: "agent reset", covAgentDeleted: "agent deleted", covPolicy: "policy written", covPolicyDeleted: "policy deleted",
	covKVPut: "register written", covKVDelete: "key deleted", covIncrement: "counter incremented",
	covMultiPage: "session of several pages", covGap: "gap", covRelayed: "row relayed by a third node", covDup: "message twice",
	covDamaged: "message damaged", covTruncated: "message cut short", covBurst: "burst", covLink: "link cut both ways", covFloor: "floor hit",
	covCorrupt: "disk damaged", covRebuilt: "damaged disk given up", covSplit: "partition", covOneWay: "link cut one way", covAudit: "digests compared", covRepaired: "entry brought back by an audit",
	covBirth: "birth rolled over", covCollected: "row collected", covRetired: "run retired", covCrash: "crash",
	covCrashInFlush: "crash within a flush", covFlushLostAfterPush: "flush lost after its push", covFlushRefused: "flush refused",
	covRecovered: "reserve mark charged", covRestore: "backup restored", covDiskLost: "disk lost", covDead: "machine dead for good", covDiskFull: "disk full",
	covDiskFailed: "disk failed", covOpenFailed: "start failed", covClone: "disk cloned", covReplaced: "process replaced by a copy", covJoin: "node joined",
	covBootstrap: "bootstrap", covLeave: "node left", covForgotten: "node forgotten", covMistaken: "living node forgotten", covOutcast: "forgotten node cast out",
	covPause: "process paused", covClockJump: "clock jumped", covOvershoot: "overshoot", covOvershootChecked: "overshoot within its bound", covStarvedChecked: "level near the ideal one",
	covReleased: "share of a failed peer released", covEvicted: "cell put out of memory",
}

func (c *Coverage) hit(what cov) { c.of[what]++ }

func (c *Coverage) add(what cov, n uint64) { c.of[what] += n }

// Merge adds what another worker has seen.
func (c *Coverage) Merge(o *Coverage) {
	for i := range c.of {
		c.of[i] += o.of[i]
	}
}

// EnoughForAll is the number of schedules in which everything that is counted
// must have happened.
const EnoughForAll = 4000

// byLuck is what needs several accidents in a row: a deletion must be lost with the
// only disk that held it, after a page left out a row for its sake. It is counted
// and need not happen.
func (c cov) byLuck() bool { return c == covRepaired }

// Missing lists what was never seen.
func (c *Coverage) Missing() (names []string) {
	for i, n := range c.of {
		if n == 0 && !cov(i).byLuck() {
			names = append(names, covNames[i])
		}
	}
	return names
}

// Print writes the counters, one a line.
func (c *Coverage) Print(to io.Writer) {
	for i, n := range c.of {
		_, _ = fmt.Fprintf(to, "  %-32s %d\n", covNames[i], n)
	}
}
