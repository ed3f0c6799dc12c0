package refill

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/openclaw/clawd/ratelimit"
)

// world is nodes around one pool, with a network that loses, delays and cuts.
type world struct {
	t       *rapid.T
	now     int64
	nodes   []*Controller
	agents  []map[string]*boundAgent
	policy  *ratelimit.Compiled
	wire    []letter
	cut     map[[2]int]bool
	disk    []map[string]stored // what each node has of the registers
	version uint64
	stated  float64
	// admitted µtok since the beginning, over all nodes
	admitted int64
	restarts int
}

type boundAgent struct {
	a      *Agent
	bucket ratelimit.Bucket
}

type letter struct {
	to int
	at int64
	s  stored
}

// stored is one register as it travels.
type stored struct {
	w       Write
	version uint64
}

const testPool = "pool"

func newWorld(t *rapid.T, n int, capacity int64) *world {
	p := ratelimit.Policy{
		Name: "p", Match: "*", Capacity: 1000, RefillRate: ratelimit.Whole(capacity), IntervalSeconds: ratelimit.Whole(100),
		Pool: testPool,
	}
	w := &world{
		t: t, now: second, cut: make(map[[2]int]bool), stated: float64(capacity),
		policy: &ratelimit.Compiled{Policy: p, Limit: p.Limit(), Adaptive: true},
	}
	for i := range n {
		w.nodes = append(w.nodes, New(Options{Self: uint64(i + 1), Seed: 7}))
		w.agents = append(w.agents, make(map[string]*boundAgent))
		w.disk = append(w.disk, make(map[string]stored))
	}
	w.members(nil)
	spec := ratelimit.Pool{Name: testPool, CapacityPerSecond: ratelimit.Whole(capacity)}
	for _, c := range w.nodes {
		c.SetPool(w.now, "t", testPool, &spec)
	}
	begin, _ := w.nodes[0].Begin("t", testPool)
	w.write(0, begin)
	return w
}

// members tells all who there is; gone are out for good.
func (w *world) members(gone map[int]bool) {
	for i, c := range w.nodes {
		m := Members{Nodes: []uint64{uint64(i + 1)}, Ready: []uint64{uint64(i + 1)}}
		for j := range w.nodes {
			switch {
			case j == i:
			case gone[j]:
				m.Gone = append(m.Gone, uint64(j+1))
			default:
				m.Nodes = append(m.Nodes, uint64(j+1))
				if !w.cut[[2]int{i, j}] {
					m.Ready = append(m.Ready, uint64(j+1))
				}
			}
		}
		m.Minority = 2*len(m.Ready) < len(m.Nodes)
		c.SetMembers(w.now, m)
	}
}

// write stores a register at a node and sends it to the others.
func (w *world) write(from int, x Write) {
	w.version++
	s := stored{x, w.version}
	w.apply(from, s, false)
	for to := range w.nodes {
		if to != from && !w.cut[[2]int{from, to}] && rapid.IntRange(0, 9).Draw(w.t, "lost") > 0 {
			delay := int64(rapid.IntRange(0, 4000).Draw(w.t, "delay ms")) * 1e6
			w.wire = append(w.wire, letter{to, w.now + delay, s})
		}
	}
}

// apply joins a register: the last writer wins, as in the replica.
func (w *world) apply(node int, s stored, restored bool) {
	key := fmt.Sprint(s.w.Kind, s.w.Name)
	if !restored && w.disk[node][key].version >= s.version {
		return
	}
	w.disk[node][key] = s
	c := w.nodes[node]
	switch s.w.Kind {
	case WriteLedger:
		b, err := ParseBeginning(s.w.Value)
		if err != nil {
			w.t.Fatal(err)
		}
		c.SetLedger(w.now, s.w.Tenant, s.w.Name, s.version, b)
	case WriteStatement:
		if !c.HearStatement(w.now, s.w.Tenant, s.w.Name, s.w.Value, restored) {
			w.t.Fatalf("a statement was not understood: %s", s.w.Value)
		}
	}
}

func (w *world) deliver() {
	var later []letter
	for _, l := range w.wire {
		if l.at <= w.now {
			w.apply(l.to, l.s, false)
		} else {
			later = append(later, l)
		}
	}
	w.wire = later
}

