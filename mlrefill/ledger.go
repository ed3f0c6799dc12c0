package mlrefill

import (
	"maps"
	"slices"
)

// Chapter is one ledger of a pool as one node keeps it: who began it, and what
// this node gave in it. Version orders the ledgers of a pool.
type Chapter struct {
	Version  uint64           `json:"version"`
	Founders []uint64         `json:"founders,omitempty"`
	Given    map[uint64]Grant `json:"given,omitempty"`
}

// Statement is all that one node publishes about a pool. It has a single writer;
// of two the one with the greater Epoch is the newer.
type Statement struct {
	Node      uint64  `json:"node"`
	Epoch     uint64  `json:"epoch"`
	Forecast  float64 `json:"forecast"`
	Deviation float64 `json:"deviation"`
	Protected float64 `json:"protected"`
	Offered   float64 `json:"offered"`
	Admitted  float64 `json:"admitted"`
	// Completed is what callers of this node reported as done, a second.
	Completed float64 `json:"completed"`
	// Capacity is Ĝ as this node sees it, 0 without an own view.
	Capacity float64 `json:"capacity"`
	// Chapters are the ledgers that may still be in use by somebody, the newest
	// last. A new one is announced by appearing here.
	Chapters []Chapter `json:"chapters"`
}

func (s *Statement) chapter(version uint64) *Chapter {
	for i := range s.Chapters {
		if s.Chapters[i].Version == version {
			return &s.Chapters[i]
		}
	}
	return nil
}

// maxChapters bounds the ledgers that are open at once. One more is not begun
// before an old one is closed, which costs capacity and no safety.
const maxChapters = 16

// Ledger is Shares over changing members: when a founder is gone for good, what
// it held is shared anew in a ledger with a higher version. Nodes learn of that
// at different times, so between two ledgers a node uses the least of what it
// holds in any that is open:
//
//	{1} ── learns of 2 ──► {1, 2}: min(held₁, held₂) ── all others announced 2 ──► {2}
//
// While anybody may still use ledger 1 alone, nobody uses more than its part of
// ledger 1; once nobody does, all use at most their part of ledger 2. So the
// parts in use add up to at most Whole, whenever anybody learns of anything. A
// node gives only while one ledger is open, so that what it announced closes
// those before, and what it holds is not given in two.
//
// A node that hears of a pool by a later ledger holds nothing in those before.
// The first ledger of a pool has none before it and is used at once. Two nodes
// may begin it at a time; that is no harm as long as both name the same founders.
// The founders of a later one must be those of the one before and all members
// its writer knows, without those that are gone.
type Ledger struct {
	self  uint64
	epoch uint64
	open  []volume // ascending versions
	heard map[uint64]Statement
	gone  map[uint64]bool
	last  Demand
	ghat  float64
	done  float64
}

type volume struct {
	version uint64
	shares  *Shares
}

// NewLedger is the ledger of a node that knows of no pool's beginning yet: it
// holds nothing.
func NewLedger(self uint64) *Ledger {
	return &Ledger{self: self, heard: make(map[uint64]Statement), gone: make(map[uint64]bool)}
}

// Adopt takes up a newer ledger; first says that its writer knew of none before
// it. It reports false for one that is not newer, or when too many are open.
func (l *Ledger) Adopt(version uint64, founders []uint64, first bool) bool {
	if version <= l.Version() || len(l.open) >= maxChapters {
		return false
	}
	if len(l.open) == 0 && !first {
		l.begin(Chapter{})
	}
	l.begin(Chapter{Version: version, Founders: founders})
	l.close()
	return true
}

func (l *Ledger) begin(c Chapter) {
	v := volume{version: c.Version, shares: NewShares(l.self, c.Founders)}
	for node, g := range c.Given {
		v.shares.own.Given[node] = g
	}
	for _, id := range slices.Sorted(maps.Keys(l.heard)) {
		if e, ok := entryOf(l.heard[id], c.Version); ok {
			v.shares.Observe(e)
		}
	}
	l.open = append(l.open, v)
}

func entryOf(s Statement, version uint64) (Entry, bool) {
	c := s.chapter(version)
	if c == nil {
		return Entry{}, false
	}
	return Entry{
		Node: s.Node, Epoch: s.Epoch, Forecast: s.Forecast, Deviation: s.Deviation, Protected: s.Protected,
		Offered: s.Offered, Admitted: s.Admitted, Capacity: s.Capacity, Given: c.Given,
	}, true
}

// Version is that of the newest ledger, 0 before any.
func (l *Ledger) Version() uint64 {
	if len(l.open) == 0 {
		return 0
	}
	return l.open[len(l.open)-1].version
}

// Epoch is that of the last own statement.
func (l *Ledger) Epoch() uint64 { return l.epoch }

// Restore continues from this node's own last statement, as it was on disk or
// came back from a peer. An older one than what is known changes nothing.
func (l *Ledger) Restore(s Statement) {
	if s.Node != l.self || s.Epoch <= l.epoch {
		return
	}
	l.epoch = s.Epoch
	newest := l.open
	l.open = nil
	for _, c := range s.Chapters {
		l.begin(c)
	}
	for _, v := range newest {
		if v.version > l.Version() {
			l.open = append(l.open, v)
		}
	}
	for _, v := range l.open {
		v.shares.own.Epoch = s.Epoch
	}
}

