package refill

import (
	"bytes"
	"math"
	"testing"
	"unsafe"

	"github.com/openclaw/clawd/mlrefill"
	"github.com/openclaw/clawd/ratelimit"
)

// rig is one controller with buckets, as a replica drives it.
type rig struct {
	t      *testing.T
	now    int64
	c      *Controller
	agents map[string]*boundAgent
}

func newRig(t *testing.T, self uint64) *rig {
	return &rig{t: t, now: second, c: New(Options{Self: self, Seed: 3}), agents: make(map[string]*boundAgent)}
}

func (r *rig) pool(p ratelimit.Pool) *Pool {
	r.t.Helper()
	if err := p.Validate(); err != nil {
		r.t.Fatal(err)
	}
	r.c.SetPool(r.now, "t", p.Name, &p)
	if w, ok := r.c.Begin("t", p.Name); ok {
		b, err := ParseBeginning(w.Value)
		if err != nil {
			r.t.Fatal(err)
		}
		r.c.SetLedger(r.now, "t", p.Name, 1, b)
	}
	return r.c.Pool("t", p.Name)
}

func (r *rig) agent(name string, p ratelimit.Policy) *boundAgent {
	r.t.Helper()
	if b := r.agents[name]; b != nil {
		return b
	}
	if err := p.Validate(); err != nil {
		r.t.Fatal(err)
	}
	b := &boundAgent{a: r.c.Bind(nil, "t\x00"+name, &ratelimit.Compiled{Policy: p, Limit: p.Limit(), Adaptive: p.Adaptive()}, r.now, nil)}
	b.bucket = ratelimit.NewBucket(r.now, &b.a.Policy().Limit, nil)
	r.agents[name] = b
	return b
}

func (r *rig) ask(b *boundAgent, n int64) bool {
	if old, since, changed := b.a.Renew(); changed {
		b.bucket.Relimit(min(r.now, since), &old, &b.a.Policy().Limit, nil)
	}
	l := &b.a.Policy().Limit
	ok, _, wait := b.a.Take(r.now, Draw{Tokens: n * ratelimit.Token, Fits: b.bucket.Level(r.now, l, nil) >= n*ratelimit.Token}, nil)
	if ok {
		b.bucket.Admit(r.now, l, nil, n*ratelimit.Token)
	}
	if wait < 0 {
		r.t.Fatalf("a wait of %v", wait)
	}
	return ok
}

// seconds lets time pass: each agent asks for so many tokens a second, one by one
// and evenly. It returns how many each was given.
func (r *rig) seconds(n int, load map[string]int, policy ratelimit.Policy, each func()) map[string]int {
	got := make(map[string]int)
	const ticks = 100
	for range n {
		for tick := range ticks {
			r.now += second / ticks
			for name, perSecond := range load {
				for range (tick+1)*perSecond/ticks - tick*perSecond/ticks {
					if r.ask(r.agent(name, policy), 1) {
						got[name]++
					}
				}
			}
		}
		if each != nil {
			each()
		}
		r.c.Tick(r.now)
	}
	return got
}

func pooled(guarantee int64) ratelimit.Policy {
	return ratelimit.Policy{
		Name: "p", Match: "*", Capacity: 10000, RefillRate: ratelimit.Whole(guarantee), IntervalSeconds: ratelimit.Whole(1), Pool: "pool",
	}
}

func thousand() ratelimit.Pool {
	return ratelimit.Pool{Name: "pool", CapacityPerSecond: ratelimit.Whole(1000)}
}

// What nobody uses is lent out; what is promised is kept; the capacity is never
// exceeded; and asking for more gains nothing but what is spare.
func TestBorrowAndProtect(t *testing.T) {
	r := newRig(t, 1)
	r.pool(thousand())
	if got := r.seconds(20, map[string]int{"a": 900}, pooled(100), nil)["a"]; got < 17_900 {
		t.Errorf("alone in the pool, %d of 18000 were given", got)
	}
	got := r.seconds(20, map[string]int{"a": 3000, "b": 100, "c": 100}, pooled(100), nil)
	if got["b"] < 1990 || got["c"] < 1990 {
		t.Errorf("within their guarantees, %d and %d of 2000 were given beside a greedy one", got["b"], got["c"])
	}
	if sum := got["a"] + got["b"] + got["c"]; sum > 20*1000+600 || sum < 19*1000 {
		t.Errorf("%d tokens were given in 20 s of 1000", sum)
	}
	v := r.c.Pool("t", "pool").View(r.now)
	if v.Totals.Borrowed == 0 || v.Totals.Unavoidable+v.Totals.Avoidable == 0 || v.Plan.Agents != 3 {
		t.Errorf("totals %+v of %d agents", v.Totals, v.Plan.Agents)
	}
	if top := r.c.Pool("t", "pool").Top(2); len(top) != 2 || top[0].Name != "t\x00a" {
		t.Errorf("of the greedy agent most is expected, but the ranking is %v", top)
	}
}

