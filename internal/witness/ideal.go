package witness

import (
	"slices"
	"time"
)

// Limit is a bucket in whole tokens.
type Limit struct {
	Capacity  int64
	PerSecond float64
}

// Ideal returns what one central bucket, full at the start, would have admitted
// of the same arrivals in the order they were sent; of those, only the ones that
// every test holds for are summed. Requests no node saw did not arrive. It is
// written to be obviously right, not to share code with the limiter.
func (l Limit) Ideal(answers []Answer, tests ...func(Answer) bool) int64 {
	level, last, admitted := float64(l.Capacity), time.Duration(0), int64(0)
	for _, a := range answers {
		if a.Verdict == Refused {
			continue
		}
		level = min(float64(l.Capacity), level+l.PerSecond*(a.Sent-last).Seconds())
		last = a.Sent
		if cost := float64(a.Tokens); level >= cost {
			level -= cost
			if !slices.ContainsFunc(tests, func(holds func(Answer) bool) bool { return !holds(a) }) {
				admitted += a.Tokens
			}
		}
	}
	return admitted
}

// Overshoot returns by how many tokens the admissions exceed what the limit
// allows in any stretch of time:
//
//	max over t₁ ≤ t₂ of Σ(admitted within [t₁, t₂]) − capacity − rate·(t₂ − t₁).
//
// A request counts for a stretch only when it was sent and answered within it.
// When it was decided in between is not known, so that a busy machine makes the
// figure smaller, never larger.
func (l Limit) Overshoot(answers []Answer) float64 {
	admitted := slices.DeleteFunc(slices.Clone(answers), func(a Answer) bool { return a.Verdict != Admitted })
	if len(admitted) == 0 {
		return 0
	}
	starts := make([]time.Duration, len(admitted))
	for i, a := range admitted {
		starts[i] = a.Sent
	}
	slices.Sort(starts)
	slices.SortFunc(admitted, func(a, b Answer) int { return int(a.Done - b.Done) })

	// sums holds, for each possible t₁, what was admitted since then, plus rate·t₁.
	sums := newPrefixMax(len(starts))
	for i, at := range starts {
		sums.add(i, i+1, l.PerSecond*at.Seconds())
	}
	worst := 0.0
	for _, a := range admitted {
		from, _ := slices.BinarySearch(starts, a.Sent+1) // first start after it
		sums.add(0, from, float64(a.Tokens))
		before, _ := slices.BinarySearch(starts, a.Done+1)
		worst = max(worst, sums.max(before)-l.PerSecond*a.Done.Seconds()-float64(l.Capacity))
	}
	return worst
}
