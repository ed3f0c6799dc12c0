package main

import (
	"testing"
	"time"
)

// soakOf makes samples of a resident memory that goes from one value to another.
func soakOf(from, to float64) []*soakSample {
	var samples []*soakSample
	for i := range 60 {
		samples = append(samples, &soakSample{at: time.Duration(i) * time.Second, loaded: nodeSample{rss: (from + (to-from)*float64(i)/59) * 1e6}})
	}
	return samples
}

func TestGrowthIsSeen(t *testing.T) {
	w := everythingWatched[0]
	for _, row := range []struct {
		from, to float64
		flat     bool
	}{{200, 200, true}, {200, 210, true}, {200, 300, false}, {300, 200, true}, {10, 25, true}, {10, 90, false}} {
		first, last := w.thirds(soakOf(row.from, row.to))
		if flat := last <= first*(1+w.share)+w.allowance; flat != row.flat {
			t.Errorf("from %v to %v: first %v, last %v, flat %v", row.from, row.to, first, last, flat)
		}
	}
}

func TestASoakThatWasNotFlatIsAnError(t *testing.T) {
	s := section{Goals: []goal{{"memory", "≤ 1", "1", true}}}
	if err := s.steady(); err != nil {
		t.Error(err)
	}
	s.Goals = append(s.Goals, goal{"disk", "≤ 1", "2", false})
	if err := s.steady(); err == nil {
		t.Error("accepted")
	}
}

func TestTheSizeOfADirectory(t *testing.T) {
	if n, err := sizeOf("../wrk"); err != nil || n < 1000 {
		t.Error(n, err)
	}
	if n, err := sizeOf(t.TempDir()); err != nil || n != 0 {
		t.Error(n, err)
	}
}
