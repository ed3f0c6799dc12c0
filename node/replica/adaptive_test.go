package replica

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/openclaw/clawd/ratelimit"
)

// planned is a world whose nodes share a pool of so many tokens a second.
func planned(t *testing.T, n int, capacity int64) *world {
	w := newWorldOf(t, n, perHour(1000), true)
	h := w.nodes[0]
	w.tick()
	delay := int64(200)
	pool := ratelimit.Pool{Name: "gpu", CapacityPerSecond: ratelimit.Whole(capacity), MaxQueueDelayMS: &delay}
	if _, created, _, err := h.PutPool(w.now, "default", pool, nil); err != nil || !created {
		t.Fatal(created, err)
	}
	begin, _ := h.plan.Begin("default", "gpu")
	if _, err := h.PublishRefill(w.now, begin); err != nil {
		t.Fatal(err)
	}
	p := ratelimit.Policy{
		Name: "bots", Match: "bot:*", Capacity: 1000, RefillRate: ratelimit.Whole(10), IntervalSeconds: ratelimit.Whole(1), Pool: "gpu",
	}
	if _, _, _, err := h.PutPolicy(w.now, "default", p, nil); err != nil {
		t.Fatal(err)
	}
	w.exchange()
	return w
}

func (w *world) exchange() {
	for _, h := range w.nodes {
		h.flushTo(w.others(h)...)
	}
}

