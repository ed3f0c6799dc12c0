package mlrefill

import (
	"maps"
	"math/bits"
	"slices"
)

// Whole is all of a pool, in units of a share.
const Whole = 1_000_000_000

// Grant is what one node ever gave another of a pool: units of its capacity, and
// µtok of what may wait. Both only grow.
type Grant struct {
	Units  uint64
	Tokens uint64
}

// Entry is what one node says about itself and a pool. It has a single writer,
// so the entry of the greater Epoch is the newer one; whatever travels, late,
// twice or never, two nodes never own the same unit.
type Entry struct {
	Node  uint64
	Epoch uint64
	// Forecast and Deviation are of the node's offered demand in the next period,
	// requests a second; Protected is how much of it is within guarantees.
	Forecast, Deviation, Protected float64
	Offered, Admitted              float64 // of the last period, a second
	Capacity                       float64 // Ĝ as this node sees it
	Given                          map[uint64]Grant
}

// Shares is one node's ledger of a pool. Each node holds a part of Whole, which
// it can only give away: what is held follows from the founders' equal parts and
// from the grants, each written by its giver alone. A node knows all that it gave
// and at most late what it got, so the parts in use never exceed Whole, under any
// delay, loss, duplication or partition and without an agreement on anything. The
// part of a silent peer stays reserved for it. When a founder is dropped for
// good, the members begin a new ledger.
type Shares struct {
	self     uint64
	founders []uint64
	own      Entry
	peers    map[uint64]Entry

	planner Planner
	claims  []Claim
}

// NewShares begins a ledger of a pool among founders, who hold equal parts. All
// nodes must name the same founders; a node that is none holds nothing until it
// is given something.
func NewShares(self uint64, founders []uint64) *Shares {
	s := &Shares{self: self, founders: slices.Clone(founders), peers: make(map[uint64]Entry)}
	slices.Sort(s.founders)
	s.founders = slices.Compact(s.founders)
	s.own = Entry{Node: self, Given: make(map[uint64]Grant)}
	return s
}

// founded is what a node held at the beginning.
func (s *Shares) founded(node uint64) uint64 {
	i, ok := slices.BinarySearch(s.founders, node)
	if !ok {
		return 0
	}
	n := uint64(len(s.founders))
	part := uint64(Whole) / n
	if uint64(i) < Whole%n {
		part++
	}
	return part
}

// held is what a node holds as far as this one knows.
func (s *Shares) held(node uint64) uint64 {
	in, out := s.founded(node), uint64(0)
	s.each(func(e *Entry) {
		in += e.Given[node].Units
		if e.Node == node {
			for _, g := range e.Given {
				out += g.Units
			}
		}
	})
	if out > in {
		return 0 // it has been given something that this node has not heard of
	}
	return in - out
}

func (s *Shares) each(f func(*Entry)) {
	f(&s.own)
	for _, id := range slices.Sorted(maps.Keys(s.peers)) {
		e := s.peers[id]
		f(&e)
	}
}

// Held is this node's part, in units.
func (s *Shares) Held() uint64 { return s.held(s.self) }

// Part is this node's part of a capacity. Alone in a minority of n members it is
// at most an equal part.
func (s *Shares) Part(capacity float64, minority bool, n int) float64 {
	part := capacity * float64(s.Held()) / Whole
	if minority {
		part = min(part, capacity/float64(max(n, 1)))
	}
	return part
}

// Capacity is the least Ĝ that is published, own included.
func (s *Shares) Capacity(own float64) float64 {
	for _, e := range s.peers {
		if sane(e.Capacity) && e.Capacity > 0 {
			own = min(own, e.Capacity)
		}
	}
	return own
}

// Observe joins a peer's entry and returns the µtok that came with what it gave
// this node; the caller adds them to its bucket of the pool.
func (s *Shares) Observe(e Entry) (tokens uint64) {
	if e.Node == s.self {
		return 0
	}
	have, known := s.peers[e.Node]
	if known && have.Epoch >= e.Epoch {
		return 0
	}
	tokens = e.Given[s.self].Tokens - have.Given[s.self].Tokens
	e.Given = maps.Clone(e.Given)
	s.peers[e.Node] = e
	return tokens
}

