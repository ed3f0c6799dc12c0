package mlrefill

import (
	"testing"

	"pgregory.net/rapid"
)

// Entries travel late, twice, out of order or never; the parts in use never
// exceed the pool, and neither do the tokens that go with them.
func TestPartsNeverExceedThePool(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "nodes")
		founders := make([]uint64, rapid.IntRange(1, n).Draw(t, "founders"))
		for i := range founders {
			founders[i] = uint64(i + 1)
		}
		nodes := make([]*Shares, n)
		level := make([]int64, n)
		tokens := int64(0)
		for i := range nodes {
			nodes[i] = NewShares(uint64(i+1), founders)
			level[i] = 1_000_000
			tokens += level[i]
		}
		type message struct {
			to int
			e  Entry
		}
		var wire []message
		deliver := func(m message) {
			level[m.to] += int64(nodes[m.to].Observe(m.e))
		}
		check := func() {
			held, have := uint64(0), int64(0)
			for i := range nodes {
				held += nodes[i].Held()
				have += level[i]
			}
			if held > Whole {
				t.Fatalf("the parts are %d of %d", held, uint64(Whole))
			}
			if have > tokens {
				t.Fatalf("%d µtok of %d", have, tokens)
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch i := rapid.IntRange(0, n-1).Draw(t, "node"); rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				d := Demand{Forecast: drawn(t, "forecast"), Deviation: drawn(t, "deviation"), Protected: drawn(t, "protected")}
				e, gone := nodes[i].Publish(d, drawn(t, "capacity"), level[i])
				level[i] -= int64(gone)
				for to := range nodes {
					if to != i && rapid.Bool().Draw(t, "sent") {
						wire = append(wire, message{to, e})
					}
				}
			case 2, 3:
				if len(wire) == 0 {
					continue
				}
				k := rapid.IntRange(0, len(wire)-1).Draw(t, "message")
				deliver(wire[k])
				if rapid.Bool().Draw(t, "once") {
					wire = append(wire[:k], wire[k+1:]...)
				}
			}
			check()
		}
		// Healed: everybody hears the newest of everybody, and nothing is lost.
		for range 3 {
			var all []Entry
			for i := range nodes {
				e, gone := nodes[i].Publish(Demand{Forecast: 1}, 100, level[i])
				level[i] -= int64(gone)
				all = append(all, e)
			}
			for i := range nodes {
				for _, e := range all {
					if e.Node != uint64(i+1) {
						deliver(message{i, e})
					}
				}
			}
			check()
		}
		held, have := uint64(0), int64(0)
		for i := range nodes {
			held += nodes[i].Held()
			have += level[i]
		}
		if held != Whole || have != tokens {
			t.Fatalf("after healing %d of %d and %d of %d µtok", held, uint64(Whole), have, tokens)
		}
	})
}

// exchange is one round of all with all.
func exchange(nodes []*Shares, demand []float64, capacity float64) {
	var all []Entry
	for i, s := range nodes {
		e, _ := s.Publish(Demand{Forecast: demand[i]}, capacity, 0)
		all = append(all, e)
	}
	for i, s := range nodes {
		for _, e := range all {
			if int(e.Node) != i+1 {
				s.Observe(e)
			}
		}
	}
}

func TestPartsFollowDemand(t *testing.T) {
	var nodes []*Shares
	for i := range 5 {
		nodes = append(nodes, NewShares(uint64(i+1), []uint64{1, 2, 3, 4, 5}))
	}
	demand := []float64{60, 10, 0, 0, 0}
	for range 3 {
		exchange(nodes, demand, 100)
	}
	for i, d := range demand {
		if got := nodes[i].Part(100, false, 5); got < d {
			t.Errorf("node %d has %v, wants %v", i, got, d)
		}
	}
	if got := nodes[2].Part(100, false, 5); got <= 0 {
		t.Error("an idle node has nothing at all for the first request it gets")
	}
	// One falls silent: its part stays its own, the others go on among themselves.
	silent := nodes[0].Held()
	for range 5 {
		exchange(nodes[1:2], demand[1:2], 100)
	}
	if nodes[0].Held() != silent || nodes[1].held(1) != silent {
		t.Error("the part of a silent node was taken")
	}
	if got := nodes[0].Part(100, true, 5); got != 20 {
		t.Errorf("alone in a minority it uses %v, want an equal part", got)
	}
}

func TestTheLeastCapacityCounts(t *testing.T) {
	s := NewShares(1, []uint64{1, 2})
	s.Observe(Entry{Node: 2, Epoch: 1, Capacity: 40})
	if got := s.Capacity(100); got != 40 {
		t.Errorf("capacity %v, want the peer's 40", got)
	}
	if s.Observe(Entry{Node: 2, Epoch: 1, Capacity: 10}); s.Capacity(100) != 40 {
		t.Error("an entry of an old epoch was taken")
	}
}
