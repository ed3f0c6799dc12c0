package crdt

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// ErrBadHLC reports a text that HLC.String cannot have written.
var ErrBadHLC = errors.New("crdt: a hybrid time is milliseconds, a dot and a logical count")

const (
	logicalBits = 16
	maxWallMS   = 1<<48 - 1
)

// MaxSkew is how far past the own wall clock a peer's time may pull a Clock.
// Without a bound, one node with a clock of tomorrow would win every register
// for a day on all nodes.
const MaxSkew = 5 * time.Second

// HLC is a hybrid logical time: 48 bits of unix milliseconds, 16 bits that
// count events within one of them. Zero means "never". HLCs order as numbers.
type HLC uint64

// NewHLC joins the two parts. Milliseconds before 1970 count as 0, those past
// 48 bits as the greatest.
func NewHLC(ms int64, logical uint16) HLC {
	return HLC(uint64(min(max(ms, 0), maxWallMS))<<logicalBits | uint64(logical))
}

// WallMS returns the unix milliseconds of t.
func (t HLC) WallMS() int64 { return int64(t >> logicalBits) }

// String returns milliseconds, a dot and the logical count: "1700000000000.3".
func (t HLC) String() string {
	return fmt.Sprintf("%d.%d", t.WallMS(), uint16(t))
}

// ParseHLC reads what HLC.String wrote; anything else is ErrBadHLC.
func ParseHLC(s string) (HLC, error) {
	wall, logical, _ := strings.Cut(s, ".")
	ms, errMS := strconv.ParseUint(wall, 10, 64-logicalBits)
	n, errN := strconv.ParseUint(logical, 10, logicalBits)
	t := HLC(ms<<logicalBits | n)
	if errMS != nil || errN != nil || t.String() != s {
		return 0, fmt.Errorf("%w: %.40q", ErrBadHLC, s)
	}
	return t, nil
}

// MarshalText makes the time a JSON string: a JSON number loses digits past 2^53.
func (t HLC) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText is the reverse of MarshalText.
func (t *HLC) UnmarshalText(b []byte) (err error) {
	*t, err = ParseHLC(string(b))
	return err
}

// next returns the smallest time after t; a full logical count carries into the
// milliseconds. The last time of all has none after it and stays: there the
// tie-break of Register decides.
func (t HLC) next() HLC { return max(t, t+1) }

// Clock issues the hybrid times of one node. It is fed with wall time and never
// reads it. All methods are safe for concurrent use.
type Clock struct{ last atomic.Uint64 }

// NewClock returns a clock that has issued nothing and heard of nothing.
func NewClock() *Clock { return new(Clock) }

// Now returns a time later than any that Now returned before, also when wallMS
// stands still or goes backwards, and never zero.
func (c *Clock) Now(wallMS int64) HLC { return c.NowAfter(wallMS, 0) }

// NowAfter is Now for a write that must come after floor, the version it
// replaces: a register written by a node whose clock is a day fast can still be
// replaced today. The clock itself follows a floor only within MaxSkew of
// wallMS, so such a register moves no other one. It follows that beyond MaxSkew
// two calls with one floor return the same time: the caller holds the lock of
// the register between reading its version and storing the next.
func (c *Clock) NowAfter(wallMS int64, floor HLC) HLC {
	for {
		last := c.last.Load()
		t := max(NewHLC(wallMS, 0), HLC(last).next())
		if t <= floor && withinSkew(floor, wallMS) {
			t = floor.next()
		}
		if c.last.CompareAndSwap(last, uint64(t)) {
			return max(t, floor.next())
		}
	}
}

// Observe moves the clock past a time heard from a peer, so that what this node
// writes next is later than what it has read. A time more than MaxSkew past
// wallMS is left alone and reported by within = false: the peer's clock or
// the own one is wrong, which is worth an alarm and no reason to refuse data.
func (c *Clock) Observe(remote HLC, wallMS int64) (within bool) {
	if !withinSkew(remote, wallMS) {
		return false
	}
	for {
		last := c.last.Load()
		if last >= uint64(remote) || c.last.CompareAndSwap(last, uint64(remote)) {
			return true
		}
	}
}

func withinSkew(t HLC, wallMS int64) bool {
	return t.WallMS() <= NewHLC(wallMS, 0).WallMS()+MaxSkew.Milliseconds()
}
