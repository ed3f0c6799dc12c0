package mlrefill

import (
	"cmp"
	"slices"
)

// Waterfill shares capacity max-min by weight: nobody gets more than it wants,
// and who gets less than it wants gets as much a weight as anybody. order is scratch and is returned for the next call.
func Waterfill(capacity float64, want, weight, share []float64, order []int) []int {
	order = order[:0]
	for i := range want {
		share[i] = 0
		if want[i] > 0 && weight[i] > 0 {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(want[a]*weight[b], want[b]*weight[a]), a-b)
	})
	// The weight of those still to come, summed from the end: taking weights off a
	// total leaves nothing of the small ones after the large.
	total := 0.0
	for _, i := range slices.Backward(order) {
		total += weight[i]
		share[i] = total
	}
	left := max(capacity, 0)
	for _, i := range order {
		got := min(want[i], left*(weight[i]/share[i]))
		left = max(left-got, 0)
		share[i] = got
	}
	return order
}
