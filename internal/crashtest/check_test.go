package crashtest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

// noteCharges takes the rows that this start has opened for reserve marks into
// the ledger, and those of starts that failed. Only buckets under `reserve` can
// have any.
func (p *process) noteCharges() error {
	l := p.n.w.ledger
	var errs []error
	errs = append(errs, p.store.Cells(crdt.KindBucket, "", "", func(key string, c *storage.Cell) bool {
		for _, slot := range c.Slots {
			b, k := l.runs[slot.Origin], cellKey{crdt.KindBucket, key}
			if slot.Origin == p.run || b != nil && b.unseen && !b.knows(k, slot.Row) {
				errs = append(errs, p.noteCharge(slot.Origin, k, slot.Row))
			}
		}
		return true
	}))
	vectors, err := p.store.Vectors()
	for o, v := range vectors {
		if b := l.runs[o]; b != nil && (o == p.run || b.unseen) {
			b.last = max(b.last, v.Seq)
		}
	}
	return errors.Join(append(errs, err, p.checkMarks())...)
}

func (p *process) noteCharge(o crdt.Origin, k cellKey, row crdt.Row) error {
	bk, err := crdt.ParseBucketKey(k.key)
	if err != nil {
		return err
	}
	if durabilityOf(bk.Agent) != ratelimit.Reserve || bk.Inline != "" || row.Refunded != 0 {
		return fmt.Errorf("I10: a start charges %d µtok to %q, which has no mark", row.Consumed, bk.Agent)
	}
	p.n.w.count.recovered++
	return p.n.w.ledger.charged(o, k, row)
}

// check holds a store that was just opened against the ledger.
func (p *process) check() error {
	s, err := readStore(p.store)
	if err != nil {
		return err
	}
	for _, check := range []func(*stored) error{
		p.checkRows, p.checkIndex, p.checkVectors, p.checkRegisters, p.checkPromises, p.checkLevels,
	} {
		if err := check(s); err != nil {
			return fmt.Errorf("%s as %s: %w", p.n, p.run, err)
		}
	}
	return nil
}

// stored is everything a store holds.
type stored struct {
	cells   map[cellKey]*storage.Cell
	regs    map[string]crdt.Register
	index   map[place]cellKey
	vectors map[crdt.Origin]storage.Vector
	runs    map[crdt.Origin]crdt.Run
}

func readStore(st *storage.Store) (*stored, error) {
	s := &stored{cells: make(map[cellKey]*storage.Cell), regs: make(map[string]crdt.Register), index: make(map[place]cellKey)}
	var errs []error
	for _, kind := range []crdt.Kind{crdt.KindBucket, crdt.KindCounter} {
		errs = append(errs, st.Cells(kind, "", "", func(key string, c *storage.Cell) bool {
			s.cells[cellKey{kind, key}] = c.Clone()
			return true
		}))
	}
	errs = append(errs, st.Registers("", "", func(key string, r crdt.Register) bool {
		s.regs[key] = r
		return true
	}))
	var err error
	s.vectors, err = st.Vectors()
	errs = append(errs, err)
	s.runs, err = st.Runs()
	errs = append(errs, err)
	for o := range s.runs {
		errs = append(errs, st.Index(o, 0, func(seq uint64, kind crdt.Kind, key string) bool {
			s.index[place{o, seq}] = cellKey{kind, key}
			return true
		}))
	}
	return s, errors.Join(errs...)
}

// void tells whether a counter was deleted as far as this store knows.
func (s *stored) void(k cellKey) bool {
	if k.kind == crdt.KindCounter {
		ck, err := crdt.ParseCounterKey(k.key)
		return err == nil && s.regs[crdt.RegisterKey{Space: crdt.SpaceKV, Tenant: tenant, Name: ck.Name}.Encode()].Version > ck.Epoch
	}
	bk, err := crdt.ParseBucketKey(k.key)
	return err == nil && s.regs[crdt.RegisterKey{Space: crdt.SpaceAgent, Tenant: tenant, Name: bk.Agent}.Encode()].Version > bk.Epoch
}

// collects tells whether rows of this schedule are ever collected.
func (w *world) collects() bool { return w.idle < 24*60*60*1e9 }

// checkRows: every row is one that its run wrote (I1, I5), and the total is
// the sum of what was consumed, once each (I4).
func (p *process) checkRows(s *stored) error {
	l := p.n.w.ledger
	for k, c := range s.cells {
		if s.void(k) {
			return fmt.Errorf("I6: the record of %q is there, though it was deleted", k.key)
		}
		var rows, most amount
		for _, slot := range c.Slots {
			b := l.runs[slot.Origin]
			if b == nil || !b.knows(k, slot.Row) {
				return fmt.Errorf("I5: %s never wrote the row %+v of %q", slot.Origin, slot.Row, k.key)
			}
			rows = rows.plus(amount{slot.Row.Consumed, slot.Row.Refunded})
		}
		for _, b := range l.runs {
			most = most.plus(b.newest(k).sum)
		}
		total := amount{c.Total.Consumed.Lo, c.Total.Refunded.Lo}
		if !p.n.w.collects() && total != rows {
			return fmt.Errorf("I4: the total of %q is %v, its rows sum up to %v", k.key, total, rows)
		}
		if total.consumed > most.consumed || total.refunded > most.refunded {
			return fmt.Errorf("I4: the total of %q is %v, but only %v was ever written", k.key, total, most)
		}
	}
	return nil
}

