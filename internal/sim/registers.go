package sim

import (
	"bytes"
	"cmp"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/ratelimit"
)

// registerLedger is every value a register was ever given.
type registerLedger struct {
	keys   []string
	keyOf  map[string]int
	values [][]regValue // by key
}

// regValue is one accepted write of a register.
type regValue struct {
	version crdt.HLC
	writer  crdt.NodeID
	deleted bool
	value   []byte
	expires int64

	decoded *ratelimit.Policy
}

func newRegisterLedger() registerLedger { return registerLedger{keyOf: make(map[string]int)} }

func (l *registerLedger) key(key string) int {
	if i, ok := l.keyOf[key]; ok {
		return i
	}
	l.keyOf[key] = len(l.keys)
	l.keys = append(l.keys, key)
	l.values = append(l.values, nil)
	return len(l.keys) - 1
}

// add notes a write and answers its place, from 1. A write that a crash undid
// before anybody was told of it may be made again, the same to the bit.
func (l *registerLedger) add(key int, v regValue) int {
	for i := range l.values[key] {
		if o := &l.values[key][i]; !v.later(o) && !o.later(&v) && v.expires == o.expires {
			return i + 1
		}
	}
	l.values[key] = append(l.values[key], v)
	return len(l.values[key])
}

func (l *registerLedger) find(key int, r *crdt.Register) int {
	for i := range l.values[key] {
		v := &l.values[key][i]
		if v.version == r.Version && v.writer == r.Writer && v.deleted == r.Deleted &&
			v.expires == r.ExpiresAt && bytes.Equal(v.value, r.Value) {
			return i + 1
		}
	}
	return 0
}

// later is the order in which the last writer wins.
func (v *regValue) later(o *regValue) bool {
	return cmp.Or(
		cmp.Compare(v.version, o.version),
		cmp.Compare(v.writer, o.writer),
		cmp.Compare(b2i(v.deleted), b2i(o.deleted)),
		bytes.Compare(v.value, o.value),
	) > 0
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// regKnowledge is the place of the value a node must hold, by key; 0 for none.
type regKnowledge []uint16

func (k regKnowledge) get(key int) int {
	if key >= len(k) {
		return 0
	}
	return int(k[key])
}

func (k *regKnowledge) learn(l *registerLedger, key, place int) (news bool) {
	for key >= len(*k) {
		*k = append(*k, 0)
	}
	have := int((*k)[key])
	if have == place || have > 0 && !l.values[key][place-1].later(&l.values[key][have-1]) {
		return false
	}
	(*k)[key] = uint16(place)
	return true
}

func (k regKnowledge) clone() regKnowledge { return append(regKnowledge(nil), k...) }

// value is what a node with this knowledge holds under a key, nil for nothing.
func (l *registerLedger) value(k regKnowledge, key int) *regValue {
	if at := k.get(key); at > 0 {
		return &l.values[key][at-1]
	}
	return nil
}

// wrote notes a register that a process was just asked to write, and looks that
// it is newer than anything that process knew. The client has its answer once
// the flush it waits for is durable.
func (w *world) wrote(p *process, key crdt.RegisterKey, wait uint64) *regValue {
	reg, found, err := p.rep.Register(key)
	if w.failed(p, "register", err) {
		return nil
	}
	if !found {
		w.fail("E4", "%s reads register %q, which it just wrote: expected it, got nothing", p.m.name, key.Name)
		return nil
	}
	k := w.ledger.regs.key(key.Encode())
	v := regValue{version: reg.Version, writer: reg.Writer, deleted: reg.Deleted, value: reg.Value, expires: reg.ExpiresAt}
	if have := w.ledger.regs.value(p.regs, k); v.writer != p.node || have != nil && have.version >= v.version {
		w.fail("E4", "%s writes register %q over %v: expected a later version of its own, got %v by %v", p.m.name, key.Name, have, v.version, v.writer)
		return nil
	}
	if wait == 0 {
		w.fail("E2", "%s writes register %q: expected an answer that waits for a flush, got one at once", p.m.name, key.Name)
		return nil
	}
	place := w.ledger.regs.add(k, v)
	p.regs.learn(&w.ledger.regs, k, place)
	w.forgetVoid(p)
	p.await(wait, func(_ *world, durable bool) {
		if durable {
			p.regFloor = append(p.regFloor, regFloor{k, place})
		}
	})
	return &w.ledger.regs.values[k][place-1]
}

// void tells whether a node with this knowledge has nothing under a counter key
// any more: its agent or counter was deleted.
func (w *world) void(regs *regKnowledge, k int) bool {
	key := &w.ledger.keys[k]
	if key.kind == crdt.KindBucket {
		return key.epoch < w.epochOf(regs, key.agent)
	}
	return key.epoch < w.counterKey(regs, key.agent).Epoch
}

// forgetVoid drops what was accepted of agents and counters that were deleted.
func (w *world) forgetVoid(p *process) {
	for k := range w.ledger.keys {
		if w.void(&p.regs, k) {
			p.pending[k], p.floor[k] = amount{}, 0
		}
	}
}
