package replica

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/rating"
)

const usd = rating.Unit

func (h *host) bill(e UsageEvent) UsageOutcome {
	h.w.t.Helper()
	out, _, err := h.RecordUsage(h.w.now, "default", &e)
	if err != nil {
		h.w.t.Fatal(err)
	}
	return out
}

func (h *host) price(p rating.Price) {
	h.w.t.Helper()
	if _, _, _, err := h.PutPrice(h.w.now, "default", p); err != nil {
		h.w.t.Fatal(err)
	}
}

// used sums up all that the agent of world.event used, whatever the day, model and price.
func (h *host) used() (sum rating.Usage) {
	h.w.t.Helper()
	day := rating.DayOf(h.w.now.Wall)
	lines, err := h.Usage("default", "bot", day-10, day+1)
	if err != nil {
		h.w.t.Fatal(err)
	}
	for _, l := range lines {
		sum = sum.Plus(l.Usage)
	}
	return sum
}

func (w *world) event(id string) UsageEvent {
	return UsageEvent{
		ID: id, Agent: "bot", Model: "gpt-4", OccurredAt: w.now.Wall,
		Usage: rating.Usage{InputTokens: 1000, CachedInputTokens: 200, OutputTokens: 100, Requests: 1},
	}
}

func TestAnEventIsBilledOnce(t *testing.T) {
	w := newWorld(t, 2, perHour(100))
	a, b := w.nodes[0], w.nodes[1]
	a.price(rating.Price{Model: "gpt-*", Currency: "USD", InputPerMillion: 2 * usd, OutputPerMillion: 10 * usd})
	w.pass(time.Second)
	e := w.event("e1")
	if out := a.bill(e); out.Duplicate || !out.Priced || out.Charge.Total != 3_000_000 {
		t.Fatalf("%+v", out)
	}
	if out := a.bill(e); !out.Duplicate || out.Charge.Total != 3_000_000 {
		t.Errorf("the second time, before a flush: %+v", out)
	}
	a.flushTo(b)
	if out := b.bill(e); !out.Duplicate || out.Charge.Total != 3_000_000 {
		t.Errorf("the second time, at a peer: %+v", out)
	}
	other := e
	other.Usage.OutputTokens++
	if _, _, err := b.RecordUsage(w.now, "default", &other); !errors.Is(err, ErrEventConflict) {
		t.Errorf("other contents: %v", err)
	}
	w.settle()
	for _, h := range w.nodes {
		if got := h.used(); got != e.Usage {
			t.Errorf("%s says %+v", h.id, got)
		}
		rated, err := h.Statement("default", "bot", rating.DayOf(w.now.Wall), rating.DayOf(w.now.Wall))
		if err != nil || len(rated) != 1 || rated[0].Charge.Total != 3_000_000 {
			t.Errorf("%s bills %+v, %v", h.id, rated, err)
		}
	}
}

// An event that two nodes accept without knowing of each other stays with one.
func TestTwoNodesBillOneEvent(t *testing.T) {
	w := newWorld(t, 2, perHour(100))
	e := w.event("e1")
	for _, h := range w.nodes {
		if out := h.bill(e); out.Duplicate {
			t.Fatal("a duplicate without a first")
		}
		w.pass(time.Millisecond)
	}
	w.settle()
	for _, h := range w.nodes {
		if got := h.used(); got != e.Usage {
			t.Errorf("%s says %+v", h.id, got)
		}
	}
	if n := w.nodes[1].Stats(w.now).UsageCorrected; n != 1 {
		t.Errorf("the later one corrected itself %d times", n)
	}
	w.sameEverywhere()
}

// What a member billed that is gone for good stays, and the others make room.
func TestTheBillOfAForgottenNodeStays(t *testing.T) {
	w := newWorld(t, 3, perHour(100))
	a, b, dead := w.nodes[0], w.nodes[1], w.nodes[2]
	e := w.event("e1")
	a.bill(e)
	w.pass(time.Millisecond)
	dead.bill(e)
	dead.flushTo(b) // and is never seen again
	w.nodes = w.nodes[:2]
	w.settle()
	for _, h := range w.nodes {
		if got := h.used().Requests; got != 2 {
			t.Errorf("%s says %d requests: the one that should have given way is not gone yet", h.id, got)
		}
	}
	if _, err := a.Forget(w.now, dead.id); err != nil {
		t.Fatal(err)
	}
	w.settle()
	for _, h := range w.nodes {
		if _, err := h.Collect(w.now, 1000); err != nil {
			t.Fatal(err)
		}
	}
	w.settle()
	for _, h := range w.nodes {
		if got := h.used(); got != e.Usage {
			t.Errorf("%s says %+v after it was forgotten", h.id, got)
		}
	}
}

// A retry may leave the time out again.
func TestAnEventWithoutATimeIsTheSameLater(t *testing.T) {
	w := newWorld(t, 1, perHour(100))
	e := w.event("e1")
	e.OccurredAt = 0
	w.nodes[0].bill(e)
	w.pass(time.Minute)
	if out := w.nodes[0].bill(e); !out.Duplicate {
		t.Errorf("%+v", out)
	}
}

func TestTheAgeOfEvents(t *testing.T) {
	w := newWorld(t, 1, perHour(100))
	a := w.nodes[0]
	for offset, want := range map[time.Duration]error{
		-UsageAge:                     nil,
		-UsageAge - time.Millisecond:  ErrTooLate,
		UsageAhead:                    nil,
		UsageAhead + time.Millisecond: ErrFuture,
	} {
		e := w.event(offset.String())
		e.OccurredAt += offset.Milliseconds()
		if _, _, err := a.RecordUsage(w.now, "default", &e); !errors.Is(err, want) {
			t.Errorf("%v: %v", offset, err)
		}
	}
}