func TestMaxRateBounds(t *testing.T) {
	r := newRig(t, 1)
	r.pool(thousand())
	p := pooled(10)
	p.Capacity, p.MaxRate = 100, ratelimit.Whole(200)
	if got := r.seconds(10, map[string]int{"a": 900}, p, nil)["a"]; got > 10*200+100 || got < 1900 {
		t.Errorf("%d tokens in 10 s at a max_rate of 200", got)
	}
	if v := r.c.Pool("t", "pool").View(r.now); v.Totals.Ceiling == 0 || v.Totals.Unavoidable != 0 {
		t.Errorf("refused by its own bound, but the totals are %+v", v.Totals)
	}
}

// A downstream that slows down lowers the estimate, and it comes back.
func TestFeedbackMovesTheEstimate(t *testing.T) {
	r := newRig(t, 1)
	p := r.pool(thousand())
	load := map[string]int{"a": 800}
	report := func(done, errors, latency float64) func() {
		return func() { p.Report(r.now, Outcome{Requests: done, Errors: errors, LatencySum: done * latency}) }
	}
	r.seconds(10, load, pooled(100), report(800, 0, 0.05))
	if v := p.View(r.now); v.Estimate != 1000 || v.Cuts != 0 {
		t.Fatalf("a healthy downstream is estimated at %v, %d cuts", v.Estimate, v.Cuts)
	}
	r.seconds(5, load, pooled(100), report(300, 0, 3))
	v := p.View(r.now)
	if v.Estimate > 320 || v.Part > 320 || v.Delay < 2.9 {
		t.Errorf("it completes 300 and queues for 3 s, and is estimated at %v", v.Estimate)
	}
	r.seconds(90, load, pooled(100), report(500, 0, 0.05))
	if v := p.View(r.now); v.Estimate < 800 {
		t.Errorf("90 s after it recovered the estimate is %v", v.Estimate)
	}
	if p.Report(r.now, Outcome{Requests: 1, Errors: 2}) || p.Report(r.now, Outcome{Requests: math.NaN()}) {
		t.Error("a report that cannot be was taken in")
	}
}

// Nobody states a capacity: without reports it stays low, with good ones it rises.
func TestUnknownCapacityIsFound(t *testing.T) {
	r := newRig(t, 1)
	p := r.pool(ratelimit.Pool{Name: "pool", HardMax: ratelimit.Whole(1000)})
	load := map[string]int{"a": 600}
	r.seconds(30, load, pooled(10), nil)
	v := p.View(r.now)
	if v.Estimate > 101 || v.Plan.Why != Blind {
		t.Errorf("nobody reports, and the estimate is %v, fallback %v", v.Estimate, v.Plan.Why)
	}
	r.seconds(60, load, pooled(10), func() { p.Report(r.now, Outcome{Requests: 100, LatencySum: 5}) })
	if v := p.View(r.now); v.Estimate < 500 {
		t.Errorf("with good reports the estimate is %v", v.Estimate)
	}
}

// adaptive is a policy without a pool: 10 tokens a second, up to 40.
func adaptive() ratelimit.Policy {
	return ratelimit.Policy{
		Name: "p", Match: "*", Capacity: 20, RefillRate: ratelimit.Whole(10), IntervalSeconds: ratelimit.Whole(1),
		MinRate: ratelimit.Whole(2), MaxRate: ratelimit.Whole(40),
	}
}

// Without a pool the rate follows demand between the policy's bounds, and a broken
// model leaves the policy's rate.
func TestRateWithoutPool(t *testing.T) {
	r := newRig(t, 1)
	r.seconds(300, map[string]int{"a": 30}, adaptive(), nil)
	a := r.agents["a"]
	if rate := a.a.plannedRate(); rate < 25 || rate > 40 {
		t.Errorf("30 a second are asked for, and the rate is %v", rate)
	}
	if s := a.a.Show(r.now); s.Source != SourcePlan || s.Trust.Weight() == 0 {
		t.Errorf("shown as %+v", s)
	}
	a.a.record.Observe(r.c.model, r.now, math.NaN())
	r.seconds(10, map[string]int{"a": 30}, adaptive(), nil)
	if rate := a.a.plannedRate(); rate != 10 {
		t.Errorf("the model is not trusted, and the rate is %v", rate)
	}
	if s := a.a.Show(r.now); s.Source != SourceFallback {
		t.Errorf("shown as from %q", s.Source)
	}
}

