// Package crdt holds the replicated facts of clawd and their one binary
// encoding, for the disk and for the wire.
//
// # The job
//
// A fact is one of: a counter Row (who consumed how much, one row for each key
// and origin), a last-writer-wins Register, a Run (one process start), and a
// VersionVector (what is known of each run). Every one of them is a join
// semilattice: Join is commutative, associative and idempotent, so facts may
// arrive late, twice, in any order and over any relay, and all replicas still
// end with the same state. A Join also says what was news, because a limiter
// charges for news and for nothing else.
//
// Laws alone do not make a counter right (a maximum over one shared number
// keeps them all and loses increments), so the tests also hold an oracle: the
// joined value is the sum of all increments ever accepted.
//
// # What it never does
//
// It reads no clock, opens no file or socket, starts no goroutine, logs
// nothing. Wall time is an argument in unix milliseconds. It knows nothing of
// limits or levels: a level is folded locally from the facts and is never
// replicated.
//
// # Concurrency
//
// Clock is safe for concurrent use. Everything else is a plain value: the maps
// (VersionVector, PN, GCounter) and the Reader belong to one goroutine at a
// time.
//
// # Durability and formats
//
// Nothing here is durable by itself. The bytes of the Append functions are
// formats: a change of one is a new version byte of the frame around it (see
// Seal and Open), and testdata holds golden bytes that tell when it happens
// unintended. Each value has exactly one encoding; a decoder refuses any other,
// so equal facts are equal bytes and may be compared by hash.
package crdt
