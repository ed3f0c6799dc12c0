package sim

// Promise is one thing that must always hold, by the number it has in the design,
// and what looks after it here.
type Promise struct {
	Invariant string // as in Violation
	Says      string
	Check     string // the functions that would find it broken
}

// Promises lists all that is checked. What is not: I9, which is of the strict mode;
// of I7, how far two nodes' levels may be apart; of I12, time and memory, which
// the fuzz tests and the benchmarks bound.
func Promises() []Promise { return promises }

var promises = []Promise{
	{"I1", "a row at a node is the newest its origin wrote of those the node was told of", "checkSlot"},
	{"I2", "a node whose vector covers a row was told of it, or of what voids it", "checkCovered"},
	{"I3", "when all is quiet, all nodes were told the same, and their vectors and digests agree", "checkEqual, checkKnows, checkVectors, audit"},
	{"I4", "what a node has counted is what it was told of, each increment once; a flush writes just what was accepted", "checkStore, noteRow, opLook"},
	{"I5", "no run and seq name two rows, a generation is born at its seq, and no row is of a run that never was", "noteEntry, noteRow, learnPage, checkIndex"},
	{"I6", "a register holds the last value its node was told of; a deleted one stays deleted", "checkRegisters, noteRegister, getRegister"},
	{"I7", "a level is between −D and C, and not below the central bucket but for what peers may be consuming", "opLook, checkStarved"},
	{"I8", "what is admitted overdraws one central bucket by no more than what the node was not told of; a node alone is exact", "checkAdmission, checkDenial, checkExact"},
	{"I10", "after a crash what was answered for is there: reserve, sync and registers; a charge is one step too much at most, and made once", "checkPromises, checkMarks"},
	{"I11", "a refund gives no more than was consumed and not yet given back", "opRefund"},
	{"I12", "no input makes a node panic, and no damaged message is taken for a good one", "runCatching, decoded"},
	{"I13", "of what is idle nothing is left: no rows, and no vector or descriptor of a run that never was", "checkBounded"},
	{"I14", "what one node sends another takes; after the faults three rounds make all equal", "deliverPage, deliverPull, converge"},
	{"I15", "who may have tokens gets them: full after the time it takes to fill, shares of the dead released, no endless waiting", "checkFull, checkReleases, decided"},
	{"C5", "the share of a silent peer is released on the side of a majority only", "checkReleases"},
	{"D4", "a row under a reserve mark leaves its node after its fsync", "checkLeaving"},
	{"E2", "a register leaves its node, and the answer to its write too, after its fsync", "wrote, checkLeaving"},
	{"E4", "a node that writes a register reads it back, later than all it knew", "wrote, opKVPut"},
	{"E6", "a counter of the store is the sum of what its node was told of", "opKVIncrement, getCounter"},
	{"index", "the by-seq index lists each row and register once, under its seq", "checkIndex"},
	{"calls", "no call fails but for a disk that does, or is damaged", "failed, start, bootstrap, must"},
}

// says is what an invariant promises.
func says(invariant string) string {
	for i := range promises {
		if promises[i].Invariant == invariant {
			return promises[i].Says
		}
	}
	return ""
}
