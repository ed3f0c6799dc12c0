package crdt

import "slices"

// Kind tells what an entry of the by-seq index and of a page is. The values are
// part of the format.
type Kind byte

// The kinds of entries.
const (
	KindBucket   Kind = 'b' // row of a token bucket, key = BucketKey
	KindCounter  Kind = 'n' // row of a kv counter, key = CounterKey
	KindUsage    Kind = 'u' // row of a sum of billed usage, key = UsageKey
	KindRegister Kind = 'r' // register, key = RegisterKey
)

// RowKinds are the kinds whose facts are rows, in the order of walks over them.
var RowKinds = [...]Kind{KindBucket, KindCounter, KindUsage}

// Valid reports whether k is one of the kinds above.
func (k Kind) Valid() bool {
	return k == KindRegister || slices.Contains(RowKinds[:], k)
}

// String names the kind for logs and metrics.
func (k Kind) String() string {
	switch k {
	case KindBucket:
		return "bucket"
	case KindCounter:
		return "counter"
	case KindUsage:
		return "usage"
	case KindRegister:
		return "register"
	}
	return "unknown"
}

// Entry is one fact as it travels: a row of the page's origin, or a register.
type Entry struct {
	Kind     Kind
	Key      string
	Row      Row      // of the RowKinds
	Register Register // of KindRegister
}

// Seq returns the entry's place in its origin's index.
func (e *Entry) Seq() uint64 {
	if e.Kind == KindRegister {
		return e.Register.Seq
	}
	return e.Row.Seq
}
