// Command gobench runs the Go benchmarks of the hot packages and compares them
// with the baseline that is committed beside it.
//
// Times of another machine, or of a busy minute of this one, prove nothing. So
// each package is measured together with a calibration benchmark of fixed work,
// and what is compared is the time in units of that: a change of the machine
// changes both. It is a hint, and reported as one. Allocations do not depend on
// the machine: one more of them an operation than in the baseline is an error.
//
// benchstat's own comparison of the raw figures is printed, too; read its times
// only when baseline and run are of one machine.
//
// Run it from the root of the repository: make bench-go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// hot are the packages a decision and a merge go through.
var hot = []string{"./crdt", "./ratelimit", "./storage", "./node/antientropy", "./node/replica", "./api", "./node"}

const (
	calibration = "./bench/gobench"
	slower      = 1.25 // times in units of the calibration beyond this are pointed out
)

type options struct {
	pattern, baseline, out, benchstat string
	count                             int
	benchtime                         string
	update                            bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("gobench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.pattern, "bench", ".", "`pattern` of the benchmarks")
	flags.StringVar(&o.baseline, "baseline", "bench/baseline.txt", "`file` with the baseline")
	flags.StringVar(&o.out, "out", "bench/results/go.txt", "`file` for what is measured")
	flags.StringVar(&o.benchstat, "benchstat", "", "benchstat `binary`; without it only our comparison is printed")
	flags.IntVar(&o.count, "count", 6, "repetitions")
	flags.StringVar(&o.benchtime, "benchtime", "100ms", "length of one")
	flags.BoolVar(&o.update, "update", false, "make this run the baseline")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := measure(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "gobench:", err)
		return 1
	}
	return 0
}

func measure(ctx context.Context, o options, stdout, stderr io.Writer) error {
	now, err := benchmark(ctx, o, stderr)
	if err != nil {
		return err
	}
	if err := save(o.out, now); err != nil {
		return err
	}
	if o.update {
		fmt.Fprintln(stderr, "gobench: wrote", o.baseline)
		return os.WriteFile(o.baseline, now, 0o644)
	}
	before, err := os.ReadFile(o.baseline)
	if err != nil {
		return fmt.Errorf("no baseline (-update makes one): %w", err)
	}
	if o.benchstat != "" {
		stat := exec.CommandContext(ctx, o.benchstat, o.baseline, o.out)
		stat.Stdout, stat.Stderr = stdout, stderr
		if err := stat.Run(); err != nil {
			return fmt.Errorf("benchstat: %w", err)
		}
	}
	rows := compare(parse(string(before)), parse(string(now)))
	if len(rows) == 0 {
		return errors.New("no benchmark of this run is in the baseline")
	}
	fmt.Fprint(stdout, table(rows))
	return verdict(rows)
}

// benchmark runs the calibration and the benchmarks of each hot package.
func benchmark(ctx context.Context, o options, stderr io.Writer) ([]byte, error) {
	var all []byte
	for _, pkg := range hot {
		fmt.Fprintln(stderr, "gobench:", pkg)
		// The calibration brackets each package, so that it sees the same minute.
		for _, part := range []struct{ pkg, pattern string }{{calibration, "."}, {pkg, o.pattern}, {calibration, "."}} {
			cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench="+part.pattern, "-benchmem",
				fmt.Sprintf("-count=%d", o.count), "-benchtime="+o.benchtime, part.pkg)
			cmd.Stderr = stderr
			out, err := cmd.Output()
			if err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", part.pkg, err, out)
			}
			all = append(all, out...)
		}
	}
	return all, nil
}
