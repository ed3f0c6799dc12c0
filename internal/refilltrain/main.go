// Command refilltrain trains the prior of the refill model from traces: the
// first weights of the experts, from how far each is off in the mean, and the
// coefficients the regressions start with, by ridge regression. Usage:
//
//	go run ./internal/refilltrain [-o mlrefill/prior.json] TRACE...
package main

import (
	"flag"
	"fmt"
	"math"
	"os"

	"github.com/openclaw/clawd/internal/trace"
	"github.com/openclaw/clawd/mlrefill"
)

const (
	second  = 1_000_000_000
	window  = mlrefill.WindowSeconds
	warmup  = 4 * window
	experts = 6
	width   = 8
	minimum = 500 // requests of a series worth learning from
)

func main() {
	out := flag.String("o", "mlrefill/prior.json", "file to write")
	flag.Parse()
	if err := run(*out, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "refilltrain: %v\n", err)
		os.Exit(1)
	}
}

func run(out string, files []string) error {
	if len(files) == 0 {
		return fmt.Errorf("name at least one trace")
	}
	quick, slow := newFit(), newFit()
	for _, name := range files {
		t, err := trace.Open(name)
		if err != nil {
			return err
		}
		for _, s := range series(t) {
			learn(s, quick, slow)
		}
	}
	p := mlrefill.Prior{
		Quick: quick.weights(), Slow: slow.weights(),
		QuickRLS: quick.coefficients(), SlowRLS: slow.coefficients(),
	}
	sealed := p.Seal()
	if _, err := mlrefill.ParsePrior(sealed); err != nil {
		return err
	}
	fmt.Printf("learned from %d series\n  weights of a second  %.3f\n  weights of a window  %.3f\n", quick.series, p.Quick, p.Slow)
	return os.WriteFile(out, sealed, 0o644)
}

// series takes the agents of a trace, and their sum, as requests by second.
func series(t *trace.Trace) (all [][]float64) {
	if len(t.Points) == 0 {
		return nil
	}
	first, last := t.Points[0].Second, t.Points[len(t.Points)-1].Second
	index := make(map[string]int)
	total := make([]float64, last-first+1)
	for _, p := range t.Points {
		i, ok := index[p.ID]
		if !ok {
			i = len(all)
			index[p.ID] = i
			all = append(all, make([]float64, last-first+1))
		}
		all[i][p.Second-first] += float64(p.Requests)
		total[p.Second-first] += float64(p.Requests)
	}
	if len(all) > 1 {
		all = append(all, total)
	}
	return all
}

// fit gathers both halves of a prior at one horizon.
type fit struct {
	series int
	logs   [experts]float64 // of each expert's error over the best's
	xx     [width][width]float64
	xy     [width]float64
}

func newFit() *fit {
	f := &fit{}
	for i := range f.xx {
		f.xx[i][i] = ridge
	}
	return f
}

// ridge draws the coefficients towards zero, in rows of which each series
// counts as one.
const ridge = 0.003

// sharpness is how strongly the weights follow the errors.
const sharpness = 4

// one is what one series adds.
type one struct {
	sq [experts]float64
	xx [width][width]float64
	xy [width]float64
	n  float64
}

func (o *one) row(ex *[experts]float64, x *[width]float64, unit, y float64) {
	for i, v := range ex {
		o.sq[i] += (v - y) * (v - y)
	}
	if unit == 0 {
		return
	}
	for i := range x {
		for j := range x {
			o.xx[i][j] += x[i] * x[j]
		}
		o.xy[i] += x[i] * y / unit
	}
	o.n++
}

// add counts a series, whatever its length and rate, as one.
func (f *fit) add(o *one) {
	best := math.Inf(1)
	for _, v := range o.sq {
		best = min(best, v)
	}
	if o.n == 0 || best <= 0 {
		return
	}
	for i, v := range o.sq {
		f.logs[i] += math.Log(v / best)
	}
	for i := range o.xx {
		for j := range o.xx {
			f.xx[i][j] += o.xx[i][j] / o.n
		}
		f.xy[i] += o.xy[i] / o.n
	}
	f.series++
}

func (f *fit) weights() (w [experts]float64) {
	total := 0.0
	for i, v := range f.logs {
		w[i] = math.Exp(-sharpness * v / float64(max(f.series, 1)))
		total += w[i]
	}
	for i := range w {
		w[i] = math.Round(w[i]/total*1e4) / 1e4
	}
	return w
}

// coefficients solves the normal equations by Gauss' elimination.
func (f *fit) coefficients() (c [width]float64) {
	a, b := f.xx, f.xy
	for i := range a {
		for j := i + 1; j < width; j++ {
			k := a[j][i] / a[i][i]
			for l := i; l < width; l++ {
				a[j][l] -= k * a[i][l]
			}
			b[j] -= k * b[i]
		}
	}
	for i := width - 1; i >= 0; i-- {
		c[i] = b[i]
		for j := i + 1; j < width; j++ {
			c[i] -= a[i][j] * c[j]
		}
		c[i] /= a[i][i]
	}
	for i := range c {
		c[i] = math.Round(c[i]*1e4) / 1e4
	}
	return c
}

func learn(y []float64, quick, slow *fit) {
	total := 0.0
	for _, v := range y {
		total += v
	}
	if total < minimum {
		return
	}
	m := mlrefill.NewModel(mlrefill.FlatPrior())
	r := mlrefill.NewRecord(m, 0, 0)
	var q, s one
	for sec, v := range y {
		r.Advance(m, int64(sec)*second)
		if sec >= warmup {
			ex := r.Experts()
			x, unit := mlrefill.Features(&ex, y[sec-2])
			q.row(&ex, &x, unit, v)
			if sec%3 == 0 && sec+window <= len(y) { // overlapping windows: they are few
				s.row(&ex, &x, unit, mean(y[sec:sec+window]))
			}
		}
		r.Observe(m, int64(sec)*second, v)
	}
	quick.add(&q)
	slow.add(&s)
}

func mean(y []float64) (m float64) {
	for _, v := range y {
		m += v / float64(len(y))
	}
	return m
}
