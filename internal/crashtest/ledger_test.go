package crashtest

import (
	"bytes"
	"fmt"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/ratelimit"
)

// amount is consumption and refunds, in the unit of the counter.
type amount struct{ consumed, refunded uint64 }

func (a amount) plus(b amount) amount {
	return amount{a.consumed + b.consumed, a.refunded + b.refunded}
}

// cellKey names one counter of one kind.
type cellKey struct {
	kind crdt.Kind
	key  string
}

// place is a seq of a run: it names one row or register, ever.
type place struct {
	run crdt.Origin
	seq uint64
}

// version is one row as its run wrote it.
type version struct {
	row crdt.Row
	sum amount // of all generations up to it
}

// runBook is what one process start accepted and wrote.
type runBook struct {
	node     crdt.NodeID
	unseen   bool   // its start failed: what it charged is seen when it is found
	last     uint64 // seq
	accepted map[cellKey]amount
	rows     map[cellKey][]version // in the order of their seqs
}

// promise is what clients of one node were told of one counter.
type promise struct {
	durability ratelimit.Durability
	accepted   amount // allowed, answered or not
	kept       amount // must survive any crash from now on
	// A reserve mark may be charged by the next start: whether one was asked for
	// since the last.
	asked bool
}

// ledger is the account by which the stores are judged.
type ledger struct {
	runs     map[crdt.Origin]*runBook
	names    map[place]string // what was seen under a seq
	promises map[crdt.NodeID]map[cellKey]*promise
	regs     map[string][]crdt.Register           // every value ever written
	regsKept map[crdt.NodeID]map[string]crdt.HLC  // acknowledged versions
	regsAt   map[crdt.Origin]map[string][]regSeen // what each run listed, by key
}

// regSeen is a register as a run listed it under a seq.
type regSeen struct {
	seq uint64
	reg crdt.Register
}

func newLedger() *ledger {
	return &ledger{
		runs:     make(map[crdt.Origin]*runBook),
		names:    make(map[place]string),
		promises: make(map[crdt.NodeID]map[cellKey]*promise),
		regs:     make(map[string][]crdt.Register),
		regsKept: make(map[crdt.NodeID]map[string]crdt.HLC),
		regsAt:   make(map[crdt.Origin]map[string][]regSeen),
	}
}

func (l *ledger) addRun(o crdt.Origin, node crdt.NodeID) *runBook {
	b := &runBook{node: node, accepted: make(map[cellKey]amount), rows: make(map[cellKey][]version)}
	l.runs[o] = b
	l.regsAt[o] = make(map[string][]regSeen)
	return b
}

// forget drops a run that no other node can have heard of.
func (l *ledger) forget(o crdt.Origin) {
	delete(l.runs, o)
	delete(l.regsAt, o)
}

func (l *ledger) promise(node crdt.NodeID, k cellKey, d ratelimit.Durability) *promise {
	if l.promises[node] == nil {
		l.promises[node] = make(map[cellKey]*promise)
	}
	p := l.promises[node][k]
	if p == nil {
		p = &promise{durability: d}
		l.promises[node][k] = p
	}
	return p
}

// accept notes what a replica has just taken or given back.
func (l *ledger) accept(o crdt.Origin, k cellKey, d ratelimit.Durability, a amount) *promise {
	b := l.runs[o]
	b.accepted[k] = b.accepted[k].plus(a)
	p := l.promise(b.node, k, d)
	p.accepted = p.accepted.plus(a)
	return p
}

// name notes what stands under a seq: always the same thing (I5).
func (l *ledger) name(at place, what string) error {
	if had, ok := l.names[at]; ok && had != what {
		return fmt.Errorf("I5: seq %d of %s is %s, and %s elsewhere", at.seq, at.run, what, had)
	}
	l.names[at] = what
	return nil
}

func rowName(k cellKey, r crdt.Row) string { return fmt.Sprintf("row %q %q %+v", k.kind, k.key, r) }

func regName(key string, r crdt.Register) string {
	return fmt.Sprintf("register %q version %d of %s", key, r.Version, r.Writer)
}

