package crdt

// Kind tells what an entry of the by-seq index and of a page is. The values are
// part of the format.
type Kind byte

// The kinds of entries.
const (
	KindBucket   Kind = 'b' // row of a token bucket, key = BucketKey
	KindCounter  Kind = 'n' // row of a kv counter, key = CounterKey
	KindRegister Kind = 'r' // register, key = RegisterKey
)

// Valid reports whether k is one of the kinds above.
func (k Kind) Valid() bool {
	return k == KindBucket || k == KindCounter || k == KindRegister
}

// String names the kind for logs and metrics.
func (k Kind) String() string {
	switch k {
	case KindBucket:
		return "bucket"
	case KindCounter:
		return "counter"
	case KindRegister:
		return "register"
	}
	return "unknown"
}

// Entry is one fact as it travels: a row of the page's origin, or a register.
type Entry struct {
	Kind     Kind
	Key      string
	Row      Row      // of KindBucket and KindCounter
	Register Register // of KindRegister
}

// Seq returns the entry's place in its origin's index.
func (e *Entry) Seq() uint64 {
	if e.Kind == KindRegister {
		return e.Register.Seq
	}
	return e.Row.Seq
}
