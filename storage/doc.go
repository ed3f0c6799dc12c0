// Package storage keeps the facts of one node: cells of counters, registers,
// the by-seq index that peers pull along, and what is known of each run.
//
// # Job
//
// A Batch collects the writes of one flush or one received page; Store.Commit
// makes them visible and durable together, so that rows, their index entries
// and the version vector that covers them never part, whatever crashes. A View
// is the state of one instant, which is what a session with a peer reads.
//
// One counter key is one record (Cell): rows of all origins, lifetime totals and
// the checkpoint of the bucket's fold. A flush therefore costs one record and
// one index move an agent.
//
// # Never
//
// It joins nothing and decides nothing: which rows exist, which are collected
// and when a run is sealed is its caller's business. It starts no goroutine of
// its own and reads no clock to decide anything (Pebble does both). A failing disk
// never ends the process.
//
// # Concurrency
//
// Store and View are safe for concurrent use, but for Close, which comes last.
// A Batch belongs to one goroutine at a time. Callbacks run on the caller's
// goroutine, without a lock held, and may call the Store.
//
// # Durability
//
// When Commit(b, true) returns nil, b and all batches committed before it
// survive a crash of the process and of the machine. Commit(b, false) is visible
// at once and lost by a crash, of the process too, unless a later synced commit
// returned: what survives is always a prefix of the commits.
//
// A failed write of the log or of the manifest cannot be taken back, and a
// retried fsync proves nothing. The Store then turns failed: no byte more
// reaches the directory, every call answers ErrFailed, and Options.OnFatal is
// told. The owner's way out is to exit and open again.
//
// Damaged bytes are found by checksums (Pebble's for files, one of each record's
// own) and reported as ErrCorrupt. One case cannot be told from a crash: damage
// in the last 32 KiB of the last log file reads as a torn write, and takes the
// commits after it along. Close leaves an empty log, so this takes a crash and
// damage in the same place.
package storage