// flushed takes the entries of a flush: they are what was accepted, all of it
// and nothing else (I4), under seqs never used before (I5). Seqs that no entry
// has are spent up to upto. What is void meanwhile need not be written.
func (l *ledger) flushed(o crdt.Origin, entries []crdt.Entry, upto uint64, void func(cellKey) bool) error {
	b := l.runs[o]
	defer func() { b.last = max(b.last, upto) }()
	for i := range entries {
		e := &entries[i]
		if e.Seq() <= b.last {
			return fmt.Errorf("I5: %s writes seq %d after seq %d", o, e.Seq(), b.last)
		}
		b.last = e.Seq()
		if e.Kind == crdt.KindRegister {
			if err := l.listed(o, e.Key, e.Register); err != nil {
				return err
			}
			continue
		}
		if err := l.wrote(o, cellKey{e.Kind, e.Key}, e.Row); err != nil {
			return err
		}
	}
	for k, a := range b.accepted {
		if written := b.newest(k).sum; written != a && !void(k) {
			return fmt.Errorf("I4: %s accepted %v of %q, but wrote %v", o, a, k.key, written)
		}
	}
	return nil
}

func (b *runBook) newest(k cellKey) version {
	if list := b.rows[k]; len(list) > 0 {
		return list[len(list)-1]
	}
	return version{}
}

func (l *ledger) wrote(o crdt.Origin, k cellKey, row crdt.Row) error {
	b := l.runs[o]
	if err := l.name(place{o, row.Seq}, rowName(k, row)); err != nil {
		return err
	}
	last, grown := b.newest(k), b.accepted[k]
	grown.consumed -= last.sum.consumed
	grown.refunded -= last.sum.refunded
	want := amount{last.row.Consumed, last.row.Refunded}.plus(grown)
	if row.Birth != last.row.Birth {
		if want = grown; row.Birth != row.Seq {
			return fmt.Errorf("I5: %s gives %q the birth %d at seq %d", o, k.key, row.Birth, row.Seq)
		}
	}
	if got := (amount{row.Consumed, row.Refunded}); got != want {
		return fmt.Errorf("I4: %s writes %v of %q after %v, but accepted %v more", o, got, k.key, last.row, grown)
	}
	b.rows[k] = append(b.rows[k], version{row, last.sum.plus(grown)})
	return nil
}

func (l *ledger) listed(o crdt.Origin, key string, reg crdt.Register) error {
	l.regsAt[o][key] = append(l.regsAt[o][key], regSeen{reg.Seq, reg})
	return l.name(place{o, reg.Seq}, regName(key, reg))
}

// charged takes the row that a start has opened for a reserve mark.
func (l *ledger) charged(o crdt.Origin, k cellKey, row crdt.Row) error {
	b := l.runs[o]
	b.accepted[k] = amount{row.Consumed, row.Refunded}
	b.last = max(b.last, row.Seq)
	return l.wrote(o, k, row)
}

// knows tells whether a row is one that its run wrote.
func (b *runBook) knows(k cellKey, row crdt.Row) bool {
	for _, v := range b.rows[k] {
		if v.row == row {
			return true
		}
	}
	return false
}

// upTo is the newest version of a counter with seq up to the given one.
func (b *runBook) upTo(k cellKey, seq uint64) (v version, found bool) {
	list := b.rows[k]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].row.Seq <= seq {
			return list[i], true
		}
	}
	return version{}, false
}

// knowsRegister tells whether a value was ever written.
func (l *ledger) knowsRegister(key string, r crdt.Register) bool {
	for _, w := range l.regs[key] {
		if w.Version == r.Version && w.Writer == r.Writer && w.Deleted == r.Deleted && bytes.Equal(w.Value, r.Value) {
			return true
		}
	}
	return false
}

// newestRegister is the latest version of a register that anybody wrote.
func (l *ledger) newestRegister(key string) (newest crdt.HLC) {
	for _, r := range l.regs[key] {
		newest = max(newest, r.Version)
	}
	return newest
}

// deleted tells whether anybody has deleted a counter, known everywhere or not.
func (l *ledger) deleted(k cellKey) bool {
	if k.kind == crdt.KindCounter {
		ck, err := crdt.ParseCounterKey(k.key)
		return err == nil && l.newestRegister(crdt.RegisterKey{Space: crdt.SpaceKV, Tenant: tenant, Name: ck.Name}.Encode()) > ck.Epoch
	}
	bk, err := crdt.ParseBucketKey(k.key)
	return err == nil && l.newestRegister(crdt.RegisterKey{Space: crdt.SpaceAgent, Tenant: tenant, Name: bk.Agent}.Encode()) > bk.Epoch
}
