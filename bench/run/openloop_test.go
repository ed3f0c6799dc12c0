package main

import (
	"strings"
	"testing"
	"time"

	"github.com/openclaw/clawd/bench/load"
)

// sequenceOf is what a server did that answered each of 1000 requests after d, and
// one after longest.
func sequenceOf(name string, d, longest time.Duration) *sequence {
	const n = 1000
	q := &sequence{target: &target{name: name, label: name}, others: []float64{0.01}, sum: load.Result{Due: uint64(n), Answered: uint64(n)}}
	for range n - 1 {
		q.sum.Latency.Add(d)
	}
	q.sum.Latency.Add(longest)
	return q
}

func TestGoalsOfTheOpenLoop(t *testing.T) {
	noop := sequenceOf("fasthttp", time.Millisecond, 2*time.Millisecond)
	for _, row := range []struct {
		clawd *sequence
		met   []bool // p99, longest, everything answered
	}{
		{sequenceOf("clawd", time.Millisecond, 5*time.Millisecond), []bool{true, true, true}},
		{sequenceOf("clawd", 3*time.Millisecond, 7*time.Millisecond), []bool{false, false, true}},
	} {
		lines := []*sequence{noop, row.clawd}
		goals := openLoopGoals("10/s", 2, 3, lines)
		for i, g := range goals {
			if g.Met != row.met[i] {
				t.Errorf("%+v", g)
			}
		}
		if svg := percentilePlot("10/s", lines); strings.Count(svg, "<polyline") != 2 {
			t.Error(svg)
		}
		if cells := row.clawd.cells(); cells[0] != "1000 of 1000" || len(cells) != 8 {
			t.Error(cells)
		}
	}
	lost := sequenceOf("clawd", time.Millisecond, time.Millisecond)
	lost.sum.Lost = 1
	if goals := openLoopGoals("30/s", 2, 0, []*sequence{noop, lost}); len(goals) != 2 || goals[1].Met {
		t.Errorf("a lost answer is not noticed: %+v", goals)
	}
}

func TestWhatAKillForgetsIsDated(t *testing.T) {
	h := history{}
	began := time.Now()
	for i := range 100 { // an answer each 10 ms, then nothing
		h.at, h.n = append(h.at, began.Add(time.Duration(i)*10*time.Millisecond)), append(h.n, uint64(min(i, 80)))
	}
	if got := h.age(70, 80); got != 100*time.Millisecond {
		t.Errorf("what came after the 70th of 80 answers is %v old", got)
	}
	if got := h.age(80, 80); got != 0 {
		t.Errorf("nothing forgotten is %v old", got)
	}
	if got := h.since(100*time.Millisecond, 80); got != 10 {
		t.Errorf("%d answers in the last 100 ms", got)
	}
}
