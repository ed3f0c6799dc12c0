package crdt

// MaxCounter is where an origin opens a new generation of a row. The room above
// it keeps sums of two counters inside 64 bits, and lets the origin wait until
// every member has the old generation: a counter goes on past MaxCounter for as
// long as that takes.
const MaxCounter = 1 << 62

// Row is what one origin has consumed under one key since it opened the
// generation Birth. Only its origin ever raises a row; everybody else joins.
// Counters are micro-tokens for a bucket and plain units for a kv counter.
//
// Birth is the Seq of the first row of the generation. An idle row is deleted
// everywhere without a tombstone, and the origin starts the next one under a new
// Birth: a late copy of the old row then cannot come back to life. The old
// generation is not part of the new one, so the origin opens a new Birth only
// when every member has the last row of the old.
type Row struct {
	Birth    uint64 // generation of the slot
	Consumed uint64 // total taken in this generation
	Refunded uint64 // total given back in this generation
	TS       int64  // unix ms of the flush, by the origin's clock: compare it with that clock only
	Seq      uint64 // place in the origin's by-seq index
}

// Delta is what a join added to what was known: the increase of the counters,
// or all of them for a new generation.
type Delta struct {
	Consumed uint64
	Refunded uint64
	Changed  bool // the joined row differs, be it only in TS or Seq
}

// Join returns the least row that contains both, and what o adds to r. The
// higher Birth wins with its counters whole; at equal Birth each counter takes
// its maximum. TS and Seq only describe the row and always take the maximum.
//
// The zero Row stands for "no row": joining it changes nothing, and joining to
// it adds o whole. A second Join of the same row returns a zero Delta.
func (r Row) Join(o Row) (joined Row, delta Delta) {
	joined = r
	switch {
	case o.Birth > r.Birth:
		joined.Birth, joined.Consumed, joined.Refunded = o.Birth, o.Consumed, o.Refunded
		delta.Consumed, delta.Refunded = o.Consumed, o.Refunded
	case o.Birth == r.Birth:
		joined.Consumed = max(r.Consumed, o.Consumed)
		joined.Refunded = max(r.Refunded, o.Refunded)
		delta.Consumed = joined.Consumed - r.Consumed
		delta.Refunded = joined.Refunded - r.Refunded
	}
	joined.TS = max(r.TS, o.TS)
	joined.Seq = max(r.Seq, o.Seq)
	delta.Changed = joined != r
	return joined, delta
}