// checkIndex: one entry for each row and register, and none for anything else
// (I2, I5).
func (p *process) checkIndex(s *stored) error {
	l := p.n.w.ledger
	listed := make(map[place]cellKey)
	add := func(at place, k cellKey, what string) error {
		if had, twice := listed[at]; twice {
			return fmt.Errorf("I5: %q and %q are both seq %d of %s", had.key, k.key, at.seq, at.run)
		}
		listed[at] = k
		if s.index[at] != k {
			return fmt.Errorf("index: %q is not listed under seq %d of %s, %q is", k.key, at.seq, at.run, s.index[at].key)
		}
		return l.name(at, what)
	}
	for k, c := range s.cells {
		for _, slot := range c.Slots {
			if err := add(place{slot.Origin, slot.Row.Seq}, k, rowName(k, slot.Row)); err != nil {
				return err
			}
		}
	}
	for key, r := range s.regs {
		if err := add(place{r.Origin, r.Seq}, cellKey{crdt.KindRegister, key}, regName(key, r)); err != nil {
			return err
		}
	}
	for at, k := range s.index {
		if _, ok := listed[at]; !ok {
			return fmt.Errorf("index: seq %d of %s lists %q, which is not there", at.seq, at.run, k.key)
		}
	}
	return nil
}

// checkVectors: what a vector covers is there, or superseded, or collected (I2).
func (p *process) checkVectors(s *stored) error {
	l := p.n.w.ledger
	for o, v := range s.vectors {
		b := l.runs[o]
		if b == nil || v.Seq > b.last {
			return fmt.Errorf("I2: the vector has %s up to seq %d, which it never reached", o, v.Seq)
		}
		if err := p.checkCovered(s, o, b, v.Seq); err != nil {
			return err
		}
	}
	return nil
}

func (p *process) checkCovered(s *stored, o crdt.Origin, b *runBook, upTo uint64) error {
	for k := range b.rows {
		want, covered := b.upTo(k, upTo)
		if !covered || p.n.w.ledger.deleted(k) || p.n.w.collects() {
			continue // whoever relayed this run may have known of a deletion that is still to come
		}
		var have *crdt.Row
		if c := s.cells[k]; c != nil {
			have = c.Slot(o)
		}
		if have == nil || have.Seq < want.row.Seq {
			return fmt.Errorf("I2: the vector has %s up to seq %d, but of %q it has %+v, not %+v", o, upTo, k.key, have, want.row)
		}
	}
	for key, list := range p.n.w.ledger.regsAt[o] {
		newest := p.n.w.ledger.newestRegister(key)
		for _, seen := range list {
			// An older one may have been left out by a relay that knew the newest.
			if have := s.regs[key]; seen.seq <= upTo && seen.reg.Version == newest && have.Version != newest {
				return fmt.Errorf("I2: the vector has %s up to seq %d, but of the register %q version %d, not %d", o, upTo, key, have.Version, newest)
			}
		}
	}
	return nil
}

// checkRegisters: every value is one that was written, and acknowledged ones
// are there or superseded.
func (p *process) checkRegisters(s *stored) error {
	l := p.n.w.ledger
	for key, r := range s.regs {
		if !l.knowsRegister(key, r) {
			return fmt.Errorf("I6: nobody wrote the value of register %q at version %d", key, r.Version)
		}
	}
	for key, version := range l.regsKept[p.n.id] {
		if have := s.regs[key]; have.Version < version {
			return fmt.Errorf("I10: register %q: version %d was acknowledged, version %d is there", key, version, have.Version)
		}
	}
	return nil
}

// counted is what a store has of a node's own consumption: the rows of its
// runs, or all of it where rows are collected.
func (p *process) counted(s *stored, k cellKey) amount {
	c := s.cells[k]
	if c == nil {
		return amount{}
	}
	if p.n.w.collects() {
		return amount{c.Total.Consumed.Lo, c.Total.Refunded.Lo}
	}
	var a amount
	for _, slot := range c.Slots {
		if b := p.n.w.ledger.runs[slot.Origin]; b != nil && b.node == p.n.id {
			a = a.plus(amount{slot.Row.Consumed, slot.Row.Refunded})
		}
	}
	return a
}

