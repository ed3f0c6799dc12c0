package replay

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// World makes a load.
type World struct {
	Name string
	// Rate is the calm rate of all agents together; default 10 000 a second.
	Rate float64
	// Seconds is the length; default 300.
	Seconds int
	// Agents is how many there are, their rates by Zipf's law; default 50.
	Agents int
	// Few lets the ten largest of the middle carry a surge, not all.
	Few  bool
	Seed uint64
}

// shape is the demand of one agent, as a multiple of its mean, at a time in the
// range 0..1 of the world.
type shape func(w *World, agent int, at float64) float64

var worlds = map[string]shape{
	"steady": func(*World, int, float64) float64 { return 1 },
	"surge":  surge,
	"pulses": pulses,
	"burst":  burstShape,
	"daily": func(w *World, agent int, at float64) float64 {
		return 1 + 0.8*math.Sin(2*math.Pi*(2*at-0.02*float64(agent%8)))
	},
	"stop": func(w *World, agent int, at float64) float64 {
		if at > 0.4 && at < 0.7 && agent%2 == 0 {
			return 0
		}
		return 1
	},
	"flash": func(w *World, agent int, at float64) float64 {
		if at >= 0.5 && at < 0.6 && agent == w.Agents-1 {
			return 2 * harmonic(w.Agents) * float64(w.Agents) // one small agent asks for twice what all do
		}
		return 1
	},
	"adversary": func(w *World, agent int, at float64) float64 {
		// The smallest agent asks for five times the calm demand, except when it rests
		// for its forecasts to fall.
		if agent == w.Agents-1 && int(at*float64(w.Seconds))%60 < 45 {
			return 5 * harmonic(w.Agents) * float64(w.Agents)
		}
		return 1
	},
}

// Worlds lists the names of the generated worlds.
func Worlds() []string { return sortedKeys(worlds) }

// Generate makes the load of a world. Counts of a second are Poisson around the
// shape; equal seeds make equal loads.
func (w World) Generate() (*Load, error) {
	f := worlds[w.Name]
	if f == nil {
		return nil, fmt.Errorf("%w: there is no world %q; there are %s", ErrOptions, w.Name, strings.Join(Worlds(), ", "))
	}
	def(&w.Rate, 10_000)
	def(&w.Seconds, 300)
	def(&w.Agents, 50)
	if !(w.Rate > 0 && w.Rate <= maxPerSecond/10) || w.Seconds < 10 || w.Seconds > maxSeconds || w.Agents < 1 || w.Agents > 10_000 {
		return nil, fmt.Errorf("%w: a world needs a rate, at least 10 seconds and 1 to 10000 agents", ErrOptions)
	}
	chance := rand.New(rand.NewPCG(w.Seed, 3))
	l := &Load{Name: w.Name, Seconds: make([][]Demand, w.Seconds)}
	mean := make([]float64, w.Agents)
	for i := range mean {
		mean[i] = w.Rate / harmonic(w.Agents) / float64(i+1)
		// By contract an agent has what it usually asks for.
		l.Agents = append(l.Agents, Agent{Name: fmt.Sprintf("agent-%02d", i), Weight: mean[i]})
	}
	for sec := range l.Seconds {
		at := (float64(sec) + 0.5) / float64(w.Seconds)
		for i := range mean {
			if n := poisson(chance, mean[i]*f(&w, i, at)); n > 0 {
				l.Seconds[sec] = append(l.Seconds[sec], Demand{Agent: int32(i), Requests: int32(n)})
			}
		}
	}
	return l, nil
}

// surge is the seed's experiment: from rate to three times rate for a tenth of
// the time, with flanks.
func surge(w *World, agent int, at float64) float64 {
	return w.carried(agent, 2*trapezoid(at, 0.4, 0.5, 4.0/300))
}

// pulses are five short surges.
func pulses(w *World, agent int, at float64) float64 {
	up := 0.0
	for k := range 5 {
		from := 0.1 + 0.18*float64(k)
		up = max(up, trapezoid(at, from, from+0.03, 1.0/300))
	}
	return w.carried(agent, 2*up)
}

// carried is a rise of the sum by up times the calm rate, carried by all agents
// or by ten of them.
func (w *World) carried(agent int, up float64) float64 {
	if !w.Few {
		return 1 + up
	}
	first := min(5, w.Agents-1)
	last := min(first+10, w.Agents)
	if agent < first || agent >= last {
		return 1
	}
	part := 0.0
	for i := first; i < last; i++ {
		part += 1 / float64(i+1)
	}
	return 1 + up*harmonic(w.Agents)/part
}

// burstShape gives each agent bursts of its own, some seconds each.
func burstShape(w *World, agent int, at float64) float64 {
	period := 0.05 + 0.013*float64(agent%11)
	phase := math.Mod(at+0.37*float64(agent), period) / period
	if phase < 0.15 {
		return 4
	}
	return 0.5
}

// trapezoid is 0, rises to 1 at from within flank, and is back at 0 after to.
func trapezoid(at, from, to, flank float64) float64 {
	return math.Min(math.Max(math.Min((at-from)/flank+1, (to-at)/flank+1), 0), 1)
}

func harmonic(n int) (h float64) {
	for i := range n {
		h += 1 / float64(i+1)
	}
	return h
}

// poisson draws from a Poisson distribution; beyond 50 by its normal limit.
func poisson(r *rand.Rand, mean float64) int {
	if mean > 50 {
		return max(int(math.Round(mean+math.Sqrt(mean)*r.NormFloat64())), 0)
	}
	n, p, least := 0, 1.0, math.Exp(-mean)
	for {
		if p *= r.Float64(); p <= least {
			return n
		}
		n++
	}
}

// ByChance deals the requests of a load without ids to n agents of very unequal
// size, so that it can be placed on nodes.
func (l *Load) ByChance(n int, seed uint64) *Load {
	chance := rand.New(rand.NewPCG(seed, 5))
	dealt := &Load{Name: l.Name, Seconds: make([][]Demand, len(l.Seconds))}
	edges := make([]float64, n)
	sum := 0.0
	for i := range edges {
		dealt.Agents = append(dealt.Agents, Agent{Name: fmt.Sprintf("agent-%02d", i), Weight: 1})
		sum += 1 / float64(i+1) / harmonic(n)
		edges[i] = sum
	}
	got := make([]int32, n)
	for sec, demands := range l.Seconds {
		clear(got)
		for range count(demands) {
			i, _ := slices.BinarySearch(edges, chance.Float64())
			got[min(i, n-1)]++
		}
		for i, k := range got {
			if k > 0 {
				dealt.Seconds[sec] = append(dealt.Seconds[sec], Demand{Agent: int32(i), Requests: k})
			}
		}
	}
	return dealt
}
