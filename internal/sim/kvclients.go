package sim

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/replica"
)

// Registers and counters have keys of their own. (A key that was a register,
// deleted a tombstone's time ago, and is then made a counter may lose what is
// counted while the nodes forget the tombstone one after the other.)
func registerName(i int) string { return fmt.Sprintf("key%d", i) }
func counterName(i int) string  { return fmt.Sprintf("counter%d", i) }

func kvKey(name string) crdt.RegisterKey {
	return crdt.RegisterKey{Space: crdt.SpaceKV, Tenant: tenant, Name: name}
}

func (w *world) opKVPut(m *machine, op *Op, c *chance) {
	p := m.proc
	name := registerName(c.below(w.plan.Keys))
	write := replica.KVWrite{Value: fmt.Appendf(nil, "%016x", op.R)}
	if c.permille(200) {
		write.TTL = time.Duration(1+c.below(60)) * time.Second
	}
	_, _, wait, err := p.rep.KVPut(w.instant(p), tenant, name, write)
	if w.failed(p, "kv put", err) {
		return
	}
	w.tell("%s: put %s", w.ledger.runs[p.run].name, name)
	w.coverage.hit(covKVPut)
	if v := w.wrote(p, kvKey(name), wait); v != nil && (v.deleted || !bytes.Equal(v.value, write.Value)) {
		w.fail("E4", "%s stores %s: expected %q, got %q", p.m.name, name, write.Value, v.value)
	}
}

func (w *world) opKVDelete(m *machine, _ *Op, c *chance) {
	p := m.proc
	name := registerName(c.below(w.plan.Keys))
	if c.permille(300) {
		name = counterName(c.below(w.plan.Keys))
	}
	wait, err := p.rep.KVDelete(w.instant(p), tenant, name, nil)
	if w.refused(p, "kv delete", err, replica.ErrNotFound) {
		return
	}
	w.tell("%s: delete %s", w.ledger.runs[p.run].name, name)
	w.coverage.hit(covKVDelete)
	w.wrote(p, kvKey(name), wait)
}

func (w *world) opKVIncrement(m *machine, _ *Op, c *chance) {
	p := m.proc
	name := counterName(c.below(w.plan.Keys))
	k := w.ledger.key(crdt.KindCounter, w.counterKey(&p.regs, name).Encode())
	if k < 0 {
		return
	}
	by := int64(c.below(20) - 6)
	n, wait, err := p.rep.KVIncrement(w.instant(p), tenant, name, by)
	if w.failed(p, "kv increment", err) {
		return
	}
	a := amount{consumed: uint64(max(by, 0)), refunded: uint64(max(-by, 0))}
	w.accept(p, k, a)
	known := w.ledger.sum(&p.know, k).plus(p.pending[k])
	if want := int64(known.consumed - known.refunded); n != want && !p.know.lossy && !w.schism {
		w.fail("E6", "%s increments %s: expected %d, of which it was told, got %d", p.m.name, name, want, n)
	}
	w.tell("%s: %s += %d", w.ledger.runs[p.run].name, name, by)
	w.coverage.hit(covIncrement)
	w.promise(p, k, "sync", wait)
}

func (w *world) counterKey(regs *regKnowledge, name string) crdt.CounterKey {
	key := crdt.CounterKey{Tenant: tenant, Name: name}
	if k, known := w.ledger.regs.keyOf[kvKey(name).Encode()]; known {
		if v := w.ledger.regs.value(*regs, k); v != nil {
			key.Epoch = v.version
		}
	}
	return key
}

func (w *world) opKVGet(m *machine, _ *Op, c *chance) {
	p := m.proc
	if c.permille(500) {
		w.getRegister(p, registerName(c.below(w.plan.Keys)))
	} else {
		w.getCounter(p, counterName(c.below(w.plan.Keys)))
	}
}

func (w *world) getRegister(p *process, name string) {
	now := w.instant(p)
	e, err := p.rep.KVGet(now, tenant, name)
	if err != nil && !errors.Is(err, replica.ErrNotFound) {
		w.failed(p, "kv get", err)
		return
	}
	var v *regValue
	if k, known := w.ledger.regs.keyOf[kvKey(name).Encode()]; known {
		v = w.ledger.regs.value(p.regs, k)
	}
	visible := v != nil && !v.deleted && (v.expires == 0 || now.Wall < v.expires)
	if visible != (err == nil) || visible && !bytes.Equal(e.Value, v.value) {
		w.fail("I6", "%s reads %s: expected %v, got %q (%v)", p.m.name, name, v, e.Value, err)
	}
}

func (w *world) getCounter(p *process, name string) {
	e, err := p.rep.KVGet(w.instant(p), tenant, name)
	if err != nil && !errors.Is(err, replica.ErrNotFound) {
		w.failed(p, "kv get", err)
		return
	}
	k, known := w.ledger.keyOf[string(crdt.KindCounter)+w.counterKey(&p.regs, name).Encode()]
	var want int64
	if known {
		a := w.ledger.sum(&p.know, k).plus(p.pending[k])
		want = int64(a.consumed - a.refunded)
	}
	if e.Number != want && !p.know.lossy && !w.schism {
		w.fail("E6", "%s reads %s: expected %d, of which it was told, got %d (%v)", p.m.name, name, want, e.Number, err)
	}
}
