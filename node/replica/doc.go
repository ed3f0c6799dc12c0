// Package replica is the state machine of one clawd node: hot buckets,
// consumption, flush, merge, collection of idle rows, retirement of dead runs,
// registers and the membership facts they depend on.
//
// It starts no goroutine, reads no clock and opens no socket: every call gets
// the present as an [Instant], and whoever drives it (package node with real
// time and HTTP, the simulator with virtual time) does the waiting, sending
// and committing. The same code runs in both.
//
// # State
//
// Memory is the truth while the process runs. Each key (a bucket of an agent,
// or a counter of the key-value store) is a cell in one of the shards; the
// store holds the cells of the last flush. A flush captures everything that
// changed since the one before it, in one atomic batch together with the
// version vector, so that rows and vector always regress together in a crash.
// Merged rows are flushed like own ones: what a replica acknowledges to its
// peers is the vector of its last completed flush.
//
// # Locks
//
// merge > shards in ascending order > registers. The merge lock makes pages
// whole with respect to a flush. A cell that waits to be captured and is about
// to change is captured first by whoever changes it, so that a flush sees one
// instant and no request ever waits for the whole of it.
//
// Every exported method is safe for concurrent use, except that there must be
// one flush at a time: BeginFlush, Commit by the caller, EndFlush.
package replica
