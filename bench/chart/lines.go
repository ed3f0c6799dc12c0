package chart

import (
	"fmt"
	"math"
	"strings"
)

// Lines draws one or more series over a common axis.
type Lines struct {
	Title, Subtitle string
	X, Y            string // what the axes show
	Log             bool   // the vertical axis; values must then be positive
	Ticks           []Tick // of the horizontal axis; empty = round values
	Series          []Series
}

// Tick is a mark on the horizontal axis.
type Tick struct {
	At    float64
	Label string
}

// Series is one line. Its points go from left to right.
type Series struct {
	Label string
	X, Y  []float64
}

const (
	plotLeft, plotRight = 70, 30
	plotTop, plotHeight = 98, 280
)

// SVG draws the lines.
func (l Lines) SVG() string {
	c := newCanvas(plotTop+plotHeight+60, l.Title, l.Subtitle)
	x, y := l.horizontal(c), l.vertical(c)
	at := 16.0
	for i, s := range l.Series {
		c.line(at, 64, at+18, 64, colour(i), 3)
		c.text(at+24, 68, "start", 12, ink, "normal", s.Label)
		at += 40 + 7*float64(len(s.Label))
		var points strings.Builder
		for k := range s.X {
			fmt.Fprintf(&points, "%s,%s ", num(x(s.X[k])), num(y(s.Y[k])))
		}
		fmt.Fprintf(c, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.TrimSpace(points.String()), colour(i))
	}
	return c.done()
}

// bounds are the least and the greatest of what pick chooses.
func (l Lines) bounds(pick func(Series) []float64) (least, greatest float64) {
	least, greatest = math.Inf(1), math.Inf(-1)
	for _, s := range l.Series {
		for _, v := range pick(s) {
			least, greatest = min(least, v), max(greatest, v)
		}
	}
	if math.IsInf(least, 1) {
		return 0, 1
	}
	return least, greatest
}

func (l Lines) horizontal(c *canvas) func(float64) float64 {
	_, end := l.bounds(func(s Series) []float64 { return s.X })
	marks := l.Ticks
	if len(marks) == 0 {
		for _, v := range ticks(end, 8) {
			marks = append(marks, Tick{v, short(v)})
		}
		end = marks[len(marks)-1].At
	}
	start := 0.0
	if len(l.Ticks) > 0 {
		start, end = marks[0].At, marks[len(marks)-1].At
	}
	at := func(v float64) float64 { return plotLeft + (v-start)/(end-start)*(width-plotLeft-plotRight) }
	for _, m := range marks {
		c.line(at(m.At), plotTop, at(m.At), plotTop+plotHeight, faint, 1)
		c.text(at(m.At), plotTop+plotHeight+16, "middle", 11, second, "normal", m.Label)
	}
	c.text((plotLeft+width-plotRight)/2, plotTop+plotHeight+40, "middle", 12, second, "normal", l.X)
	return at
}

func (l Lines) vertical(c *canvas) func(float64) float64 {
	least, greatest := l.bounds(func(s Series) []float64 { return s.Y })
	mark := func(y float64, text string) {
		c.line(plotLeft, y, width-plotRight, y, faint, 1)
		c.text(plotLeft-8, y+4, "end", 11, second, "normal", text)
	}
	c.text(16, plotTop-6, "start", 12, second, "normal", l.Y)
	if !l.Log {
		marks := ticks(greatest, 6)
		at := func(v float64) float64 { return plotTop + plotHeight*(1-v/marks[len(marks)-1]) }
		for _, m := range marks {
			mark(at(m), short(m))
		}
		return at
	}
	low, high := math.Floor(math.Log10(least)), math.Ceil(math.Log10(greatest))
	if high == low {
		high++
	}
	at := func(v float64) float64 { return plotTop + plotHeight*(1-(math.Log10(v)-low)/(high-low)) }
	for e := low; e <= high; e++ {
		mark(at(math.Pow(10, e)), short(math.Pow(10, e)))
	}
	return at
}
