package mlrefill

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawn is a number as models and callers may give it, garbage included.
func drawn(t *rapid.T, what string) float64 {
	if rapid.IntRange(0, 9).Draw(t, what+" kind") == 0 {
		return rapid.SampledFrom([]float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1), 1e300, 1e-300}).Draw(t, what)
	}
	return rapid.Float64Range(0, 1000).Draw(t, what)
}

func drawnClaim(t *rapid.T) Claim {
	return Claim{
		Forecast: drawn(t, "forecast"), Bound: drawn(t, "bound"), Weight: drawn(t, "weight"),
		Guarantee: drawn(t, "guarantee"), Max: drawn(t, "max"), Static: drawn(t, "static"),
		Trust: rapid.SampledFrom([]float64{0, 0.4, 1, -1, math.NaN()}).Draw(t, "trust"), Rate: drawn(t, "rate"),
	}
}

// The sum never exceeds the capacity, nobody is above its maximum, and everybody
// has its guarantee as long as the guarantees fit.
func TestPlanKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := drawn(t, "capacity")
		claims := make([]Claim, rapid.IntRange(0, 12).Draw(t, "n"))
		for i := range claims {
			claims[i] = drawnClaim(t)
		}
		before := slices.Clone(claims)
		var p Planner
		p.Plan(capacity, claims)
		if !sane(capacity) {
			capacity = 0
		}
		sum, guaranteed := 0.0, 0.0
		for i := range claims {
			r := claims[i].Rate
			if !(r >= 0) || math.IsInf(r, 0) {
				t.Fatalf("rate %v", r)
			}
			if most := before[i].Max; sane(most) && most > 0 && r > most {
				t.Fatalf("rate %v above the maximum %v", r, most)
			}
			sum += r
			guaranteed += claims[i].Guarantee
		}
		if sum > capacity {
			t.Fatalf("the rates sum to %v of %v", sum, capacity)
		}
		for i := range claims {
			if guaranteed <= capacity && claims[i].Rate < claims[i].Guarantee*(1-1e-9) {
				t.Fatalf("rate %v below the guarantee %v", claims[i].Rate, claims[i].Guarantee)
			}
		}
	})
}

// A forecast raises nobody's entitlement: whatever one claim foretells, the
// others keep their guarantees, and so does it.
func TestForecastsRaiseNoEntitlement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 8).Draw(t, "n")
		claims := make([]Claim, n)
		capacity := 0.0
		for i := range claims {
			g := rapid.Float64Range(0.1, 100).Draw(t, "guarantee")
			claims[i] = Claim{
				Guarantee: g, Static: g, Weight: g, Trust: 1,
				Forecast: rapid.Float64Range(0, 200).Draw(t, "forecast"), Bound: rapid.Float64Range(0, 400).Draw(t, "bound"),
			}
			capacity += g
		}
		claims[0].Forecast, claims[0].Bound = 1e12, 1e13
		var p Planner
		p.Plan(capacity, claims)
		for i := range claims {
			if claims[i].Rate < claims[i].Guarantee*(1-1e-9) || claims[i].Rate > claims[i].Guarantee*(1+1e-9) {
				t.Fatalf("claim %d has %v, its contract says %v and there is no spare", i, claims[i].Rate, claims[i].Guarantee)
			}
		}
	})
}

