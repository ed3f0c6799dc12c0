package ratelimit

import "math"

// Unseen bounds what the peers may have consumed of this agent without this
// node knowing, in µtok: the most by which the bucket could be overdrawn,
//
//	Σ_j min(λ_j·a_j, C + r·a_j),
//
// a_j being the time since peer j was last heard. It is an estimate in λ, which
// is what j did in the recent past; C + r·a is the most that any node admits in
// the time a. What was under way when a page was made is not in it: to cover
// that, ask for an instant later by the time a page takes.
func (b *Bucket) Unseen(now int64, l *Limit, v *View) int64 {
	var sum float64
	peers := b.states()
	for i := range peers {
		p := &peers[i]
		if v.left(p.slot) {
			continue
		}
		age := float64(max(now-max(p.at, v.heard(p.slot)), 0))
		sum += min(p.lambda()*age, float64(l.Capacity)+l.rate()*age)
	}
	return int64(min(math.Ceil(sum), maxDelta))
}
