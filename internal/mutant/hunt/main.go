// Command hunt runs simulated schedules one seed after the other until one
// breaks a promise that is asked for, and prints a mutant.Report as JSON. Built
// with an overlay, it carries all planted bugs; see package mutant.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/openclaw/clawd/internal/mutant"
	"github.com/openclaw/clawd/internal/sim"
)

func main() { os.Exit(run()) }

func run() int {
	from := flag.Uint64("from", 1, "first seed")
	seeds := flag.Int("seeds", mutant.DefaultSeeds, "how many seeds to run at most")
	breaks := flag.String("breaks", "", "invariants that end the hunt, with commas; none: run all seeds")
	flag.Parse()
	debug.SetGCPercent(1600) // hardly anything lives: a collection is waste

	var wanted []string
	if *breaks != "" {
		wanted = strings.Split(*breaks, ",")
	}
	var report mutant.Report
	for s := *from; report.Ran < *seeds; s++ {
		v := sim.Run(sim.NewPlan(s), sim.Options{}).Violation
		report.Ran++
		if v != nil && report.Note(catchOf(s, v), wanted) {
			break
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func catchOf(seed uint64, v *sim.Violation) mutant.Catch {
	c := mutant.Catch{Seed: seed, Invariant: v.Invariant, Detail: v.Detail}
	if strings.Contains(v.Detail, "got a panic: ") {
		c.Invariant = mutant.Panicked
	}
	return c
}
