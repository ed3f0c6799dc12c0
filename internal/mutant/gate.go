package mutant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// Outcome is what became of one planted bug.
type Outcome struct {
	Mutant *Mutant
	Report Report
	Err    error
}

// Caught tells whether the bug was found by what it breaks.
func (o *Outcome) Caught() bool { return o.Err == nil && o.Report.Caught != nil }

// HuntAll hunts for the bugs whose names pick accepts, so many at a time, and
// tells of each as it ends.
func (b *Binaries) HuntAll(ctx context.Context, workers int, pick func(*Mutant) bool, tell func(*Outcome)) []Outcome {
	all := All()
	outcomes := make([]Outcome, len(all))
	var wg sync.WaitGroup
	var telling sync.Mutex
	turn := make(chan struct{}, workers)
	for i := range all {
		m := &all[i]
		if !pick(m) {
			continue
		}
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			o := Outcome{Mutant: m}
			o.Report, o.Err = b.Hunt(ctx, i+1, m)
			outcomes[i] = o
			telling.Lock()
			defer telling.Unlock()
			tell(&o)
		})
	}
	wg.Wait()
	var picked []Outcome
	for _, o := range outcomes {
		if o.Mutant != nil {
			picked = append(picked, o)
		}
	}
	return picked
}

// Control runs, without a bug, the schedules in which bugs were caught: they
// must find nothing, or the catches mean nothing.
func (b *Binaries) Control(ctx context.Context, outcomes []Outcome) error {
	most := make(map[string]int) // by test; "" is the simulator
	for i := range outcomes {
		if o := &outcomes[i]; o.Caught() {
			most[o.Mutant.Crash] = max(most[o.Mutant.Crash], o.Report.Ran)
		}
	}
	var errs []error
	for test, seeds := range most {
		r, err := b.Hunt(ctx, 0, &Mutant{Crash: test, Seeds: seeds})
		if err != nil {
			errs = append(errs, err)
		}
		for _, c := range r.Stray {
			errs = append(errs, fmt.Errorf("without a bug, seed %d of %s breaks %s: %s", c.Seed, arena(test), c.Invariant, c.Detail))
		}
	}
	return errors.Join(errs...)
}

func arena(test string) string {
	if test == "" {
		return "sim"
	}
	return strings.TrimPrefix(test, "Test")
}

// Table prints the outcomes as the table of a page.
func Table(to io.Writer, outcomes []Outcome) {
	fmt.Fprintln(to, "| planted bug | what somebody wrote | caught by | broken | seeds | budget |")
	fmt.Fprintln(to, "|---|---|---|---|--:|--:|")
	for i := range outcomes {
		o := &outcomes[i]
		broken, seeds := "ESCAPED", fmt.Sprint(o.Report.Ran)
		switch {
		case o.Err != nil:
			broken = "ERROR"
		case o.Caught():
			broken = o.Report.Caught.Invariant
		}
		fmt.Fprintf(to, "| %s | %s | %s | %s | %s | %d |\n", o.Mutant.Name, o.Mutant.Why, arena(o.Mutant.Crash), broken, seeds, o.Mutant.Budget())
	}
}
