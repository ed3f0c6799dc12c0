package mutant

import "slices"

// Catch is a schedule that broke a promise.
type Catch struct {
	Seed      uint64
	Invariant string
	Detail    string
}

// Panicked is what stands for the invariant when the replica panicked.
const Panicked = "panic"

// Report is how a hunt ended.
type Report struct {
	Ran    int     // schedules
	Caught *Catch  // by what the bug breaks; nil: it escaped
	Stray  []Catch // the first of each other invariant seen before
}

// Note takes one violation and tells whether the hunt is over.
func (r *Report) Note(c Catch, breaks []string) (over bool) {
	if slices.Contains(breaks, c.Invariant) {
		r.Caught = &c
		return true
	}
	if !slices.ContainsFunc(r.Stray, func(s Catch) bool { return s.Invariant == c.Invariant }) {
		r.Stray = append(r.Stray, c)
	}
	return false
}