func TestPlanOfKnownCases(t *testing.T) {
	for _, c := range []struct {
		name     string
		capacity float64
		claims   []Claim
		want     []float64
	}{
		{"nobody", 10, nil, nil},
		{"one takes all", 10, []Claim{{Forecast: 1, Bound: 2, Weight: 1, Trust: 1}}, []float64{10}},
		{
			"means before headroom", 10,
			[]Claim{{Forecast: 2, Bound: 20, Weight: 1, Trust: 1}, {Forecast: 7, Bound: 7, Weight: 1, Trust: 1}},
			[]float64{3, 7},
		},
		{
			"too much is cut max-min", 10,
			[]Claim{{Forecast: 2, Bound: 2, Weight: 1, Trust: 1}, {Forecast: 20, Bound: 20, Weight: 1, Trust: 1}, {Forecast: 6, Bound: 6, Weight: 1, Trust: 1}},
			[]float64{2, 4, 4},
		},
		{
			"not trusted: static", 10,
			[]Claim{{Forecast: 9, Bound: 9, Weight: 1, Static: 3}, {Forecast: 1, Bound: 1, Weight: 1, Static: 2}},
			[]float64{3, 2},
		},
		{
			"slewed", 10,
			[]Claim{{Forecast: 9, Bound: 9, Weight: 1, Trust: 1, Rate: 1}, {Trust: 1, Rate: 3}},
			[]float64{2, 2},
		},
		{
			"guarantees that do not fit", 6,
			[]Claim{{Guarantee: 8, Weight: 1, Trust: 1}, {Guarantee: 4, Weight: 1, Trust: 1}},
			[]float64{4, 2},
		},
	} {
		var p Planner
		p.Plan(c.capacity, c.claims)
		for i, w := range c.want {
			if math.Abs(c.claims[i].Rate-w) > 1e-6 {
				t.Errorf("%s: claim %d has %v, want %v", c.name, i, c.claims[i].Rate, w)
			}
		}
	}
}

// Without a pool an agent has never less than without a model.
func TestAloneIsNeverWorseThanStatic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawnClaim(t)
		c.Static = rapid.Float64Range(0, 100).Draw(t, "static")
		c.Max = rapid.Float64Range(c.Static+1, 500).Draw(t, "max")
		c.Guarantee = 0
		if r := c.Alone(); !(r >= c.Static && r <= c.Max) {
			t.Fatalf("rate %v outside of %v..%v", r, c.Static, c.Max)
		}
	})
}

// slowWaterfill raises the level of all by little steps of weight.
func slowWaterfill(capacity float64, want, weight []float64) []float64 {
	low, high := 0.0, 1e9
	at := func(level float64) (share []float64, sum float64) {
		for i := range want {
			s := min(max(want[i], 0), level*weight[i])
			share = append(share, s)
			sum += s
		}
		return share, sum
	}
	for range 200 {
		mid := (low + high) / 2
		if _, sum := at(mid); sum > capacity {
			high = mid
		} else {
			low = mid
		}
	}
	share, _ := at(low)
	return share
}

func TestWaterfillAgainstBisection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 10).Draw(t, "n")
		want, weight := make([]float64, n), make([]float64, n)
		for i := range want {
			want[i] = rapid.Float64Range(0, 100).Draw(t, "want")
			weight[i] = rapid.Float64Range(0.1, 10).Draw(t, "weight")
		}
		capacity := rapid.Float64Range(0, 500).Draw(t, "capacity")
		share := make([]float64, n)
		Waterfill(capacity, want, weight, share, nil)
		for i, s := range slowWaterfill(capacity, want, weight) {
			if math.Abs(share[i]-s) > 1e-5 {
				t.Fatalf("share %d is %v, want %v", i, share[i], s)
			}
		}
	})
}

func TestLenderLeavesRoomForARequest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0, 1e5).Draw(t, "rate")
		delay := rapid.Float64Range(0.001, 10).Draw(t, "delay")
		use := rapid.SampledFrom([]Use{Lone, Shared, Contended}).Draw(t, "use")
		l := NewLender(rate, delay, 1, use)
		if l.Floor(Guaranteed) != 0 || l.Floor(Planned) > l.Floor(Borrowed) {
			t.Fatalf("%+v", l)
		}
		if l.Floor(Borrowed)+1 > l.Depth*(1+1e-9) {
			t.Fatalf("%+v: nobody can ever borrow", l)
		}
		if most := rate*(delay+tickSeconds) + 1; l.Depth > most {
			t.Fatalf("%+v: more than a tick beyond the delay may wait, %v", l, most)
		}
	})
}

func BenchmarkPlan(b *testing.B) {
	claims := make([]Claim, 10_000)
	for i := range claims {
		claims[i] = Claim{Forecast: float64(i % 97), Bound: float64(i%97) + 5, Weight: 1 + float64(i%3), Trust: 1}
	}
	var p Planner
	b.ReportAllocs()
	for b.Loop() {
		p.Plan(300_000, claims)
	}
}
