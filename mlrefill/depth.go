package mlrefill

import "math"

// Depths says how much of what may wait each node of several may use. With equal
// shares of it each, nodes that do not burst at the same time deny what the queue
// would still have held; with all of it each, they overflow the queue together.
// Bursts that are independent add up like their square roots, so each gets √n
// times its share, as long as the queue is seen to stay short; once it is not,
// each gets its share until it has been short for a while.
type Depths struct {
	most, factor float64
}

const (
	longQueue    = 0.7  // of the delay that is allowed
	deepenFactor = 1.05 // a second
)

// NewDepths is for n nodes.
func NewDepths(n int) Depths {
	most := math.Sqrt(float64(max(n, 1)))
	return Depths{most: most, factor: most}
}

// Factor is how many times its share a node may let wait.
func (d *Depths) Factor() float64 { return d.factor }

// Report takes the queue delay of a window, and what is allowed, in seconds.
func (d *Depths) Report(delay, allowed, seconds float64) {
	if !(delay <= longQueue*allowed) {
		d.factor = 1
		return
	}
	d.factor = min(d.factor*math.Pow(deepenFactor, seconds), d.most)
}
