// Package antientropy is the sync protocol between replicas, without the
// network: the messages that travel and the rules by which a replica decides
// what an incoming page may do to it.
//
// Replication is by delta intervals. Every origin (one start of one process)
// numbers its changes; a replica knows of each origin "everything up to seq",
// its version vector, and asks its peers for the rest. Three rules keep that
// knowledge true under loss, duplication and reordering:
//
//   - A page starts where the receiver's knowledge ends or earlier, else it is
//     a gap and is refused whole ([GapError]).
//   - The version vector moves only with the last page of a session that was
//     scanned from one consistent view; the pages before it only add rows. The
//     pages of a session are taken in order ([Receiver]).
//   - What a replica acknowledges is what survives its crash: durable
//     vectors, never the ones in memory ([Acks]).
//
// Nothing here reads a clock, starts a goroutine or does I/O, and nothing is
// safe for concurrent use: the caller serialises.
package antientropy
