package replica

import (
	"fmt"
	"sync"

	"github.com/openclaw/clawd/crdt"
)

// registers holds the registers that are not on disk yet; the rest are read
// from the store.
type registers struct {
	mu       sync.Mutex
	pending  map[string]*registerWrite
	flushing map[string]*registerWrite
}

// registerWrite is one register on its way to disk.
type registerWrite struct {
	key     string
	reg     crdt.Register
	own     bool // written or republished here: gets a seq of this run
	changed bool // the value is news, not only its place in the index
	drop    bool // collected: to be removed from disk
}

func (s *registers) get(key string) (crdt.Register, bool) {
	if w := s.pending[key]; w != nil {
		return w.reg, true
	}
	if w := s.flushing[key]; w != nil {
		return w.reg, true
	}
	return crdt.Register{}, false
}

func (s *registers) put(w *registerWrite) {
	if s.pending == nil {
		s.pending = make(map[string]*registerWrite)
	}
	s.pending[w.key] = w
}

// take moves the pending registers into the flush under way, in key order.
func (s *registers) take() []*registerWrite {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushing, s.pending = s.pending, nil
	taken := make([]*registerWrite, 0, len(s.flushing))
	for _, key := range sortedKeys(s.flushing) {
		taken = append(taken, s.flushing[key])
	}
	return taken
}

// number gives the own registers of a flush the seqs after seq, and returns
// the last one given.
func (s *registers) number(taken []*registerWrite, run crdt.Origin, seq uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range taken {
		if w.own {
			seq++
			w.reg.Origin, w.reg.Seq = run, seq
		}
	}
	return seq
}

func (s *registers) settle([]*registerWrite) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushing = nil
}

// revert makes what a failed flush took pending again, unless it was
// overwritten meanwhile.
func (s *registers) revert(taken []*registerWrite) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushing = nil
	for _, w := range taken {
		if s.pending[w.key] != nil {
			continue
		}
		if w.own {
			w.reg.Seq = 0
		}
		s.put(w)
	}
}

// register reads the newest state of a register, expired ones included.
func (r *Replica) register(key string) (crdt.Register, bool, error) {
	r.regs.mu.Lock()
	reg, ok := r.regs.get(key)
	r.regs.mu.Unlock()
	if ok {
		return reg, true, nil
	}
	return r.store.Register(key)
}

// writeRegister writes a register of this node: newer than the one it
// replaces, and than anything this node has seen. decide sees the present
// register and says what to write; its error ends the call with nothing
// changed. The answer may leave once the returned generation is durable.
func (r *Replica) writeRegister(now Instant, key crdt.RegisterKey, decide func(have crdt.Register, found bool) (crdt.Register, error)) (crdt.Register, uint64, error) {
	name := key.Encode()
	r.merge.Lock()
	defer r.merge.Unlock()
	have, found, err := r.register(name)
	if err != nil {
		return crdt.Register{}, 0, err
	}
	reg, err := decide(have, found)
	if err != nil {
		return crdt.Register{}, 0, err
	}
	reg.Version = r.clock.NowAfter(now.Wall, have.Version)
	reg.Writer, reg.Origin, reg.Gen, reg.Seq = r.self, r.run, 0, 0
	r.stage(now, name, reg, true, true)
	return reg, r.generation(), nil
}

// putRegister stores a value of the cluster's configuration if cond lets it.
func (r *Replica) putRegister(now Instant, key crdt.RegisterKey, value []byte, cond Cond) (version crdt.HLC, created bool, wait uint64, err error) {
	reg, wait, err := r.writeRegister(now, key, func(have crdt.Register, found bool) (crdt.Register, error) {
		created = !found || have.Deleted
		return crdt.Register{Value: value}, cond.check(have, !created)
	})
	return reg.Version, created, wait, err
}

// deleteRegister removes what putRegister stored. what names it in an error.
func (r *Replica) deleteRegister(now Instant, key crdt.RegisterKey, what string, cond Cond) (wait uint64, err error) {
	_, wait, err = r.writeRegister(now, key, func(have crdt.Register, found bool) (crdt.Register, error) {
		if !found || have.Deleted {
			return crdt.Register{}, fmt.Errorf("%s: %w", what, ErrNotFound)
		}
		return crdt.Register{Deleted: true}, cond.check(have, true)
	})
	return wait, err
}

// generation is the flush that will take what was staged under the merge lock.
func (r *Replica) generation() uint64 {
	r.askFlush()
	return r.epoch.Load()
}

// joinRegister joins a register from a peer. Called with the merge lock held.
func (r *Replica) joinRegister(now Instant, key string, in crdt.Register) error {
	have, found, err := r.register(key)
	if err != nil {
		return err
	}
	if !found {
		r.stage(now, key, in, false, true)
		return nil
	}
	joined, value, index := have.Join(in)
	if value || index {
		r.stage(now, key, joined, false, value)
	}
	return nil
}

// stage makes reg the register's newest state. Called with the merge lock
// held, so that a page's registers and its vector go into one flush.
func (r *Replica) stage(now Instant, key string, reg crdt.Register, own, changed bool) {
	r.regs.mu.Lock()
	if w := r.regs.pending[key]; w != nil {
		changed = changed || w.changed
		own = own || w.own && reg.Origin == r.run
	}
	r.regs.put(&registerWrite{key: key, reg: reg, own: own, changed: changed})
	r.regs.mu.Unlock()
	r.counters.registers.Add(1)
	if changed {
		r.registerChanged(now, key, reg)
	}
}

// captureRegisters writes the flush's registers and moves their index entries.
func (r *Replica) captureRegisters(f *Flush, _ Instant) {
	for _, w := range f.regs {
		old, found, err := r.store.Register(w.key)
		if err != nil {
			r.store.Fail(err) // the old place in the index would stay for ever
		}
		if found && (old.Origin != w.reg.Origin || old.Seq != w.reg.Seq) {
			f.Batch.DeleteIndex(old.Origin, old.Seq)
		}
		if w.drop {
			f.Batch.DeleteRegister(w.key)
			f.Batch.DeleteIndex(w.reg.Origin, w.reg.Seq)
			continue
		}
		f.Batch.PutRegister(w.key, w.reg)
		f.Batch.PutIndex(w.reg.Origin, w.reg.Seq, crdt.KindRegister, w.key)
		if w.changed {
			f.changes = append(f.changes, registerChange(w.key, w.reg))
		}
	}
}