// Demand is what this node expects in the next period.
type Demand struct {
	Forecast, Deviation, Protected float64
	Offered, Admitted              float64
}

// Publish takes this node's own demand and Ĝ, gives away what others need more,
// and returns the entry to be sent, with the µtok of level that went along with
// the grants: the caller takes them from its bucket before anything else is
// admitted. A node gives in proportion to what the others lack, so that all
// givers together give each as much as it lacks.
func (s *Shares) Publish(d Demand, capacity float64, level int64) (e Entry, tokens uint64) {
	return s.publish(d, capacity, level, true)
}

func (s *Shares) publish(d Demand, capacity float64, level int64, give bool) (e Entry, tokens uint64) {
	s.own.Epoch++
	s.own.Forecast, s.own.Deviation, s.own.Protected = d.Forecast, d.Deviation, d.Protected
	s.own.Offered, s.own.Admitted, s.own.Capacity = d.Offered, d.Admitted, capacity
	if give {
		tokens = s.give(s.Capacity(capacity), uint64(max(level, 0)))
	}
	e = s.own
	e.Given = maps.Clone(e.Given)
	return e, tokens
}

// least is the smallest difference worth a grant.
const least = Whole / 10_000

func (s *Shares) give(capacity float64, level uint64) (tokens uint64) {
	nodes, target := s.Targets(capacity)
	held := make([]uint64, len(nodes))
	var lack []uint64
	var lacking, surplus uint64
	for i, id := range nodes {
		held[i] = s.held(id)
		missing := uint64(0)
		if held[i] < target[i] {
			missing = target[i] - held[i]
		}
		lack = append(lack, missing)
		lacking += missing
		if id == s.self && held[i] > target[i] {
			surplus = held[i] - target[i]
		}
	}
	surplus = min(surplus, lacking)
	if surplus < least {
		return 0
	}
	mine := s.Held()
	for i, id := range nodes {
		units := mulDiv(surplus, lack[i], lacking)
		if id == s.self || units == 0 {
			continue
		}
		t := mulDiv(level, units, mine)
		g := s.own.Given[id]
		s.own.Given[id] = Grant{Units: g.Units + units, Tokens: g.Tokens + t}
		tokens += t
	}
	return tokens
}

// mulDiv is a·b/c rounded down, for b ≤ c.
func mulDiv(a, b, c uint64) uint64 {
	if c == 0 {
		return 0
	}
	hi, lo := bits.Mul64(a, b)
	q, _ := bits.Div64(hi, lo, c)
	return q
}

// Targets is where the parts should be: one deterministic function of the newest
// entries. Nodes are claims of equal weight on the capacity; what is within
// guarantees is theirs before anything is shared.
func (s *Shares) Targets(capacity float64) (nodes []uint64, units []uint64) {
	s.claims = s.claims[:0]
	s.each(func(e *Entry) { nodes = append(nodes, e.Node) })
	slices.Sort(nodes)
	n := float64(len(nodes))
	for _, id := range nodes {
		e := s.own
		if id != s.self {
			e = s.peers[id]
		}
		f, sd := e.Forecast, e.Deviation
		if !sane(f) || !sane(sd) {
			f, sd = 0, 0
		}
		s.claims = append(s.claims, Claim{
			Forecast: f, Bound: f + sd + headPart*capacity/n, Weight: 1, Trust: 1,
			Guarantee: clip(e.Protected, 0, capacity),
		})
	}
	s.planner.Plan(capacity, s.claims)
	total := 0.0
	for i := range s.claims {
		total += s.claims[i].Rate
	}
	for i := range s.claims {
		part := 1 / n
		if total > 0 {
			part = s.claims[i].Rate / total
		}
		units = append(units, uint64(part*Whole))
	}
	return nodes, units
}

// headPart of an equal part is kept even where nothing is expected.
const headPart = 0.02