// restart begins a node anew with what is on its disk.
func (w *world) restart(i int, gone map[int]bool) {
	w.nodes[i] = New(Options{Self: uint64(i + 1), Seed: 7})
	w.agents[i] = make(map[string]*boundAgent)
	w.members(gone)
	for _, s := range w.disk[i] {
		w.apply(i, s, true)
	}
	spec := ratelimit.Pool{Name: testPool, CapacityPerSecond: ratelimit.Whole(int64(w.stated))}
	w.nodes[i].SetPool(w.now, "t", testPool, &spec)
}

func (w *world) request(node int, agent string, n int64) bool {
	b := w.agents[node][agent]
	if b == nil {
		b = &boundAgent{a: w.nodes[node].Bind(nil, "t\x00"+agent, w.policy, w.now, nil)}
		b.bucket = ratelimit.NewBucket(w.now, &b.a.Policy().Limit, nil)
		w.agents[node][agent] = b
	}
	if old, since, changed := b.a.Renew(); changed {
		b.bucket.Relimit(min(w.now, since), &old, &b.a.Policy().Limit, nil)
	}
	l := &b.a.Policy().Limit
	fits := b.bucket.Level(w.now, l, nil) >= n
	ok, _, _ := b.a.Take(w.now, Draw{Tokens: n, Fits: fits}, nil)
	if ok {
		b.bucket.Admit(w.now, l, nil, n)
		w.admitted += n
	}
	return ok
}

// check holds the sum of the parts against the capacity.
func (w *world) check(gone map[int]bool) {
	sum := 0.0
	for i, c := range w.nodes {
		if !gone[i] {
			sum += c.Pool("t", testPool).View(w.now).Part
		}
	}
	if sum > w.stated {
		w.t.Fatalf("at %v s the parts sum to %v of %v", float64(w.now)/float64(second), sum, w.stated)
	}
}

// Statements are lost, late and cut off, nodes restart and are lost for good, and
// some of the demand is wild: what the nodes may admit together never exceeds the
// capacity, and neither does what they do admit but for what may wait.
func TestPartsOfNodesNeverExceedTheCapacity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "nodes")
		w := newWorld(t, n, 1000)
		gone := make(map[int]bool)
		began := w.now
		for range rapid.IntRange(3, 25).Draw(t, "seconds") {
			busy := make([]int, n)
			for i := range busy {
				busy[i] = rapid.SampledFrom([]int{0, 0, 1, 8}).Draw(t, "busy")
			}
			eventAt := rapid.IntRange(0, 30).Draw(t, "event at")
			for tick := range 10 {
				w.now += second / 10
				w.deliver()
				for i := range w.nodes {
					if gone[i] {
						continue
					}
					for range busy[i] {
						w.request(i, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "agent"), ratelimit.Token*rapid.Int64Range(1, 20).Draw(t, "tokens"))
					}
				}
				if tick == eventAt {
					w.event(gone)
				}
				w.check(gone)
			}
			for i, c := range w.nodes {
				if gone[i] {
					continue
				}
				for _, x := range c.Tick(w.now) {
					w.write(i, x)
				}
				w.check(gone)
			}
		}
		seconds := float64(w.now-began) / float64(second)
		// Each node's bucket may be drawn empty once, and restarts begin with a full one.
		depth := 1000 * (0.5 + 0.07) * 2
		most := 1000*seconds + float64(n)*depth*(1+float64(w.restarts))
		if got := float64(w.admitted) / ratelimit.Token; got > most {
			t.Fatalf("%v tokens were admitted in %v s, at most %v", got, seconds, most)
		}
	})
}

func (w *world) event(gone map[int]bool) {
	i := rapid.IntRange(0, len(w.nodes)-1).Draw(w.t, "node")
	switch rapid.IntRange(0, 4).Draw(w.t, "event") {
	case 0, 1:
		j := rapid.IntRange(0, len(w.nodes)-1).Draw(w.t, "other")
		cut := rapid.Bool().Draw(w.t, "cut")
		w.cut[[2]int{i, j}], w.cut[[2]int{j, i}] = cut, cut
	case 2:
		if !gone[i] {
			w.restart(i, gone)
			w.restarts++
		}
	case 3:
		if len(gone) < len(w.nodes)-1 {
			gone[i] = true
		}
	}
	w.members(gone)
}
