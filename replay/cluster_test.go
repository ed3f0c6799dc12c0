package replay

import (
	"testing"
	"time"
)

func TestNodes(t *testing.T) {
	type sc struct {
		name  string
		l     *Load
		g     float64
		delay time.Duration
	}
	var all []sc
	add := func(name string, w World, g float64) {
		w.Rate, w.Seed = 1000, 1
		l, err := w.Generate()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, sc{name, l, g, 50 * time.Millisecond})
	}
	add("surge all 28", World{Name: "surge"}, 2800)
	add("surge few 28", World{Name: "surge", Few: true}, 2800)
	add("surge few 32", World{Name: "surge", Few: true}, 3200)
	add("pulses few 24", World{Name: "pulses", Few: true}, 2400)
	m := load(t, msmall)
	m.Seconds = m.Seconds[:1800]
	all = append(all, sc{"msmall q97", m, m.Quantile(.97), 0})
	all = append(all, sc{"msmall tight", m, m.Mean() * 1.02, 0})
	c := load(t, conv).ByChance(20, 1)
	all = append(all, sc{"conv split", c, c.Quantile(.97), 0})
	d := load(t, code).ByChance(20, 1)
	all = append(all, sc{"code split", d, d.Quantile(.97), 0})
	var sum [4]float64
	for _, s := range all {
		for i, o := range []Options{{}, {Nodes: 5}, {Nodes: 5, Parts: PartsEqual}, {Nodes: 5, Placement: Spread}} {
			o.Capacity, o.MaxDelay, o.Seed = s.g, s.delay, 3
			show(t, s.name+" "+o.Parts+o.Placement, s.l, o)
			r, _ := Run(s.l, o)
			sum[i] += 100 * r.ThrottleRate / float64(len(all))
		}
	}
	t.Log(sum)
}