// tick lets all nodes plan and tell each other.
func (w *world) tick() {
	w.t.Helper()
	for _, h := range w.nodes {
		h.plan.SetMembers(w.now.Mono, h.RefillMembers(w.now))
		for _, x := range h.plan.Tick(w.now.Mono) {
			if _, err := h.PublishRefill(w.now, x); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	w.exchange()
}

// load asks for tokens evenly over some seconds, at each node so many a second,
// and returns how many were given at each.
func (w *world) load(seconds int, perSecond map[int]int, agent string) map[int]int {
	got := make(map[int]int)
	const ticks = 20
	for range seconds {
		for i := range ticks {
			w.pass(time.Second / ticks)
			for node, rate := range perSecond {
				for range (i+1)*rate/ticks - i*rate/ticks {
					if w.nodes[node].take(agent, 1) {
						got[node]++
					}
				}
			}
		}
		w.tick()
	}
	return got
}

func (w *world) parts() (sum float64, each []float64) {
	for _, h := range w.nodes {
		p := h.plan.Pool("default", "gpu").View(w.now.Mono).Part
		sum += p
		each = append(each, p)
	}
	return sum, each
}

// A pool's capacity goes to the node that needs it, in sum never more than there
// is; consumption is counted like any other, and a restart forgets no grant.
func TestPoolAcrossNodes(t *testing.T) {
	w := planned(t, 3, 300)
	if sum, each := w.parts(); sum > 300 || each[1] < 99 || each[1] > 101 {
		t.Fatalf("at the beginning the parts are %v", each)
	}
	w.load(5, map[int]int{0: 250, 1: 10}, "bot:a")
	got := w.load(10, map[int]int{0: 250, 1: 10}, "bot:a")
	if sum, each := w.parts(); sum > 300 || each[0] < 240 {
		t.Errorf("one node has nearly all of the demand, and the parts are %v", each)
	}
	if got[0] < 2400 || got[1] < 95 {
		t.Errorf("given %v of 2500 and 100", got)
	}
	w.settle()
	w.sameEverywhere("bot:a")
	before := w.nodes[0].plan.Pool("default", "gpu").View(w.now.Mono).Share
	for _, h := range w.nodes {
		h.crash()
		h.plan.SetMembers(w.now.Mono, h.RefillMembers(w.now))
	}
	sum, each := w.parts()
	after := w.nodes[0].plan.Pool("default", "gpu").View(w.now.Mono).Share
	if sum > 300 || after < before-0.01 {
		t.Errorf("after a restart of all the parts are %v, the first held %.3f before", each, before)
	}
}

// A node that is forgotten held a part: once all others know, it is shared anew.
func TestForgottenNodeLeavesItsPart(t *testing.T) {
	w := planned(t, 3, 300)
	w.load(2, map[int]int{0: 10}, "bot:a")
	lost := w.nodes[2]
	w.nodes = w.nodes[:2]
	for _, h := range w.nodes {
		h.seePeers()
	}
	w.pass(11 * time.Second)
	if _, err := w.nodes[0].Forget(w.now, lost.id); err != nil {
		t.Fatal(err)
	}
	for range 6 {
		w.pass(time.Second)
		w.tick()
		if sum, each := w.parts(); sum > 300 {
			t.Fatalf("the parts are %v", each)
		}
	}
	if sum, each := w.parts(); sum < 299 {
		t.Errorf("the part of the lost one is not used: %v", each)
	}
}

func TestPoolsAreRegisters(t *testing.T) {
	w := planned(t, 2, 100)
	a, b := w.nodes[0], w.nodes[1]
	if p, _, err := b.Pool("default", "gpu"); err != nil || p.CapacityPerSecond != ratelimit.Whole(100) {
		t.Fatalf("at the peer: %+v, %v", p, err)
	}
	if _, _, err := b.Pool("other", "gpu"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another tenant sees it: %v", err)
	}
	if v := b.view("bot:x").Buckets[0]; v.Decision.Window != 10*time.Second {
		t.Errorf("the bucket of an agent of the pool fills in %v, want the burst over the pool's capacity", v.Decision.Window)
	}
	if _, err := a.DeletePool(w.now, "default", "gpu", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := a.DeletePool(w.now, "default", "gpu", nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("second deletion: %v", err)
	}
	w.exchange()
	if v := b.view("bot:x").Buckets[0]; v.Decision.Window != 100*time.Second {
		t.Errorf("without the pool the policy's own rate counts, and the bucket fills in %v", v.Decision.Window)
	}
	if l := a.Pools("default", "", "", 10); len(l) != 0 {
		t.Errorf("listed: %v", l)
	}
}

// An atomic batch draws on a pool as a whole or not at all.
func TestAtomicBatchOverPools(t *testing.T) {
	w := planned(t, 1, 100)
	h := w.nodes[0]
	w.pass(time.Second)
	w.tick()
	ask := func(a, b int64) (BatchOutcome, []Outcome) {
		qs := []Request{{Tenant: "default", Agent: "bot:a", Tokens: a * token}, {Tenant: "default", Agent: "bot:b", Tokens: b * token}}
		outs := make([]Outcome, 2)
		out, _, err := h.ConsumeBatch(w.now, qs, true, outs)
		if err != nil {
			t.Fatal(err)
		}
		return out, outs
	}
	level := func() float64 { return h.plan.Pool("default", "gpu").View(w.now.Mono).Level }
	before := level()
	out, outs := ask(10, 15)
	if out.Allowed || out.Binding != 1 || outs[1].Decision.RetryAfter <= 0 || outs[0].Decision.Allowed {
		t.Errorf("25 of %v tokens: %+v, %+v", before, out, outs)
	}
	if math.Abs(level()-before) > 1e-6 || h.consumed("bot:a") != 0 {
		t.Errorf("a refused batch drew on the pool: %v of %v left", level(), before)
	}
	if out, _ := ask(5, 5); !out.Allowed || math.Abs(before-level()-10) > 1e-6 {
		t.Errorf("10 of %v tokens: %+v, %v left", before, out, level())
	}
}

// BenchmarkRefillCost is what a decision costs by the kind of its policy, in one
// interleaved run: static in a node that plans nothing (the baseline), static in
// one that does, adaptive, and with a pool. It reports CPU time as ratios to the
// baseline.
func BenchmarkRefillCost(b *testing.B) {
	type lane struct {
		name  string
		agent string
		r     *Replica
		spent time.Duration
	}
	w := newWorldOf(&testing.T{}, 1, perHour(1_000_000_000), true)
	plain := newWorldOf(&testing.T{}, 1, perHour(1_000_000_000), false).nodes[0].Replica
	h := w.nodes[0]
	w.tick()
	_, _, _, _ = h.PutPool(w.now, "default", ratelimit.Pool{Name: "gpu", CapacityPerSecond: ratelimit.Whole(1_000_000_000)}, nil)
	begin, _ := h.plan.Begin("default", "gpu")
	_, _ = h.PublishRefill(w.now, begin)
	big := perHour(1_000_000_000)
	big.Name, big.Match, big.Pool = "pooled", "pool:*", "gpu"
	_, _, _, _ = h.PutPolicy(w.now, "default", big, nil)
	big.Name, big.Match, big.Pool, big.MaxRate = "moving", "move:*", "", ratelimit.Whole(1_000_000)
	_, _, _, _ = h.PutPolicy(w.now, "default", big, nil)
	lanes := []*lane{
		{name: "baseline", agent: "a", r: plain},
		{name: "static", agent: "a", r: h.Replica},
		{name: "adaptive", agent: "move:a", r: h.Replica},
		{name: "pool", agent: "pool:a", r: h.Replica},
	}
	now := w.now
	var out Outcome
	const batch = 2000
	b.ResetTimer()
	for range max(b.N/batch, 20) {
		for _, l := range lanes {
			q := Request{Tenant: "default", Agent: l.agent, Tokens: token}
			began := cpuTime(b)
			for range batch {
				now.Mono += 1000
				_ = l.r.Consume(now, &q, &out)
			}
			l.spent += cpuTime(b) - began
		}
		w.now = now
	}
	for _, l := range lanes[1:] {
		b.ReportMetric(float64(l.spent)/float64(lanes[0].spent), l.name+"/baseline")
	}
}