func TestClockJumpFallsBack(t *testing.T) {
	r := newRig(t, 1)
	p := r.pool(thousand())
	r.seconds(200, map[string]int{"a": 500}, pooled(100), nil)
	if v := p.View(r.now); !v.Plan.Trusted {
		t.Fatalf("after 200 s the model is not trusted: %v", v.Plan.Why)
	}
	r.now += 3600 * second
	r.c.Tick(r.now)
	v := p.View(r.now)
	if v.Plan.Why != ClockJump || v.Totals.Fallbacks[ClockJump] != 1 || r.c.Ticks().Jumps != 1 {
		t.Errorf("after an hour's jump: %v, counted %d", v.Plan.Why, v.Totals.Fallbacks[ClockJump])
	}
	if got := r.seconds(40, map[string]int{"a": 500}, pooled(100), nil)["a"]; got < 19_000 {
		t.Errorf("during the fallback %d of 20000 were given: borrowing needs no model", got)
	}
}

// The rate of an agent without a pool has one writer; the others clip what it says,
// and have the policy's rate when it falls silent.
func TestOneOwnerDecides(t *testing.T) {
	nodes := []*rig{newRig(t, 1), newRig(t, 2)}
	members := Members{Nodes: []uint64{1, 2}, Ready: []uint64{1, 2}}
	for _, r := range nodes {
		r.c.SetMembers(r.now, members)
	}
	owner := 0
	if rendezvous(members.Ready, "t\x00a") == 2 {
		owner = 1
	}
	other := nodes[1-owner]
	talk := func(heard bool) {
		for tick := range 10 {
			for _, r := range nodes {
				r.now += second / 10
				for range 2 + tick%2 {
					r.ask(r.agent("a", adaptive()), 1)
				}
			}
		}
		for i, r := range nodes {
			for _, w := range r.c.Tick(r.now) {
				if heard && !nodes[1-i].c.HearRates(nodes[1-i].now, w.Name, w.Value) {
					t.Fatalf("not understood: %s", w.Value)
				}
			}
		}
	}
	for range 200 {
		talk(true)
	}
	mine, theirs := nodes[owner].agents["a"].a.plannedRate(), other.agents["a"].a.plannedRate()
	if mine < 30 || mine > 40 || math.Abs(theirs-mine) > 4 {
		t.Errorf("25 a second are asked for on each node: the owner decides %v, the other has %v", mine, theirs)
	}
	if s := other.agents["a"].a.Show(other.now); s.Source != SourceOwner {
		t.Errorf("the other shows %q as the source", s.Source)
	}
	for range 10 {
		talk(false)
	}
	if rate := other.agents["a"].a.plannedRate(); rate != 10 {
		t.Errorf("the owner fell silent, and the rate is %v", rate)
	}
	lie := []byte(`{"epoch":9999,"rates":[{"agent":"dABh","rate":1000000}]}`)
	if !other.c.HearRates(other.now, RatesName(nodes[owner].c.opts.Self), lie) {
		t.Fatal("not understood")
	}
	other.c.Tick(other.now + second)
	if rate := other.agents["a"].a.plannedRate(); rate != 40 {
		t.Errorf("a rate beyond max_rate was clipped to %v", rate)
	}
	for _, bad := range []string{`{`, `{"rates":[{"agent":"YQ==","rate":-1}]}`, `{"expect":[{"agent":"YQ==","mean":1,"bound":1,"trust":2}]}`} {
		if other.c.HearRates(other.now, "9", []byte(bad)) {
			t.Errorf("%s was taken in", bad)
		}
	}
}

// What was reported of an agent's own downstream lowers its rate, not below
// min_rate.
func TestAgentFeedback(t *testing.T) {
	r := newRig(t, 1)
	slow := func() {
		r.c.ReportAgent(r.now, r.agents["a"].a, Outcome{Requests: 1, LatencySum: 5})
	}
	r.seconds(3, map[string]int{"a": 10}, adaptive(), func() {
		r.c.ReportAgent(r.now, r.agents["a"].a, Outcome{Requests: 10, LatencySum: 0.5})
	})
	r.seconds(10, map[string]int{"a": 10}, adaptive(), slow)
	if rate := r.agents["a"].a.plannedRate(); rate > 3 || rate < 2 {
		t.Errorf("its downstream completes 1 a second, and the rate is %v", rate)
	}
}

