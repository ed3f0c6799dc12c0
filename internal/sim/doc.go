// Package sim runs whole clusters of real replicas in one goroutine, in virtual
// time and from one seed, and holds what they end up with against an
// independent account of everything that was ever accepted.
//
// A seed makes a [Plan]: how the cluster is set up, and a list of operations,
// each with its time and with the chance that everything it causes draws from.
// [Run] executes a plan. Nothing but the plan decides what happens, so a plan
// can be run again, and an operation can be taken out of it without changing
// the others: that is how a failing one is shrunk to a story one can read.
//
// What is real: node/replica with ratelimit, crdt and the codec of
// node/antientropy (every message is encoded, may be damaged, and is decoded),
// storage on its Memory engine. What is simulated: the processes around them
// with their loops, disks, clocks, the network, gossip and the clients.
//
// # For those who build on it
//
// [RunSeed] executes the schedule of a seed and answers which promise it broke;
// [NewPlan], [Run] and [Shrink] are its parts, and [Promises] lists what is
// looked after by which check. A seed means the same schedule until the
// generator changes; what must not change is kept as a plan in testdata.
//
// What is checked: the ledger keeps each accepted operation, each row a
// replica wrote and which of them each node has been told of. It knows nothing
// of generations, vectors, collection, gaps or merging; a node's totals must
// nevertheless be what it says, at every look and in the end. Which check looks
// after which invariant is listed in [Promises].
//
// # Faults
//
//	network   messages lost, doubled, delayed past each other and for long,
//	          with flipped bits, cut short; partitions, links cut both ways or one
//	clocks    wrong from the beginning, drifting, jumping; processes that stand still
//	disks     the unsynced end lost, an old backup restored, copied to a second
//	          machine, full, failing at any operation, with a damaged block, lost
//	members   join, leave, die for good, are forgotten, rightly or by mistake
//	work      agents equally or unequally busy, bursts, atomic batches, inline
//	          limits, refunds, resets, deletions, policies that change, registers
//	          with and without an end, counters; all of it idle long enough to be
//	          collected, and used again
//
// Times are scaled at random, so that what takes days happens often. Each rare
// path has a counter in [Coverage]; a long run in which one stays at zero fails.
//
// # What is excused
//
// A check is relaxed only where the design promises no more, and says so beside
// the relaxation: a node that was restored from a backup, or shared its identity
// with a copy, may have said that it has what it lacks (lossy); what a node wrote
// that an operator forgot by mistake may count here and not there (disowned); and
// a deletion that was lost with the only disk that held it may take with it what
// was left out for its sake (deleted).
package sim
