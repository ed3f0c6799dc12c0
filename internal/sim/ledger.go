package sim

import (
	"slices"

	"github.com/openclaw/clawd/crdt"
)

// amount is consumption and refunds, in the unit of the counter.
type amount struct{ consumed, refunded uint64 }

func (a amount) plus(b amount) amount {
	return amount{a.consumed + b.consumed, a.refunded + b.refunded}
}

// within tells whether nothing of a is more than in b.
func (a amount) within(b amount) bool { return a.consumed <= b.consumed && a.refunded <= b.refunded }

func (a amount) zero() bool { return a == amount{} }

// maxKeys bounds the counter keys of one schedule.
const maxKeys = 48

// ledger is the account of what happened, by which the replicas are judged.
type ledger struct {
	keys  []ledgerKey
	keyOf map[string]int
	runs  []*ledgerRun
	runOf map[crdt.Origin]int
	regs  registerLedger
}

// ledgerKey is one counter key: a bucket or a counter of the store.
type ledgerKey struct {
	kind  crdt.Kind
	key   string
	agent string // or the counter's name
	epoch crdt.HLC
	ideal ideal
}

// ledgerRun is what one process start wrote.
type ledgerRun struct {
	origin  crdt.Origin
	node    crdt.NodeID
	name    string // machine and start
	lastSeq uint64
	// disowned: its node was forgotten while it lived. What it wrote may count at
	// some nodes and not at others: an operator has said that it is lost.
	disowned bool
	rows     [maxKeys][]version
}

// version is one row as it was written: everything of its run and key up to
// seq, over all generations.
type version struct {
	row crdt.Row
	sum amount
}

func newLedger() *ledger {
	return &ledger{keyOf: make(map[string]int), runOf: make(map[crdt.Origin]int), regs: newRegisterLedger()}
}

// key answers the number of a counter key, -1 when there are too many.
func (l *ledger) key(kind crdt.Kind, key string) int {
	name := string(kind) + key
	if i, ok := l.keyOf[name]; ok {
		return i
	}
	if len(l.keys) == maxKeys {
		return -1
	}
	l.keyOf[name] = len(l.keys)
	l.keys = append(l.keys, ledgerKey{kind: kind, key: key})
	k := &l.keys[len(l.keys)-1]
	if kind == crdt.KindBucket {
		b, _ := crdt.ParseBucketKey(key)
		k.agent, k.epoch = b.Agent, b.Epoch
	} else {
		c, _ := crdt.ParseCounterKey(key)
		k.agent, k.epoch = c.Name, c.Epoch
	}
	return len(l.keys) - 1
}

func (l *ledger) addRun(o crdt.Origin, n crdt.NodeID, name string) int {
	l.runOf[o] = len(l.runs)
	l.runs = append(l.runs, &ledgerRun{origin: o, node: n, name: name})
	return len(l.runs) - 1
}

// find answers the place of the version of a row with this seq, from 1; 0 when
// nobody wrote such a row.
func (r *ledgerRun) find(key int, row crdt.Row) int {
	list := r.rows[key]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].row.Seq == row.Seq {
			if list[i].row != row {
				return 0
			}
			return i + 1
		}
	}
	return 0
}

// upTo answers the place of the last version of a row with a seq up to this one.
func (r *ledgerRun) upTo(key int, seq uint64) int {
	list := r.rows[key]
	at := len(list)
	for at > 0 && list[at-1].row.Seq > seq {
		at--
	}
	return at
}

// knowledge is which version of each run and key a node has been told of: the
// place of the version, 0 for none.
type knowledge struct {
	at []uint16
	// A node that went back to an old backup is lossy: what was collected since
	// the backup was made it may never learn of, as it had said it has it.
	lossy bool
}

func (k *knowledge) get(run, key int) int {
	i := run*maxKeys + key
	if i >= len(k.at) {
		return 0
	}
	return int(k.at[i])
}

// learn raises the knowledge; it never falls while a process lives.
func (k *knowledge) learn(run, key, place int) (news bool) {
	i := run*maxKeys + key
	for i >= len(k.at) {
		k.at = append(k.at, make([]uint16, maxKeys)...)
	}
	if place <= int(k.at[i]) {
		return false
	}
	k.at[i] = uint16(place)
	return true
}

func (k *knowledge) clone() knowledge {
	return knowledge{at: slices.Clone(k.at), lossy: k.lossy}
}

// disown marks the runs of a node that an operator forgot by mistake.
func (l *ledger) disown(n crdt.NodeID) {
	for _, r := range l.runs {
		r.disowned = r.disowned || r.node == n
	}
}

// sure is sum without the runs that were disowned.
func (l *ledger) sure(k *knowledge, key int) (a amount) {
	for i := range len(k.at) / maxKeys {
		if at := k.at[i*maxKeys+key]; at > 0 && !l.runs[i].disowned {
			a = a.plus(l.runs[i].rows[key][at-1].sum)
		}
	}
	return a
}

// sum is what a node with this knowledge must have counted under a key.
func (l *ledger) sum(k *knowledge, key int) (a amount) {
	for i := range len(k.at) / maxKeys {
		if at := k.at[i*maxKeys+key]; at > 0 {
			a = a.plus(l.runs[i].rows[key][at-1].sum)
		}
	}
	return a
}
