package witness

import "math"

// prefixMax is an array of sums that knows the greatest of its first n elements
// and adds to a range at once, both in logarithmic time.
type prefixMax struct {
	size int
	top  []float64 // greatest element below a node, without what is pending above it
	plus []float64 // pending for everything below a node
}

func newPrefixMax(n int) *prefixMax {
	size := 1
	for size < n {
		size *= 2
	}
	p := &prefixMax{size: size, top: make([]float64, 2*size), plus: make([]float64, 2*size)}
	for i := n; i < size; i++ {
		p.add(i, i+1, math.Inf(-1))
	}
	return p
}

// add adds x to the elements from up to before until.
func (p *prefixMax) add(from, until int, x float64) { p.addBelow(1, 0, p.size, from, until, x) }

func (p *prefixMax) addBelow(node, low, high, from, until int, x float64) {
	if until <= low || high <= from {
		return
	}
	if from <= low && high <= until {
		p.top[node] += x
		p.plus[node] += x
		return
	}
	mid := (low + high) / 2
	p.addBelow(2*node, low, mid, from, until, x)
	p.addBelow(2*node+1, mid, high, from, until, x)
	p.top[node] = max(p.top[2*node], p.top[2*node+1]) + p.plus[node]
}

// max returns the greatest of the first n elements.
func (p *prefixMax) max(n int) float64 { return p.maxBelow(1, 0, p.size, n) }

func (p *prefixMax) maxBelow(node, low, high, n int) float64 {
	if n <= low {
		return math.Inf(-1)
	}
	if high <= n {
		return p.top[node]
	}
	mid := (low + high) / 2
	return max(p.maxBelow(2*node, low, mid, n), p.maxBelow(2*node+1, mid, high, n)) + p.plus[node]
}