// Hear joins a peer's statement and returns the µtok that came with what it
// gave this node in the newest ledger.
func (l *Ledger) Hear(s Statement) (tokens uint64) {
	if s.Node == l.self || s.Epoch <= l.heard[s.Node].Epoch {
		return 0
	}
	s.Chapters = slices.Clone(s.Chapters)
	l.heard[s.Node] = s
	for i, v := range l.open {
		e, ok := entryOf(s, v.version)
		if !ok {
			continue
		}
		if t := v.shares.Observe(e); i == len(l.open)-1 {
			tokens = t
		}
	}
	l.close()
	return tokens
}

// Gone tells which nodes are none any more: they have left, or were forgotten.
func (l *Ledger) Gone(nodes []uint64) {
	for _, n := range nodes {
		l.gone[n] = true
	}
	l.close()
}

// close drops the ledgers before the newest, once everybody who may use one of
// them has announced it.
func (l *Ledger) close() {
	if len(l.open) < 2 {
		return
	}
	newest := l.Version()
	for id := range l.users() {
		if id == l.self || l.gone[id] {
			continue
		}
		s, known := l.heard[id]
		if !known || s.chapter(newest) == nil {
			return
		}
	}
	l.open = slices.Clone(l.open[len(l.open)-1:])
}

// users are all who may hold something in an open ledger.
func (l *Ledger) users() map[uint64]bool {
	users := make(map[uint64]bool)
	note := func(c *Chapter) {
		for _, id := range c.Founders {
			users[id] = true
		}
		for id := range c.Given {
			users[id] = true
		}
	}
	for _, v := range l.open {
		c := v.chapter()
		note(&c)
	}
	for id, s := range l.heard {
		users[id] = true
		for i := range s.Chapters {
			note(&s.Chapters[i])
		}
	}
	return users
}

func (v *volume) chapter() Chapter {
	return Chapter{Version: v.version, Founders: v.shares.founders, Given: maps.Clone(v.shares.own.Given)}
}

// Held is what this node may use, in units of Whole.
func (l *Ledger) Held() uint64 {
	if len(l.open) == 0 {
		return 0
	}
	held := uint64(Whole)
	for _, v := range l.open {
		held = min(held, v.shares.Held())
	}
	return held
}

// Part is this node's part of a capacity; see Shares.Part.
func (l *Ledger) Part(capacity float64, minority bool, n int) float64 {
	part := capacity * float64(l.Held()) / Whole
	if minority {
		part = min(part, capacity/float64(max(n, 1)))
	}
	return part
}

// Settled reports whether only one ledger is in use.
func (l *Ledger) Settled() bool { return len(l.open) == 1 && l.open[0].version > 0 }

// Lost reports whether a node that is gone still holds something in the newest
// ledger: then a new one is due.
func (l *Ledger) Lost() bool {
	if len(l.open) == 0 {
		return false
	}
	s := l.open[len(l.open)-1].shares
	for id := range l.gone {
		if s.held(id) > 0 {
			return true
		}
	}
	return false
}

// Publish takes this node's demand and view of the capacity, gives away in the
// newest ledger what others need more, and returns what is to be sent, with the
// µtok of level that went along; see Shares.Publish. capacity is what parts are
// reckoned of, and own what this node itself has seen of it, 0 = nothing.
func (l *Ledger) Publish(d Demand, capacity, own, completed float64, level int64) (s Statement, tokens uint64) {
	l.epoch++
	for _, x := range []*float64{&d.Forecast, &d.Deviation, &d.Protected, &d.Offered, &d.Admitted, &own, &completed} {
		if !sane(*x) {
			*x = 0 // what is no number cannot travel
		}
	}
	l.last, l.ghat, l.done = d, own, completed
	for _, v := range l.open {
		v.shares.own.Epoch = l.epoch - 1
		if _, t := v.shares.publish(d, capacity, level, l.Settled()); t > 0 {
			tokens = t
		}
	}
	return l.Statement(), tokens
}

// Statement is the last one published.
func (l *Ledger) Statement() Statement {
	s := Statement{
		Node: l.self, Epoch: l.epoch, Forecast: l.last.Forecast, Deviation: l.last.Deviation, Protected: l.last.Protected,
		Offered: l.last.Offered, Admitted: l.last.Admitted, Completed: l.done, Capacity: l.ghat,
	}
	for i := range l.open {
		s.Chapters = append(s.Chapters, l.open[i].chapter())
	}
	return s
}

// Peers lists the statements of the others, by node.
func (l *Ledger) Peers() []Statement {
	list := make([]Statement, 0, len(l.heard))
	for _, id := range slices.Sorted(maps.Keys(l.heard)) {
		if !l.gone[id] {
			list = append(list, l.heard[id])
		}
	}
	return list
}

// Check tells whether a statement can be one: numbers that arithmetic can be
// done with, and a bounded number of ledgers.
func (s *Statement) Check() bool {
	for _, x := range []float64{s.Forecast, s.Deviation, s.Protected, s.Offered, s.Admitted, s.Completed, s.Capacity} {
		if !sane(x) {
			return false
		}
	}
	if s.Node == 0 || len(s.Chapters) > maxChapters {
		return false
	}
	for i := range s.Chapters {
		c := &s.Chapters[i]
		if (c.Version == 0) != (len(c.Founders) == 0) || i > 0 && c.Version <= s.Chapters[i-1].Version {
			return false
		}
	}
	return true
}

// Founders are who began the newest ledger.
func (l *Ledger) Founders() []uint64 {
	if len(l.open) == 0 {
		return nil
	}
	return slices.Clone(l.open[len(l.open)-1].shares.founders)
}
