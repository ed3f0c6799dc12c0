package load

import (
	"math"
	"math/bits"
	"time"
)

// Histogram counts durations with a relative error below 1 %. The zero value is
// empty. Not safe for concurrent use.
type Histogram struct {
	counts [64 << fine]uint32
	n      uint64
	max    time.Duration
}

// fine is how many bits of a duration after its first count.
const fine = 7

func slot(d time.Duration) int {
	v := uint64(max(d, 1))
	exp := bits.Len64(v) - 1
	if exp <= fine {
		return int(v)
	}
	return (exp-fine+1)<<fine | int(v>>(exp-fine)&(1<<fine-1))
}

// upper is the largest duration of a slot.
func upper(i int) time.Duration {
	if i < 2<<fine {
		return time.Duration(i)
	}
	exp := i>>fine + fine - 1
	return time.Duration((1<<fine|uint64(i&(1<<fine-1))+1)<<(exp-fine) - 1)
}

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) {
	h.counts[slot(d)]++
	h.n++
	h.max = max(h.max, d)
}

// Merge adds what o has counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range &o.counts {
		h.counts[i] += n
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

// Count is how many durations were counted.
func (h *Histogram) Count() uint64 { return h.n }

// Max is the longest, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile is the duration that the share q of all does not exceed, 0 when
// there is none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := uint64(math.Ceil(q * float64(h.n)))
	var seen uint64
	for i, n := range &h.counts {
		if seen += uint64(n); seen >= max(rank, 1) {
			return min(upper(i), h.max)
		}
	}
	return h.max
}
