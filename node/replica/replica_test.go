package replica

import (
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

func TestAloneIsAnExactBucket(t *testing.T) {
	w := newWorld(t, 1, perHour(1000))
	h, rng := w.nodes[0], seeded(1)
	level := new(big.Rat).SetInt64(1000)
	for range 5000 {
		d := time.Duration(rng.IntN(20)) * time.Second
		w.pass(d)
		level.Add(level, big.NewRat(int64(d/time.Second)*1000, 3600))
		if full := big.NewRat(1000, 1); level.Cmp(full) > 0 {
			level = full
		}
		n := rng.Int64N(30) + 1
		want := floorMicro(level) >= n*token
		if got := h.take("a", n); got != want {
			t.Fatalf("take %d at level %s: allowed %v", n, level.FloatString(7), got)
		}
		if want {
			level.Sub(level, big.NewRat(n, 1))
		}
		if rng.IntN(10) == 0 {
			h.flush()
		}
	}
}

func floorMicro(level *big.Rat) int64 {
	x := new(big.Rat).Mul(level, big.NewRat(token, 1))
	return new(big.Int).Quo(x.Num(), x.Denom()).Int64()
}

func TestRestartKeepsTotalsAndLevel(t *testing.T) {
	w := newWorld(t, 1, perHour(1000))
	h := w.nodes[0]
	h.take("a", 900)
	h.flush()
	h.take("a", 50) // lost by the crash
	h.crash()
	if got := h.consumed("a"); got != 900 {
		t.Errorf("consumed %d after the crash, want 900", got)
	}
	if got := h.level("a"); got != 100*token {
		t.Errorf("level %d after the crash, want 100 tokens", got)
	}
	w.pass(36 * time.Second)
	if got := h.level("a"); got != 110*token {
		t.Errorf("level %d after 36 s, want 110 tokens", got)
	}
}

func TestConsumptionReachesPeersByPush(t *testing.T) {
	w := newWorld(t, 3, perHour(1000))
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	for _, h := range w.nodes {
		h.flushTo(w.others(h)...)
	}
	a.take("x", 300)
	b.take("x", 200)
	w.pass(100 * time.Millisecond)
	a.flushTo(b, c)
	b.flushTo(a, c)
	for _, h := range w.nodes {
		if got := h.consumed("x"); got != 500 {
			t.Errorf("node %s sees %d consumed, want 500", h.id, got)
		}
		if got := h.level("x") / token; got != 500 {
			t.Errorf("node %s has level %d, want 500", h.id, got)
		}
	}
	w.settle()
	w.sameEverywhere("x")
}

func (w *world) others(h *host) []*host {
	var list []*host
	for _, o := range w.nodes {
		if o != h {
			list = append(list, o)
		}
	}
	return list
}

func TestLostPushIsAGapThatAPullRepairs(t *testing.T) {
	w := newWorld(t, 2, perHour(1000))
	a, b := w.nodes[0], w.nodes[1]
	a.take("x", 1)
	a.flushTo() // lost
	a.take("y", 2)
	a.flushTo(b)
	if got := b.Stats(w.now).Gaps; got != 1 {
		t.Fatalf("%d gaps seen, want 1", got)
	}
	if got := b.consumed("y"); got != 0 {
		t.Errorf("a page behind a gap was joined: consumed %d", got)
	}
	b.pull(a)
	if x, y := b.consumed("x"), b.consumed("y"); x != 1 || y != 2 {
		t.Errorf("after the pull consumed %d and %d, want 1 and 2", x, y)
	}
	b.flush()
	w.sameEverywhere("x", "y")
}

// Everything at once, without any rule in the schedule: after a calm exchange
// all nodes must have counted what was flushed, once.
func TestRandomSchedulesConverge(t *testing.T) {
	for seed := range uint64(300) {
		w := newWorld(t, 3, perHour(1_000_000))
		rng := seeded(seed)
		agents := []string{"a", "b", "c", "d", "e"}
		want := make(map[string]uint64)
		lost := make(map[*host]map[string]uint64)
		for _, h := range w.nodes {
			lost[h] = make(map[string]uint64)
		}
		for range 120 {
			w.pass(time.Duration(rng.IntN(2000)) * time.Millisecond)
			h := w.nodes[rng.IntN(len(w.nodes))]
			o := w.nodes[rng.IntN(len(w.nodes))]
			switch rng.IntN(10) {
			case 0, 1, 2, 3:
				a, n := agents[rng.IntN(len(agents))], rng.Int64N(9)+1
				if h.take(a, n) {
					want[a] += uint64(n)
					lost[h][a] += uint64(n)
				}
			case 4, 5:
				if o == h {
					h.flush()
				} else {
					h.flushTo(o)
				}
				clear(lost[h])
			case 6, 7:
				if o != h {
					h.pull(o)
				}
			case 8:
				h.crash()
				for a, n := range lost[h] {
					want[a] -= n
				}
				clear(lost[h])
			}
		}
		w.settle()
		w.sameEverywhere(agents...)
		for _, a := range agents {
			if got := w.nodes[0].consumed(a); got != want[a] {
				t.Errorf("agent %s: consumed %d, want %d", a, got, want[a])
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestReserveForgetsNothing(t *testing.T) {
	def := perHour(1000)
	def.Durability = ratelimit.Reserve
	w := newWorld(t, 1, def)
	h, rng := w.nodes[0], seeded(3)
	var acknowledged uint64
	for range 200 {
		w.pass(time.Minute)
		if n := rng.Int64N(20) + 1; h.take("a", n) {
			acknowledged += uint64(n)
		}
		switch rng.IntN(4) {
		case 0:
			h.flush()
		case 1:
			h.crash()
			if got := h.consumed("a"); got < acknowledged || got > acknowledged+10+1 {
				t.Fatalf("after a crash %d consumed, %d acknowledged", got, acknowledged)
			}
			acknowledged = h.consumed("a")
		}
	}
}

func TestCrashDuringRecoveryChargesOnce(t *testing.T) {
	def := perHour(1000)
	def.Durability = ratelimit.Reserve
	w := newWorld(t, 1, def)
	h := w.nodes[0]
	h.take("a", 5)
	for range 5 {
		h.crash()
	}
	if got := h.consumed("a"); got < 5 || got > 15 {
		t.Errorf("consumed %d after five crashes, want 5 and at most one step of 10 more", got)
	}
}

func TestIdleRowsAreCollectedAndComeBackAsANewGeneration(t *testing.T) {
	w := newWorld(t, 2, perHour(1000))
	a, b := w.nodes[0], w.nodes[1]
	a.take("x", 7)
	a.flushTo(b)
	b.flush()
	for range 30 { // 30 hours, everybody in touch
		w.pass(time.Hour)
		a.flushTo(b)
		b.flushTo(a)
		a.pull(b)
		b.pull(a)
	}
	for _, h := range w.nodes {
		for range 4 {
			if _, err := h.Collect(w.now, 100); err != nil {
				t.Fatal(err)
			}
		}
		h.flushTo(w.others(h)...)
		if got := h.Stats(w.now).Collected; got != 1 {
			t.Errorf("node %s collected %d rows, want 1", h.id, got)
		}
		if rows := h.view("x").Buckets[0].Rows; len(rows) != 0 {
			t.Errorf("node %s still has rows %v", h.id, rows)
		}
		if got := h.consumed("x"); got != 7 {
			t.Errorf("node %s forgot the total: %d", h.id, got)
		}
	}
	a.take("x", 3)
	a.flushTo(b)
	for _, h := range w.nodes {
		if got := h.consumed("x"); got != 10 {
			t.Errorf("node %s: %d consumed after the return, want 10", h.id, got)
		}
	}
	w.settle()
	w.sameEverywhere("x")
}

func TestDeadRunsAreRetired(t *testing.T) {
	w := newWorld(t, 2, perHour(1000))
	a, b := w.nodes[0], w.nodes[1]
	for range 5 {
		a.take("x", 1)
		a.flushTo(b)
		b.flush()
		a.crash()
	}
	_, wait, err := a.writeRegister(w.now, kvKey("default", "k"), func(crdt.Register, bool) (crdt.Register, error) {
		return crdt.Register{Value: []byte("v")}, nil
	})
	if err != nil || wait == 0 {
		t.Fatal(err)
	}
	a.flushTo(b)
	a.crash()
	w.settle()
	for range 60 {
		w.pass(time.Hour)
		w.settle()
		for _, h := range w.nodes {
			for range 3 {
				if _, err := h.Collect(w.now, 100); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	w.settle()
	for _, h := range w.nodes {
		v, err := h.store.Vectors()
		if err != nil {
			t.Fatal(err)
		}
		if len(v) > 2 {
			t.Errorf("node %s still keeps %d vectors: %v", h.id, len(v), v)
		}
		if got := h.consumed("x"); got != 5 {
			t.Errorf("node %s: total %d, want 5", h.id, got)
		}
		if e, err := h.KVGet(w.now, "default", "k"); err != nil || string(e.Value) != "v" {
			t.Errorf("node %s lost the register of a dead run: %v %v", h.id, e, err)
		}
	}
	w.sameEverywhere("x")
}

func TestPoliciesTravelAndTakeEffect(t *testing.T) {
	w := newWorld(t, 2, perHour(1000))
	a, b := w.nodes[0], w.nodes[1]
	p := perHour(10)
	p.Name, p.Match = "small", "bot-*"
	if _, created, _, err := a.PutPolicy(w.now, homeTenant, p, nil); err != nil || !created {
		t.Fatal(created, err)
	}
	if a.take("bot-1", 9); a.take("bot-1", 9) {
		t.Error("the policy had no effect where it was put")
	}
	a.flushTo(b)
	if got := b.level("bot-1") / token; got != 1 {
		t.Errorf("level at the peer %d, want 1", got)
	}
	if _, err := a.DeletePolicy(w.now, homeTenant, "small", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := a.DeletePolicy(w.now, homeTenant, "small", nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("second deletion: %v", err)
	}
	a.crash() // the deletion was not flushed
	if _, _, err := a.Policy(homeTenant, "small"); err != nil {
		t.Errorf("policy after a crash: %v", err)
	}
}

// A reset that knows nothing of a deletion, and is later by the clock, must not
// take the deletion back: the rows are gone where it was done.
func TestAResetDoesNotUndoADeletion(t *testing.T) {
	w := newWorld(t, 2, perHour(1000))
	a, b := w.nodes[0], w.nodes[1]
	b.take("x", 400)
	w.settle()
	if _, err := a.DeleteAgent(w.now, "default", "x"); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	if _, err := b.ResetAgent(w.now, "default", "x"); err != nil {
		t.Fatal(err)
	}
	w.settle()
	for _, h := range w.nodes {
		if got := h.consumed("x"); got != 0 {
			t.Errorf("node %s still counts %d", h.id, got)
		}
	}
	b.take("x", 7)
	w.settle()
	w.sameEverywhere("x")
	a.crash()
	w.sameEverywhere("x")
}

func TestResetAndDeleteReachPeers(t *testing.T) {
	w := newWorld(t, 2, perHour(1000))
	a, b := w.nodes[0], w.nodes[1]
	a.take("x", 600)
	a.flushTo(b)
	if _, err := b.ResetAgent(w.now, "default", "x"); err != nil {
		t.Fatal(err)
	}
	b.flushTo(a)
	for _, h := range w.nodes {
		if l, c := h.level("x"), h.consumed("x"); l != 1000*token || c != 600 {
			t.Errorf("after the reset node %s has level %d, consumed %d", h.id, l, c)
		}
	}
	a.flush()
	a.take("x", 10)
	a.crash()
	if l := a.level("x"); l != 1000*token {
		t.Errorf("level %d after a crash, want full", l)
	}
	if _, err := a.DeleteAgent(w.now, "default", "x"); err != nil {
		t.Fatal(err)
	}
	a.take("x", 1)
	w.settle()
	for _, h := range w.nodes {
		if c := h.consumed("x"); c != 1 {
			t.Errorf("after the deletion node %s has consumed %d, want 1", h.id, c)
		}
	}
	w.sameEverywhere("x")
}

func TestRefundAtAnotherNode(t *testing.T) {
	w := newWorld(t, 2, perHour(1000))
	a, b := w.nodes[0], w.nodes[1]
	a.take("x", 600)
	a.flushTo(b)
	given, _, err := b.Refund(w.now, &Request{Tenant: "default", Agent: "x", Tokens: 700 * token})
	if err != nil || given != 600*token {
		t.Fatalf("refunded %d, %v; want 600 tokens", given, err)
	}
	b.flushTo(a)
	w.settle()
	w.sameEverywhere("x")
	if l := a.level("x"); l != 1000*token {
		t.Errorf("level %d after the refund, want full", l)
	}
}

func TestAtomicBatchTakesAllOrNothing(t *testing.T) {
	w := newWorld(t, 1, perHour(10))
	h := w.nodes[0]
	qs := []Request{
		{Tenant: "default", Agent: "a", Tokens: 6 * token},
		{Tenant: "default", Agent: "b", Tokens: 1 * token},
		{Tenant: "default", Agent: "a", Tokens: 6 * token},
	}
	outs := make([]Outcome, len(qs))
	if _, bad, err := h.ConsumeBatch(w.now, qs, true, outs); !errors.Is(err, ErrLimit) || bad != 0 {
		t.Errorf("12 of 10 tokens: %d %v", bad, err)
	}
	h.take("a", 6)
	b, _, err := h.ConsumeBatch(w.now, qs[:2], true, outs)
	if err != nil || b.Allowed || b.Binding != 0 {
		t.Errorf("batch %+v, %v; want denied by the first", b, err)
	}
	if got := h.consumed("b"); got != 0 {
		t.Errorf("a denied batch consumed %d", got)
	}
	b, _, err = h.ConsumeBatch(w.now, []Request{qs[1], qs[1]}, true, outs)
	if err != nil || !b.Allowed || h.consumed("b") != 2 {
		t.Errorf("batch %+v, %v, consumed %d", b, err, h.consumed("b"))
	}
}

func TestInlinePoliciesAreBucketsOfTheirOwn(t *testing.T) {
	w := newWorld(t, 1, perHour(1000))
	h := w.nodes[0]
	ask := func(capacity int64) error {
		l := perHour(capacity).Limit()
		var out Outcome
		return h.Consume(w.now, &Request{Tenant: "default", Agent: "x", Tokens: token, Inline: &l}, &out)
	}
	for i := range int64(maxInline) {
		if err := ask(10 + i); err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			h.flush()
		}
	}
	if err := ask(99); !errors.Is(err, ErrTooManyInline) {
		t.Errorf("one policy too many: %v", err)
	}
	h.flush()
	h.crash()
	if err := ask(99); !errors.Is(err, ErrTooManyInline) {
		t.Errorf("one policy too many after a restart: %v", err)
	}
	if v := h.view("x"); len(v.Buckets) != maxInline+1 || v.Total.Consumed.Lo != maxInline*token {
		t.Errorf("%d buckets, total %v", len(v.Buckets), v.Total.Consumed)
	}
}

func TestFailedCommitLosesNothing(t *testing.T) {
	w := newWorld(t, 2, perHour(1000))
	a, b := w.nodes[0], w.nodes[1]
	a.take("x", 5)
	f := a.BeginFlush(w.now)
	for _, p := range f.Pages {
		a.push(b, p)
	}
	a.EndFlush(f, w.now, storage.ErrFull)
	a.take("x", 2)
	a.take("y", 1)
	a.flushTo(b)
	w.settle()
	w.sameEverywhere("x", "y")
	if x, y := b.consumed("x"), b.consumed("y"); x != 7 || y != 1 {
		t.Errorf("peer has %d and %d, want 7 and 1", x, y)
	}
	a.crash()
	if x := a.consumed("x"); x != 7 {
		t.Errorf("%d after a crash, want 7", x)
	}
}

// Pages that had to wait for the fsync are not sent when the commit fails.
// Their rows must reach the peers with the next flush, without a gap.
func TestFailedCommitOfCarefulRowsIsPushedLater(t *testing.T) {
	def := perHour(1000)
	def.Durability = ratelimit.Reserve
	w := newWorld(t, 2, def)
	a, b := w.nodes[0], w.nodes[1]
	a.take("x", 1)
	a.flush()
	b.pull(a)
	a.take("x", 3)
	a.put("k", "v")
	f := a.BeginFlush(w.now)
	if f.PushEarly {
		t.Fatal("rows under a reserve mark may leave before the fsync")
	}
	if !a.push(b, a.IdlePage(w.now)) {
		t.Error("an idle page claimed what was not sent")
	}
	a.EndFlush(f, w.now, storage.ErrFull)
	a.flushTo(b)
	if got := b.Stats(w.now).Gaps; got != 0 {
		t.Errorf("%d gaps", got)
	}
	if got := b.consumed("x"); got != 4 {
		t.Errorf("peer has %d, want 4", got)
	}
	if got := b.read("k"); got != "v" {
		t.Errorf("peer reads %q", got)
	}
	w.settle()
	w.sameEverywhere("x")
}

func TestConcurrentConsumeIsCountedOnce(t *testing.T) {
	w := newWorld(t, 1, perHour(1_000_000))
	h := w.nodes[0]
	const workers, each, agents = 8, 2000, 50
	var wg sync.WaitGroup
	for n := range workers {
		wg.Go(func() {
			for i := range each {
				var out Outcome
				q := Request{Tenant: "default", Agent: fmt.Sprint("a", (i*7+n)%agents), Tokens: token}
				if err := h.Consume(w.now, &q, &out); err != nil || !out.Decision.Allowed {
					t.Errorf("consume: %v %+v", err, out)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for busy := true; busy; {
		select {
		case <-done:
			busy = false
		default:
			h.flush()
		}
	}
	h.flush()
	h.crash()
	var sum uint64
	for i := range agents {
		sum += h.consumed(fmt.Sprint("a", i))
	}
	if sum != workers*each {
		t.Errorf("%d counted, %d admitted", sum, workers*each)
	}
}

// Cells put out of memory come back as they were.
func TestEvictionForgetsNothing(t *testing.T) {
	w := newWorld(t, 1, perHour(1000))
	h := w.nodes[0]
	h.opts.HotCells = 100
	for i := range 1000 {
		h.take(fmt.Sprint("a", i), int64(i%7)+1)
	}
	w.pass(2 * time.Second)
	for range 30 {
		h.flush()
	}
	if hot := h.Stats(w.now).Hot; hot > 100+shardCount {
		t.Errorf("%d cells in memory, bound 100", hot)
	}
	for i := range 1000 {
		if got, want := h.consumed(fmt.Sprint("a", i)), uint64(i%7)+1; got != want {
			t.Fatalf("agent %d: %d consumed, want %d", i, got, want)
		}
	}
	names, err := h.agentNames("default", "a", "a998", 10)
	if err != nil || len(names) != 1 || names[0] != "a999" {
		t.Errorf("listing after a998: %v %v", names, err)
	}
}
