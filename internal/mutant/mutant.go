package mutant

import "slices"

// Mutant is one bug that may be planted.
type Mutant struct {
	Name string
	// Why is how somebody comes to write it.
	Why   string
	Edits []Edit
	// Breaks lists the invariants that may catch it: what the first violation of a
	// schedule names. Any other is no catch.
	Breaks []string
	// Seeds is the budget: how many schedules may pass until it is caught; 0 means
	// DefaultSeeds.
	Seeds int
	// Crash names the crash test that must catch it, where the simulator cannot:
	// its store is not Pebble.
	Crash string
}

// DefaultSeeds is the budget of a bug that states none.
const DefaultSeeds = 2000

// Edit replaces text within one function.
type Edit struct {
	Func string // "node/replica.(*Replica).restamp", "crdt.Row.Join", "storage.New"
	Old  string // must occur exactly once in the function's body
	New  string
}

// Budget is how many schedules may pass until the bug is caught.
func (m *Mutant) Budget() int {
	if m.Seeds > 0 {
		return m.Seeds
	}
	return DefaultSeeds
}

// All lists the bugs, in the order of the report. The number of a bug for the
// switch is its place, from 1.
func All() []Mutant {
	return slices.Concat(exchange, flushing, collection, folding, durability, registers, onDisk)
}
