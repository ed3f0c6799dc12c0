package replay

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A replay is the same bit for bit when played again.
func TestSameSeedSameResult(t *testing.T) {
	l := generated(t, World{Name: "burst", Seconds: 60})
	for _, p := range Policies {
		o := Options{Capacity: 900, Policy: p, Nodes: 3, Placement: Spread, Seed: 5}
		if a, b := played(t, l, o), played(t, l, o); a != b {
			t.Errorf("%s: %+v and then %+v", p, a, b)
		}
	}
}

// slowIdeal admits requests whole, in order, while the backlog allows it, one by
// one with nothing but the formula.
func slowIdeal(l *Load, capacity, delay float64) (admitted int64) {
	backlog, last := 0.0, 0.0
	for sec, demands := range l.Seconds {
		n := count(demands)
		for j := range n {
			now := float64(sec) + float64(j)/float64(n)
			backlog = max(backlog-capacity*(now-last), 0)
			last = now
			if backlog <= capacity*delay {
				backlog++
				admitted++
			}
		}
	}
	return admitted
}

func TestIdealAgainstTheFormula(t *testing.T) {
	for _, l := range []*Load{conv(t), generated(t, World{Name: "pulses", Seconds: 60})} {
		g := l.Mean() * 1.1
		r := played(t, l, Options{Capacity: g, Policy: Ideal})
		if want := slowIdeal(l, g, 0.5); math.Abs(float64(r.Admitted-want)) > 1+1e-4*float64(want) {
			t.Errorf("%s: %d admitted, want %d", l.Name, r.Admitted, want)
		}
	}
}

func drawnLoad(t *rapid.T) *Load {
	l := &Load{Name: "drawn", Seconds: make([][]Demand, rapid.IntRange(5, 40).Draw(t, "seconds"))}
	for range rapid.IntRange(1, 6).Draw(t, "agents") {
		l.Agents = append(l.Agents, Agent{Weight: rapid.Float64Range(0.1, 10).Draw(t, "weight"), MaxRate: float64(rapid.IntRange(0, 40).Draw(t, "max"))})
	}
	for sec := range l.Seconds {
		for i := range l.Agents {
			if n := rapid.IntRange(0, 80).Draw(t, "n"); n > 20 {
				l.Seconds[sec] = append(l.Seconds[sec], Demand{int32(i), int32(n)})
			}
		}
	}
	return l
}

// With a capacity that is right the queue is never longer than allowed by more
// than a tick, whatever is offered; and nobody is ever above its maximum.
func TestNeverAboveCapacityNorMaximum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawnLoad(t)
		o := Options{
			Capacity: float64(rapid.IntRange(20, 200).Draw(t, "capacity")), MaxDelay: time.Duration(rapid.IntRange(50, 1000).Draw(t, "delay")) * time.Millisecond,
			Fault: rapid.SampledFrom(append(Faults(), "")).Draw(t, "fault"), Seed: rapid.Uint64().Draw(t, "seed"),
		}.withDefaults()
		e := &engine{load: l, opts: &o, down: newDownstream(&o), account: newAccount(l, &o)}
		lim, breakIt := newLimiter(l, &o, e.down)
		w := &watching{limiter: lim, admitted: make([][]int64, len(l.Agents))}
		e.limiter = w
		e.play(breakIt)
		r := e.account.result(e.down, ForecastScore{})
		// A pool of a few requests lets one of them wait beyond the delay.
		if slack := 1 / o.Capacity; slack < Tick.Seconds()/2 && r.OverloadShare > 0 {
			t.Fatalf("overload %v", r.OverloadShare)
		}
		for i, a := range l.Agents {
			if a.MaxRate == 0 {
				continue
			}
			for k, at := range w.admitted[i] {
				for n, other := range w.admitted[i][k:] {
					most := a.MaxRate*(float64(other-at)/second) + max(1, a.MaxRate*Tick.Seconds()) + 1e-6
					if float64(n+1) > most+1 {
						t.Fatalf("%d requests in %v, the maximum is %v a second", n+1, time.Duration(other-at), a.MaxRate)
					}
				}
			}
		}
	})
}

type watching struct {
	limiter
	admitted [][]int64
}

func (w *watching) admit(node int, agent int32, now int64) bool {
	ok := w.limiter.admit(node, agent, now)
	if ok {
		w.admitted[agent] = append(w.admitted[agent], now)
	}
	return ok
}

// Scripts read these names.
func TestJSON(t *testing.T) {
	b, err := json.Marshal(Result{Offered: 4, Admitted: 3, Throttled: 1, ThrottleRate: 0.25, P99: 80})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"offered":4,"admitted":3,"throttled":1,"throttle_rate":0.25,"overload_share":0,"p99_ms":80,` +
		`"protected_throttled_rate":0,"forecast_rrmse_1s":0,"forecast_rrmse_30s":0,"p95_coverage":0}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	l := generated(t, World{Name: "steady", Seconds: 10})
	for name, o := range map[string]Options{
		"capacity":  {},
		"NaN":       {Capacity: math.NaN()},
		"believed":  {Capacity: 1, Believed: -1},
		"delay":     {Capacity: 1, MaxDelay: time.Hour},
		"policy":    {Capacity: 1, Policy: "magic"},
		"nodes":     {Capacity: 1, Nodes: -1},
		"merge":     {Capacity: 1, MergeInterval: 30 * time.Millisecond},
		"placement": {Capacity: 1, Placement: "x"},
		"parts":     {Capacity: 1, Parts: "x"},
		"fault":     {Capacity: 1, Fault: "x"},
		"brown-out": {Capacity: 1, Brownouts: []Brownout{{5, 4, 0.5}}},
	} {
		if _, err := Run(l, o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Run(&Load{}, Options{Capacity: 1}); !errors.Is(err, ErrLoad) {
		t.Errorf("an empty load: %v", err)
	}
	if _, err := (World{Name: "x"}).Generate(); !errors.Is(err, ErrOptions) {
		t.Errorf("no such world: %v", err)
	}
}

func TestDownstream(t *testing.T) {
	d := newDownstream(&Options{Capacity: 100, MaxDelay: 50 * time.Millisecond, Brownouts: []Brownout{{1, 2, 0.5}}})
	at := func(s float64) int64 { return int64(s * second) }
	for range 10 {
		d.serve(at(0.5))
	}
	if w := d.wait(); math.Abs(w-0.1) > 1e-9 {
		t.Errorf("wait %v behind 10 at 100 a second", w)
	}
	d.advance(at(0.55))
	if math.Abs(d.backlog-5) > 1e-9 {
		t.Errorf("backlog %v", d.backlog)
	}
	d.advance(at(0.95))
	for range 10 {
		d.serve(at(0.95)) // five are done before the brown-out, five at half the speed
	}
	if w := d.wait(); math.Abs(w-0.15) > 1e-9 {
		t.Errorf("wait %v into the brown-out, want 0.15", w)
	}
	for range 300 {
		d.serve(at(0.95))
	}
	if d.errors == 0 {
		t.Error("a queue of three seconds refuses nobody")
	}
}
