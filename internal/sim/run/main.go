// Command run is the cluster simulator as a program: fresh seeds for a while, or
// one seed again, with its story. Its exit code is 1 when a promise was broken or
// something rare never happened, and 2 for wrong flags.
package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	seed      uint64
	from      uint64
	count     uint64
	duration  time.Duration
	workers   int
	stop      int
	plan      string
	commit    string
	noShrink  bool
	profileTo string
}

func run(args []string, out, errs io.Writer) int {
	o, err := parse(args, errs)
	if err != nil {
		return 2
	}
	debug.SetGCPercent(1600) // hardly anything lives: a collection is waste
	if o.profileTo != "" {
		stop, err := profile(o.profileTo)
		if err != nil {
			_, _ = fmt.Fprintln(errs, err)
			return 1
		}
		defer stop()
	}
	if o.seed != 0 {
		return replay(o, out, errs)
	}
	return explore(o, out)
}

func parse(args []string, errs io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("sim", flag.ContinueOnError)
	f.SetOutput(errs)
	f.Uint64Var(&o.seed, "seed", 0, "run this seed alone and tell its story")
	f.Uint64Var(&o.from, "from", 0, "first of the fresh seeds; 0 draws one")
	f.Uint64Var(&o.count, "n", 0, "how many schedules; 0 is as many as fit into -duration")
	f.DurationVar(&o.duration, "duration", time.Minute, "how long to run fresh seeds")
	f.IntVar(&o.workers, "workers", 1, "how many schedules run at a time")
	f.IntVar(&o.stop, "stop", 3, "end after so many violations")
	f.StringVar(&o.plan, "plan", "", "write the shrunk plan of a violation to this file, to be kept as a regression")
	f.StringVar(&o.commit, "commit", "", "what is tested; told with a violation, since a seed means another schedule in another version")
	f.BoolVar(&o.noShrink, "no-shrink", false, "only name the seeds that break a promise")
	f.StringVar(&o.profileTo, "cpuprofile", "", "write a CPU profile to this file")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	bad := ""
	switch {
	case f.NArg() > 0:
		bad = fmt.Sprintf("unexpected argument %q", f.Arg(0))
	case o.workers < 1 || o.workers > 256:
		bad = "-workers must be 1 to 256"
	case o.stop < 1:
		bad = "-stop must be at least 1"
	case o.duration <= 0:
		bad = "-duration must be positive"
	}
	if bad != "" {
		_, _ = fmt.Fprintln(errs, "sim:", bad)
		return o, fmt.Errorf("sim: %s", bad)
	}
	if o.from == 0 {
		o.from = 1 + rand.Uint64N(1_000_000_000)
	}
	return o, nil
}

func profile(file string) (stop func(), err error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}
