package main

import (
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/openclaw/clawd/internal/sim"
)

// exploration is what the workers have in common.
type exploration struct {
	options
	began time.Time
	out   io.Writer

	mu         sync.Mutex
	next       uint64
	violations int
	tally      sim.Tally
	coverage   sim.Coverage
}

// explore runs fresh seeds and reports.
func explore(o options, out io.Writer) int {
	e := &exploration{options: o, began: time.Now(), out: out, next: o.from}
	cpuBefore := cpuTime()
	var workers sync.WaitGroup
	for range o.workers {
		workers.Go(e.work)
	}
	workers.Wait()
	return e.report(time.Since(e.began), cpuTime()-cpuBefore)
}

// take gives out the next seed, until it is enough.
func (e *exploration) take() (seed uint64, more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	enough := e.count > 0 && e.next-e.from >= e.count || e.count == 0 && time.Since(e.began) >= e.duration
	if enough || e.violations >= e.stop {
		return 0, false
	}
	e.next++
	return e.next - 1, true
}

func (e *exploration) work() {
	var tally sim.Tally
	var coverage sim.Coverage
	for seed, more := e.take(); more; seed, more = e.take() {
		res := sim.Run(sim.NewPlan(seed), sim.Options{Coverage: &coverage})
		tally.Merge(&res.Tally)
		if res.Violation != nil {
			e.tell(seed, res.Violation)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tally.Merge(&tally)
	e.coverage.Merge(&coverage)
}

// tell reports a violation, in the shortest way to bring it about.
func (e *exploration) tell(seed uint64, v *sim.Violation) {
	e.mu.Lock()
	e.violations++
	e.mu.Unlock()
	if e.noShrink {
		e.mu.Lock()
		defer e.mu.Unlock()
		_, _ = fmt.Fprintf(e.out, "seed %d: %v\n", seed, v)
		return
	}
	text := shrunk(seed, v, e.plan)
	e.mu.Lock()
	defer e.mu.Unlock()
	_, _ = fmt.Fprintf(e.out, "%s%s\n", text, hint(seed, e.commit))
}

func hint(seed uint64, commit string) string {
	s := fmt.Sprintf("replay it with: make sim SEED=%d\n", seed)
	if commit != "" {
		s = fmt.Sprintf("replay it with: make sim SEED=%d   (at %s)\n", seed, commit)
	}
	return s
}

// report writes the figures and answers the exit code.
func (e *exploration) report(wall, cpu time.Duration) int {
	n := e.tally.Schedules
	_, _ = fmt.Fprintln(e.out, "seen:")
	e.coverage.Print(e.out)
	_, _ = fmt.Fprintf(e.out, "seeds %d to %d\n", e.from, e.next-1)
	e.tally.Print(e.out)
	_, _ = fmt.Fprintf(e.out, "speed: %.0f schedules a minute of CPU time, %.0f a minute of the clock\n",
		float64(n)/cpu.Minutes(), float64(n)/wall.Minutes())
	missing := e.coverage.Missing()
	if n < sim.EnoughForAll {
		missing = nil
	}
	for _, name := range missing {
		_, _ = fmt.Fprintf(e.out, "never seen in %d schedules: %s\n", n, name)
	}
	_, _ = fmt.Fprintf(e.out, "sim: %d schedules, %d violations\n", n, e.violations)
	if e.violations > 0 || len(missing) > 0 {
		return 1
	}
	return 0
}

// cpuTime is what the process has used so far. On a busy machine it is what a
// speed can be measured by.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
