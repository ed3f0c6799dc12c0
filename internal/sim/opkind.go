package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// OpKind is what an operation does.
type OpKind uint8

// The operations.
const (
	OpConsume OpKind = iota
	OpInline
	OpBatch
	OpBurst
	OpRefund
	OpReset
	OpDelete
	OpPolicyPut
	OpPolicyDelete
	OpKVPut
	OpKVDelete
	OpKVIncrement
	OpKVGet
	OpFlush
	OpIdle
	OpPull
	OpAudit
	OpCollect
	OpGossip
	OpTick
	OpLook
	OpCrash
	OpStop
	OpBackup
	OpRestore
	OpLoseDisk
	OpClone
	OpJoin
	OpLeave
	OpForget
	OpSplit
	OpCut
	OpCutLink
	OpHeal
	OpPause
	OpClockJump
	OpDiskFull
	OpDiskFail
	OpCorrupt
	opKinds
)

// opSpec is an operation's name and how often it is drawn, about.
type opSpec struct {
	name   string
	weight int
	run    func(w *world, m *machine, op *Op, c *chance)
	down   bool // also while the machine is down
}

var opSpecs [opKinds]opSpec

func init() { // not a composite literal: the functions refer to it
	opSpecs = [opKinds]opSpec{
		OpConsume:      {"consume", 300, (*world).opConsume, false},
		OpInline:       {"inline", 10, (*world).opInline, false},
		OpBatch:        {"batch", 10, (*world).opBatch, false},
		OpBurst:        {"burst", 8, (*world).opBurst, false},
		OpRefund:       {"refund", 20, (*world).opRefund, false},
		OpReset:        {"reset", 4, (*world).opReset, false},
		OpDelete:       {"delete", 4, (*world).opDelete, false},
		OpPolicyPut:    {"policy-put", 8, (*world).opPolicyPut, false},
		OpPolicyDelete: {"policy-delete", 3, (*world).opPolicyDelete, false},
		OpKVPut:        {"kv-put", 15, (*world).opKVPut, false},
		OpKVDelete:     {"kv-delete", 8, (*world).opKVDelete, false},
		OpKVIncrement:  {"kv-increment", 20, (*world).opKVIncrement, false},
		OpKVGet:        {"kv-get", 10, (*world).opKVGet, false},
		OpFlush:        {"flush", 200, (*world).opFlush, false},
		OpIdle:         {"idle", 30, (*world).opIdle, false},
		OpPull:         {"pull", 100, (*world).opPull, false},
		OpAudit:        {"audit", 3, (*world).opAudit, false},
		OpCollect:      {"collect", 40, (*world).opCollect, false},
		OpGossip:       {"gossip", 20, (*world).opGossip, false},
		OpTick:         {"tick", 20, (*world).opTick, false},
		OpLook:         {"look", 15, (*world).opLook, false},
		OpCrash:        {"crash", 20, (*world).opCrash, false},
		OpStop:         {"stop", 8, (*world).opStop, false},
		OpBackup:       {"backup", 4, (*world).opBackup, false},
		OpRestore:      {"restore", 2, (*world).opRestore, true},
		OpLoseDisk:     {"lose-disk", 3, (*world).opLoseDisk, true},
		OpClone:        {"clone", 3, (*world).opClone, false},
		OpJoin:         {"join", 3, (*world).opJoin, true},
		OpLeave:        {"leave", 2, (*world).opLeave, false},
		OpForget:       {"forget", 10, (*world).opForget, false},
		OpSplit:        {"split", 6, (*world).opSplit, true},
		OpCut:          {"cut", 6, (*world).opCut, true},
		OpCutLink:      {"cut-link", 6, (*world).opCutLink, true},
		OpHeal:         {"heal", 12, (*world).opHeal, true},
		OpPause:        {"pause", 5, (*world).opPause, false},
		OpClockJump:    {"clock-jump", 2, (*world).opClockJump, true},
		OpDiskFull:     {"disk-full", 5, (*world).opDiskFull, false},
		OpDiskFail:     {"disk-fail", 4, (*world).opDiskFail, true},
		OpCorrupt:      {"corrupt", 2, (*world).opCorrupt, true},
	}
}

func (k OpKind) String() string { return opSpecs[k].name }

// MarshalText writes the kind as its name: plans are kept as regressions, and
// numbers would change their meaning with the next kind.
func (k OpKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is the reverse of MarshalText.
func (k *OpKind) UnmarshalText(b []byte) error {
	i := slices.IndexFunc(opSpecs[:], func(s opSpec) bool { return s.name == string(b) })
	if i < 0 {
		return fmt.Errorf("there is no operation %q", b)
	}
	*k = OpKind(i)
	return nil
}

// weights is how often each kind of operation is drawn. A seed leaves some of
// them out and makes others frequent: bugs hide where a mix is extreme.
type weights struct {
	of    [opKinds]int
	total int
}

func newWeights(r *rand.Rand, c *Config) *weights {
	w := new(weights)
	for k := range opKinds {
		w.of[k] = opSpecs[k].weight
		if k != OpConsume && k != OpFlush && k != OpPull {
			w.of[k] *= pick(r, 0, 0, 1, 1, 4)
		}
	}
	if len(c.Policies) == 0 {
		w.of[OpPolicyPut], w.of[OpPolicyDelete] = 0, 0
	}
	if c.Keys == 0 {
		w.of[OpKVPut], w.of[OpKVDelete], w.of[OpKVIncrement], w.of[OpKVGet] = 0, 0, 0, 0
	}
	if c.Metered {
		w.meter()
	}
	for _, n := range w.of {
		w.total += n
	}
	return w
}

func (w *weights) draw(r *rand.Rand) OpKind {
	n := r.IntN(w.total)
	for k, weight := range w.of {
		if n -= weight; n < 0 {
			return OpKind(k)
		}
	}
	return OpConsume
}

// do executes an operation, unless the machine cannot.
func (w *world) do(op *Op) {
	if op.M >= len(w.machines) || op.P >= len(w.machines) {
		return
	}
	m, spec := w.machines[op.M], &opSpecs[op.Kind]
	if m.gone || m.paused(w.now) || m.proc == nil && !spec.down {
		return
	}
	if m.faulty && (op.Kind == OpLook || op.Kind == OpKVGet || op.Kind == OpRefund) {
		return // what memory shows is not what was told, if a read went wrong
	}
	w.tally.Operations++
	if op.Kind >= OpCrash && op.Kind != OpStop && op.Kind != OpBackup && op.Kind != OpHeal && op.Kind != OpJoin {
		w.tally.Faults++
	}
	c := chance(op.R)
	spec.run(w, m, op, &c)
	if m.proc != nil {
		w.flushIfWanted(m.proc, &c)
	}
	if m.proc != nil && m.proc.rep.Replaced() {
		w.replaced(m, &c)
	}
}
