package sim

import (
	"bytes"
	"cmp"

	"github.com/openclaw/clawd/crdt"
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

// add notes a write and answers its place, from 1.
func (l *registerLedger) add(key int, v regValue) int {
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
// it is newer than anything that process knew.
func (w *world) wrote(p *process, key crdt.RegisterKey) *regValue {
	reg, found, err := p.rep.Register(key)
	if err != nil || !found {
		w.fail("E4", "%s does not hold the register it just wrote: %v", p.m.name, err)
		return nil
	}
	k := w.ledger.regs.key(key.Encode())
	v := regValue{reg.Version, reg.Writer, reg.Deleted, reg.Value, reg.ExpiresAt}
	if have := w.ledger.regs.value(p.regs, k); have != nil && have.version >= v.version || v.writer != p.node {
		w.fail("E4", "%s writes %v over %v of %q", p.m.name, v.version, have.version, key.Name)
		return nil
	}
	p.regs.learn(&w.ledger.regs, k, w.ledger.regs.add(k, v))
	return &v
}
