package sim

import "fmt"

// Violation says which promise was broken, and how.
type Violation struct {
	Invariant string // as numbered in the design: "I4"
	Detail    string
	At        int64 // ms since the start
}

func (v *Violation) Error() string {
	return fmt.Sprintf("%s at %s: %s", v.Invariant, clockText(v.At), v.Detail)
}

func clockText(ms int64) string { return fmt.Sprintf("%d.%03d s", ms/1000, ms%1000) }
