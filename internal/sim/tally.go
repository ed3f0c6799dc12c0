package sim

import (
	"fmt"
	"io"
)

// Tally is how much happened in a number of schedules: what a speed is worth that
// is given in schedules a minute.
type Tally struct {
	Schedules  uint64
	Operations uint64 // that had an effect: the machine was up, or need not be
	Flushes    uint64
	Pages      uint64 // that arrived at a replica
	Faults     uint64 // of machines, disks, clocks and links
	Struck     uint64 // messages lost, doubled, delayed or damaged
	Machines   uint64
	Shortest   int // operations planned
	Longest    int
}

// Merge adds what another worker has counted.
func (t *Tally) Merge(o *Tally) {
	if o.Schedules == 0 {
		return
	}
	if t.Schedules == 0 || o.Shortest < t.Shortest {
		t.Shortest = o.Shortest
	}
	t.Longest = max(t.Longest, o.Longest)
	t.Schedules += o.Schedules
	t.Operations += o.Operations
	t.Flushes += o.Flushes
	t.Pages += o.Pages
	t.Faults += o.Faults
	t.Struck += o.Struck
	t.Machines += o.Machines
}

// Print writes the means, as one line.
func (t *Tally) Print(to io.Writer) {
	mean := func(n uint64) float64 { return float64(n) / float64(max(t.Schedules, 1)) }
	_, _ = fmt.Fprintf(to, "a schedule, on average: %.1f machines, %.0f operations (%d to %d planned), %.0f flushes, %.0f pages, %.1f faults, %.0f messages struck\n",
		mean(t.Machines), mean(t.Operations), t.Shortest, t.Longest, mean(t.Flushes), mean(t.Pages), mean(t.Faults), mean(t.Struck))
}
