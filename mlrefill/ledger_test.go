package mlrefill

import (
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// ledgerWorld is nodes that hear of each other late, twice, out of order or never,
// crash and come back with what was last sent, are lost for good, and begin new
// ledgers at odds with each other.
type ledgerWorld struct {
	nodes   []*Ledger
	dead    []bool
	durable []Statement // what a node finds on its disk: the last that left it
	wire    []post
	begun   []Chapter

	founders []uint64 // of the first
}

// first marks a ledger of the test as one whose writer knew of none.
var first = map[uint64]Grant{0: {}}

type post struct {
	to int
	s  Statement
}

func (w *ledgerWorld) check(t *rapid.T) {
	held := uint64(0)
	for i, l := range w.nodes {
		if !w.dead[i] {
			held += l.Held()
		}
	}
	if held > Whole {
		t.Fatalf("the parts in use are %d of %d", held, uint64(Whole))
	}
}

func (w *ledgerWorld) alive() (ids []uint64) {
	for i := range w.nodes {
		if !w.dead[i] {
			ids = append(ids, uint64(i+1))
		}
	}
	return ids
}

func (w *ledgerWorld) lost() (ids []uint64) {
	for i := range w.nodes {
		if w.dead[i] {
			ids = append(ids, uint64(i+1))
		}
	}
	return ids
}

func (w *ledgerWorld) publish(t *rapid.T, i int, d Demand, to func(int) bool) {
	l := w.nodes[i]
	s, _ := l.Publish(d, 100, 0, 0, 0)
	w.durable[i] = travelled(t, s)
	for j := range w.nodes {
		if j != i && to(j) {
			w.wire = append(w.wire, post{j, w.durable[i]})
		}
	}
}

// travelled is what arrives: statements are sent as JSON.
func travelled(t *rapid.T, s Statement) (got Statement) {
	b, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(b, &got)
	}
	if err != nil || !got.Check() {
		t.Fatalf("a statement that cannot travel: %s, %v", b, err)
	}
	return got
}

func (w *ledgerWorld) restart(i int) {
	l := NewLedger(uint64(i + 1))
	l.Gone(w.lost())
	for j, s := range w.durable {
		if j != i && s.Node != 0 && w.nodes[i].heard[uint64(j+1)].Epoch > 0 {
			l.Hear(w.nodes[i].heard[uint64(j+1)]) // its disk has what it had heard
		}
	}
	l.Restore(w.durable[i])
	w.nodes[i] = l
}

func TestLedgersNeverExceedThePool(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "nodes")
		w := &ledgerWorld{dead: make([]bool, n), durable: make([]Statement, n)}
		for i := range n {
			w.nodes = append(w.nodes, NewLedger(uint64(i+1)))
		}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			i := rapid.IntRange(0, n-1).Draw(t, "node")
			if w.dead[i] {
				continue
			}
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0: // somebody begins a ledger, knowing or not of those before
				c := Chapter{Version: uint64(len(w.begun) + 1), Founders: w.alive()}
				if len(w.begun) == 0 {
					w.founders = c.Founders
				} else if rapid.IntRange(0, 3).Draw(t, "unaware") == 0 {
					c.Founders, c.Given = w.founders, first
				}
				w.begun = append(w.begun, c)
			case 1, 2: // somebody learns of one
				if len(w.begun) > 0 {
					c := rapid.SampledFrom(w.begun).Draw(t, "ledger")
					w.nodes[i].Adopt(c.Version, c.Founders, c.Version == 1 || c.Given != nil)
				}
			case 3, 4, 5:
				d := Demand{Forecast: drawn(t, "forecast"), Protected: drawn(t, "protected")}
				w.publish(t, i, d, func(int) bool { return rapid.Bool().Draw(t, "sent") })
			case 6, 7, 8:
				if len(w.wire) == 0 {
					continue
				}
				k := rapid.IntRange(0, len(w.wire)-1).Draw(t, "message")
				if m := w.wire[k]; !w.dead[m.to] {
					w.nodes[m.to].Hear(m.s)
				}
				if rapid.Bool().Draw(t, "once") {
					w.wire = slices.Delete(w.wire, k, k+1)
				}
			case 9:
				if rapid.Bool().Draw(t, "restart") {
					w.restart(i)
				} else if len(w.alive()) > 1 && rapid.IntRange(0, 3).Draw(t, "lost") == 0 {
					w.dead[i] = true
					for _, j := range w.alive() { // some hear of it now, the others never
						if rapid.Bool().Draw(t, "told") {
							w.nodes[j-1].Gone([]uint64{uint64(i + 1)})
						}
					}
				}
			}
			w.check(t)
		}
		w.heal(t)
	})
}

// heal lets everybody hear all, and checks that the whole pool is in use again.
func (w *ledgerWorld) heal(t *rapid.T) {
	w.begun = append(w.begun, Chapter{Version: uint64(len(w.begun) + 1), Founders: w.alive()})
	c := w.begun[len(w.begun)-1]
	for range 4 {
		w.wire = nil
		for _, id := range w.alive() {
			w.nodes[id-1].Gone(w.lost())
			w.nodes[id-1].Adopt(c.Version, c.Founders, false)
			w.publish(t, int(id-1), Demand{Forecast: 1}, func(int) bool { return true })
			w.check(t)
		}
		for _, m := range w.wire {
			if !w.dead[m.to] {
				w.nodes[m.to].Hear(m.s)
			}
			w.check(t)
		}
	}
	held := uint64(0)
	for _, id := range w.alive() {
		held += w.nodes[id-1].Held()
		if l := w.nodes[id-1]; l.Version() == c.Version && !l.Settled() {
			t.Fatalf("node %d has not closed the old ledgers", id)
		}
	}
	if held != Whole {
		t.Fatalf("after healing %d of %d are in use", held, uint64(Whole))
	}
}

func TestLostPartIsSharedAnew(t *testing.T) {
	a, b := NewLedger(1), NewLedger(2)
	for _, l := range []*Ledger{a, b} {
		l.Adopt(1, []uint64{1, 2, 3}, true)
	}
	if got := a.Part(90, false, 3); got < 29.9 || got > 30.1 {
		t.Fatalf("a third of 90 is %v", got)
	}
	a.Gone([]uint64{3})
	if !a.Lost() {
		t.Fatal("a part that nobody can use any more is not noticed")
	}
	a.Adopt(2, []uint64{1, 2}, false)
	if got := a.Held(); got > Whole/3+1 {
		t.Errorf("before the other knows of it, %d are in use", got)
	}
	b.Gone([]uint64{3})
	b.Adopt(2, []uint64{1, 2}, false)
	s, _ := b.Publish(Demand{}, 90, 0, 0, 0)
	a.Hear(s)
	if got := a.Held(); got != Whole/2 {
		t.Errorf("once both know, %d of %d", got, uint64(Whole))
	}
	if a.Lost() {
		t.Error("the node that is gone holds something in the new ledger")
	}
}