// checkPromises: what clients were told is there, and `reserve` has counted at
// most one step and what was being asked for too much (I10).
func (p *process) checkPromises(s *stored) error {
	for k, promise := range p.n.w.ledger.promises[p.n.id] {
		if s.void(k) {
			continue
		}
		have := p.counted(s, k)
		if have.consumed < promise.kept.consumed || have.refunded < promise.kept.refunded {
			return fmt.Errorf("I10: %v of %q (%s) must be there, %v is", promise.kept, k.key, promise.durability, have)
		}
		if promise.durability != ratelimit.Reserve || p.n.w.collects() {
			continue
		}
		most := promise.accepted.consumed
		if promise.asked {
			most += reserveStep + maxBatch*token
		}
		if have.consumed > most {
			return fmt.Errorf("I10: %d µtok of %q are counted, %d were accepted and at most %d may be", have.consumed, k.key, promise.accepted.consumed, most)
		}
	}
	return nil
}

// rebase begins the promises anew from what a start has found on the disk.
func (p *process) rebase() {
	s, err := readStore(p.store)
	p.n.w.must(err)
	for k, promise := range p.n.w.ledger.promises[p.n.id] {
		if s.void(k) {
			delete(p.n.w.ledger.promises[p.n.id], k)
			continue
		}
		have := p.counted(s, k)
		if have.consumed < promise.accepted.consumed {
			p.n.w.count.lost++
		}
		promise.accepted, promise.kept, promise.asked = have, have, false
	}
}

// checkMarks: a start has charged all marks, and none can be charged again.
func (p *process) checkMarks() error {
	var left error
	err := p.store.HighWaters(func(key string, hw storage.HighWater) bool {
		left = fmt.Errorf("I10: the mark %+v of %q is left by the start", hw, key)
		return false
	})
	return errors.Join(left, err)
}

// checkLevels: no bucket is above its capacity or below its floor (I7), and
// where nobody resets it, no token can be taken twice.
func (p *process) checkLevels(s *stored) error {
	const slack = 3 * token // refilled meanwhile, clocks set forward included
	for _, agent := range agents {
		v, err := p.rep.Explain(p.n.now(), &replica.Request{Tenant: tenant, Agent: agent})
		if err != nil {
			return err
		}
		b := v.Buckets[0]
		limit := b.Policy.Capacity * token
		if b.Level > limit || b.Level < -limit {
			return fmt.Errorf("I7: the level of %q is %d of %d", agent, b.Level, limit)
		}
		if agent[0] == 't' {
			continue
		}
		spent := int64(b.Total.Consumed.Lo) - int64(b.Total.Refunded.Lo)
		if b.Level > max(limit-spent+slack, -limit) {
			return fmt.Errorf("I10: the level of %q is %d after %d of %d were spent", agent, b.Level, spent, limit)
		}
	}
	return nil
}

// checkAgreement: all processes hold the same, once everybody has talked to
// everybody (I3).
func (w *world) checkAgreement() error {
	var first *stored
	for _, n := range w.nodes {
		if err := n.proc.check(); err != nil {
			return err
		}
		s, err := readStore(n.proc.store)
		if err != nil {
			return err
		}
		if first == nil {
			first = s
			continue
		}
		if err := same(first, s, w.collects()); err != nil {
			return fmt.Errorf("I3: %s and %s: %w", w.nodes[0], n, err)
		}
	}
	return nil
}

// same compares two stores. Where rows are collected, each does it in its own
// time, and only the totals must agree.
func same(a, b *stored, collects bool) error {
	for _, pair := range [][2]*stored{{a, b}, {b, a}} {
		for k, c := range pair[0].cells {
			// A bucket that was reset and never used is a record without facts.
			if empty := c.Total == (crdt.Total{}) && len(c.Slots) == 0; pair[1].cells[k] == nil && !empty {
				return fmt.Errorf("only one has %q: %+v", k.key, c)
			}
		}
	}
	for k, c := range a.cells {
		d := b.cells[k]
		if d == nil {
			continue
		}
		if c.Total != d.Total {
			return fmt.Errorf("totals of %q: %v and %v", k.key, c.Total, d.Total)
		}
		rows := func(c *storage.Cell) []storage.Slot {
			return slices.SortedFunc(slices.Values(c.Slots), func(x, y storage.Slot) int { return int(x.Origin) - int(y.Origin) })
		}
		if !collects && !slices.Equal(rows(c), rows(d)) {
			return fmt.Errorf("rows of %q: %v and %v", k.key, rows(c), rows(d))
		}
	}
	if len(a.regs) != len(b.regs) {
		return fmt.Errorf("%d and %d registers", len(a.regs), len(b.regs))
	}
	for key, r := range a.regs {
		if !r.Equal(b.regs[key]) {
			return fmt.Errorf("register %q differs", key)
		}
	}
	return nil
}