// A claim is dropped when it is of no use, and what it billed stays.
func TestClaimsAreForgotten(t *testing.T) {
	w := newWorld(t, 2, perHour(100))
	a, b := w.nodes[0], w.nodes[1]
	e := w.event("e1")
	a.bill(e)
	w.settle()
	count := func(h *host) (n int) {
		err := h.store.Registers(string(crdt.SpaceClaim), "", func(string, crdt.Register) bool { n++; return true })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if count(a) != 1 || count(b) != 1 {
		t.Fatalf("%d and %d claims", count(a), count(b))
	}
	w.pass(UsageDedupe + time.Second)
	for range 3 {
		for _, h := range w.nodes {
			if _, err := h.Collect(w.now, 1000); err != nil {
				t.Fatal(err)
			}
		}
		w.settle()
	}
	for _, h := range w.nodes {
		if n := count(h); n != 0 || h.used() != e.Usage {
			t.Errorf("%s has %d claims and says %+v", h.id, n, h.used())
		}
	}
}

// Events reported anywhere and again, between partitions and crashes: each that
// was acknowledged is billed exactly once, and all nodes say so.
func TestUsageUnderFaults(t *testing.T) {
	seeds := 150
	if testing.Short() {
		seeds = 30
	}
	var corrected uint64
	for seed := range seeds {
		corrected += usageSchedule(t, uint64(seed))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if corrected == 0 {
		t.Error("no event was ever billed twice for a while: nothing was tested")
	}
}

func usageSchedule(t *testing.T, seed uint64) (corrected uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	w := newWorld(t, 2+rng.IntN(3), perHour(1000))
	events := make(map[string]UsageEvent)
	acked := make(map[string]bool)
	waiting := make(map[*host][]string)
	any := func() *host { return w.nodes[rng.IntN(len(w.nodes))] }
	for range 80 {
		w.pass(time.Duration(rng.IntN(2000)) * time.Millisecond)
		h := any()
		switch rng.IntN(10) {
		case 0, 1, 2, 3:
			id := fmt.Sprint("e", rng.IntN(12))
			if _, ok := events[id]; !ok {
				e := w.event(id)
				e.Usage.OutputTokens = uint64(rng.IntN(50))
				events[id] = e
			}
			h.bill(events[id])
			waiting[h] = append(waiting[h], id)
		case 4, 5, 6:
			var peers []*host
			for _, p := range w.nodes {
				if p != h && rng.IntN(2) == 0 {
					peers = append(peers, p)
				}
			}
			h.flushTo(peers...)
			for _, id := range waiting[h] {
				acked[id] = true
			}
			delete(waiting, h)
		case 7, 8:
			if from := any(); from != h {
				h.pull(from)
			}
		default:
			corrected += h.Stats(w.now).UsageCorrected
			h.crash()
			delete(waiting, h)
		}
	}
	w.settle()
	w.settle()
	w.sameEverywhere()
	var want rating.Usage
	for _, id := range slices.Sorted(maps.Keys(events)) {
		claims, err := w.nodes[0].claims(id)
		if err != nil {
			t.Fatal(err)
		}
		billed := 0
		for _, c := range claims {
			if c.billed {
				billed++
			}
		}
		if len(claims) > 0 && billed != 1 || acked[id] && billed != 1 {
			t.Errorf("%s: %d claims, %d bill it, acknowledged %v", id, len(claims), billed, acked[id])
		}
		if len(claims) > 0 {
			want = want.Plus(events[id].Usage)
		}
	}
	for _, h := range w.nodes {
		if got := h.used(); got != want {
			t.Errorf("%s says %+v, want %+v", h.id, got, want)
		}
		corrected += h.Stats(w.now).UsageCorrected
	}
	return corrected
}

func (h *host) claims(id string) ([]claim, error) {
	h.merge.Lock()
	defer h.merge.Unlock()
	return h.claimsOf(h.w.now, "default", hashOf(id))
}

func TestClaimRoundTrip(t *testing.T) {
	c := claim{
		node: 7, at: crdt.NewHLC(1_700_000_000_000, 3), billed: true, price: priceRef{"gpt-*", 1_600_000_000_000},
		event: UsageEvent{Agent: "bot", Model: "gpt-4", OccurredAt: 1_700_000_000_001, Usage: rating.Usage{InputTokens: 1, CachedInputTokens: 1, OutputTokens: 2, ReasoningTokens: 1, Requests: 3}},
	}
	if got, ok := decodeClaim(7, c.encode()); !ok || got != c {
		t.Errorf("%+v, %v", got, ok)
	}
	for cut := range c.encode() {
		if _, ok := decodeClaim(7, c.encode()[:cut]); ok {
			t.Errorf("%d bytes are a claim", cut)
		}
	}
	h, node, ok := parseClaimName(claimKey("default", hashOf("x"), 7).Name)
	if !ok || h != hashOf("x") || node != 7 {
		t.Errorf("%q %v %v", h, node, ok)
	}
}

func FuzzDecodeClaim(f *testing.F) {
	f.Add((&claim{at: 1, event: UsageEvent{Agent: "a", Model: "m"}}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, ok := decodeClaim(1, b)
		if !ok {
			return
		}
		if again, ok := decodeClaim(1, c.encode()); !ok || again != c {
			t.Fatalf("%x is %+v, then %+v", b, c, again)
		}
	})
}
