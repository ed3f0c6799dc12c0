// Command run executes simulated schedules: fresh seeds for a while, or one
// seed again with its story.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"github.com/openclaw/clawd/internal/sim"
)

func main() { os.Exit(run()) }

func run() int {
	seed := flag.Uint64("seed", 0, "run this seed alone and tell its story")
	shrink := flag.Uint64("shrink", 0, "shrink this seed")
	outFile := flag.String("o", "/tmp/plan.json", "where to put the shrunk plan")
	from := flag.Uint64("from", 1, "first of the fresh seeds")
	duration := flag.Duration("duration", 10*time.Second, "how long to run fresh seeds")
	stop := flag.Int("stop", 3, "end after so many violations")
	profile := flag.String("cpuprofile", "", "write a profile")
	flag.Parse()
	debug.SetGCPercent(1600) // hardly anything lives: a collection is waste
	if *profile != "" {
		f, _ := os.Create(*profile)
		_ = pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	if *shrink != 0 {
		plan := sim.NewPlan(*shrink)
		res := sim.Run(plan, sim.Options{})
		if res.Violation == nil {
			fmt.Println("no violation")
			return 0
		}
		plan = sim.Shrink(plan, res.Violation.Invariant, 20*time.Second, time.Now)
		out, _ := plan.Marshal()
		_ = os.WriteFile(*outFile, out, 0o600)
		fmt.Print(sim.Run(plan, sim.Options{Story: true}).Story)
		fmt.Printf("%+v\n", plan.Config)
		return 1
	}
	if *seed != 0 {
		res := sim.Run(sim.NewPlan(*seed), sim.Options{Story: true})
		fmt.Print(res.Story)
		if res.Violation != nil {
			return 1
		}
		return 0
	}
	var cov sim.Coverage
	violations := 0
	began := time.Now()
	n := 0
	for s := *from; time.Since(began) < *duration && violations < *stop; s++ {
		res := sim.Run(sim.NewPlan(s), sim.Options{Coverage: &cov})
		n++
		if res.Violation != nil {
			violations++
			fmt.Printf("seed %d: %v\n", s, res.Violation)
		}
	}
	cov.Print(os.Stdout)
	fmt.Printf("sim: %d schedules, %d violations (%.0f a minute)\n", n, violations, float64(n)/time.Since(began).Minutes())
	if violations > 0 {
		return 1
	}
	return 0
}