// A tuner that is on changes knobs only among its arms, never lets more wait, and
// shows what it weighs; in shadow it changes nothing.
func TestTunerStaysWithinItsRails(t *testing.T) {
	for _, mode := range []string{ratelimit.TunerShadow, ratelimit.TunerOn} {
		r := newRig(t, 1)
		spec := thousand()
		spec.Tuner = mode
		p := r.pool(spec)
		depth := p.View(r.now).Depth
		got := r.seconds(120, map[string]int{"a": 1500, "b": 90}, pooled(100), func() {
			if v := p.View(r.now); v.Depth > depth*1.2 || v.Part > 1000 {
				t.Fatalf("%s: depth %v of %v, part %v", mode, v.Depth, depth, v.Part)
			}
		})
		v := p.View(r.now).Tuner
		sum := 0.0
		for _, w := range v.Weights {
			sum += w
		}
		if v.On != (mode == ratelimit.TunerOn) || math.Abs(sum-1) > 1e-9 || v.Chosen >= len(v.Arms) {
			t.Errorf("%s: %+v", mode, v)
		}
		if got["b"] < 120*90*98/100 {
			t.Errorf("%s: within its guarantee %d of %d were given", mode, got["b"], 120*90)
		}
		if mode == ratelimit.TunerShadow && p.tuner.arm() != arms[0] {
			t.Error("in shadow it moved a knob")
		}
	}
}

func TestRetriesCountOnce(t *testing.T) {
	r := newRig(t, 1)
	p := r.pool(thousand())
	a := r.agent("a", pooled(10))
	r.now += second // a pool begins empty
	a.a.Take(r.now, Draw{Tokens: ratelimit.Token, Fits: true}, nil)
	a.a.Take(r.now, Draw{Tokens: ratelimit.Token, Fits: true, Retry: true}, nil)
	if v := p.View(r.now); v.Totals.Offered != 1 || v.Totals.Admitted != 2 {
		t.Errorf("a retry counts %v as demand, and %v were admitted", v.Totals.Offered, v.Totals.Admitted)
	}
}

func TestStatementNames(t *testing.T) {
	pool, node, ok := ParseStatementName(StatementName("a/b", 0xbeef))
	if pool != "a/b" || node != 0xbeef || !ok {
		t.Errorf("%q %x %v", pool, node, ok)
	}
	for _, bad := range []string{"", "x", "/1", "a/", "a/0", "a/xyz", "a/11111111111111111"} {
		if _, _, ok := ParseStatementName(bad); ok {
			t.Errorf("%q was understood", bad)
		}
	}
}

// FuzzHear throws bytes at everything that comes from other nodes.
func FuzzHear(f *testing.F) {
	f.Add("pool/2", []byte(`{"node":2,"epoch":1,"chapters":[{"version":1,"founders":[1,2],"given":{"1":{"Units":5,"Tokens":7}}}]}`))
	f.Add("2", []byte(`{"epoch":1,"expect":[{"agent":"dABh","mean":1,"bound":2,"trust":1}],"rates":[{"agent":"dABh","rate":3}]}`))
	f.Add("pool", []byte(`{"founders":[1,2],"first":true}`))
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		c := New(Options{Self: 1})
		spec := thousand()
		c.SetPool(second, "t", "pool", &spec)
		c.SetLedger(second, "t", "pool", 1, Beginning{Founders: []uint64{1, 2}, First: true})
		c.HearStatement(second, "t", name, value, bytes.ContainsRune(value, 'x'))
		c.HearRates(second, name, value)
		if b, err := ParseBeginning(value); err == nil {
			c.SetLedger(second, "t", "pool", 2, b)
		}
		for i := range int64(3) {
			c.Tick((2 + i) * second)
		}
		if v := c.Pool("t", "pool").View(5 * second); !(v.Part >= 0 && v.Part <= 1000) {
			t.Fatalf("the part is %v", v.Part)
		}
	})
}

// The record of an agent is bounded, and nothing is made for agents of static
// policies.
func TestSize(t *testing.T) {
	if n := unsafe.Sizeof(mlrefill.Record{}); n > 128 {
		t.Errorf("a record has %d bytes", n)
	}
	static := ratelimit.Policy{Name: "p", Capacity: 1, RefillRate: 1, IntervalSeconds: 1}
	c := New(Options{Self: 1})
	if a := c.Bind(nil, "t\x00a", &ratelimit.Compiled{Policy: static, Limit: static.Limit()}, 1, nil); a != nil {
		t.Error("a static policy has something beside its bucket")
	}
}
