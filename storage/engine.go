package storage

// Reader reads an ordered byte map.
type Reader interface {
	// Get appends the value of key to buf. found is false, and buf comes back
	// unchanged, when there is none.
	Get(key, buf []byte) (val []byte, found bool, err error)
	// Scan visits lower <= key < upper in ascending order until fn returns
	// false; a nil upper has no end. It sees one instant, that of the call. k
	// and v are valid only until fn returns.
	Scan(lower, upper []byte, fn func(k, v []byte) (more bool)) error
}

// Snapshot is a Reader of one instant. It pins disk space until it is closed.
type Snapshot interface {
	Reader
	Close() error
}

// Engine is the ordered byte map under a Store: Pebble in production, Memory in
// the simulator. All methods are safe for concurrent use, but Close, which must
// come last.
type Engine interface {
	Reader
	// Apply makes all operations of b visible at once, or none. With sync it
	// returns after everything applied so far is durable; without, a crash may
	// undo the batch, but never an earlier one while this one survives.
	//
	// The batch may be Reset and used again afterwards, also after an error.
	Apply(b *Batch, sync bool) error
	Snapshot() (Snapshot, error)
	Close() error
}
