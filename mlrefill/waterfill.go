package mlrefill

import (
	"cmp"
	"slices"
)

// Waterfill shares capacity max-min by weight: nobody gets more than it wants,
// and who gets less than it wants gets as much a weight as anybody. share may be
// want. order is scratch and is returned for the next call.
func Waterfill(capacity float64, want, weight, share []float64, order []int) []int {
	order = order[:0]
	total := 0.0
	for i := range want {
		if want[i] > 0 && weight[i] > 0 {
			order = append(order, i)
			total += weight[i]
			continue
		}
		share[i] = 0
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(want[a]*weight[b], want[b]*weight[a]), a-b)
	})
	left := max(capacity, 0)
	for _, i := range order {
		got := min(want[i], left*weight[i]/total)
		left = max(left-got, 0)
		total -= weight[i]
		share[i] = got
	}
	return order
}
