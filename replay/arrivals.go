package replay

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
)

// arrivals spreads a second's requests evenly over it: the j-th of n at j/n. Each
// agent's own are spread evenly among them.
type arrivals struct {
	chance *rand.Rand
	slots  []int32 // first place of each slot, then fill position
	order  []int32 // agent of each place
}

func (a *arrivals) of(demands []Demand) []int32 {
	n := int(count(demands))
	a.order = resize(a.order, n)
	if len(demands) == 1 {
		for i := range a.order {
			a.order[i] = demands[0].Agent
		}
		return a.order
	}
	a.slots = resize(a.slots, n+1)
	clear(a.slots)
	seed := a.chance.Uint64()
	each := func(f func(slot int, agent int32)) {
		phases := rand.New(rand.NewPCG(seed, 1))
		for _, d := range demands {
			phase, step := phases.Float64(), float64(n)/float64(d.Requests)
			for k := range d.Requests {
				f(min(int((float64(k)+phase)*step), n-1), d.Agent)
			}
		}
	}
	each(func(slot int, _ int32) { a.slots[slot+1]++ })
	for i := 1; i <= n; i++ {
		a.slots[i] += a.slots[i-1]
	}
	each(func(slot int, agent int32) {
		a.order[a.slots[slot]] = agent
		a.slots[slot]++
	})
	return a.order
}

func resize(s []int32, n int) []int32 {
	if cap(s) < n {
		return make([]int32, n)
	}
	return s[:n]
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
