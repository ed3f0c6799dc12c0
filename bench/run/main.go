// Command run measures what clawd's consume endpoint costs beside HTTP servers
// that do nothing.
//
// It starts every server as its own process, lets wrk load them in turn, round
// after round, so that a slow minute of the machine hits all of them, and reads
// the CPU time each server used from /proc. A round counts only if its answers
// were real: what a server says it took must equal what wrk was answered. The
// table shows medians over the rounds, and ratios to the gorilla/mux server of
// the same round.
//
// Run it from the root of the repository, after make build: make bench.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// yardstick is the target that ratios compare with.
const yardstick = "mux"

type options struct {
	targets     []string
	rounds      int
	duration    time.Duration
	connections int
	threads     int
	agents      int
	clawd       string
	write       bool
	page        string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parse(args, stderr)
	if err != nil {
		return 2
	}
	machine := describeMachine() // before the run makes it busy
	rounds, err := measure(ctx, opts, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	report := newReport(opts, rounds, machine)
	fmt.Fprintln(stdout, report.Markdown())
	if !opts.write {
		return 0
	}
	if err := replaceBetweenMarkers(opts.page, report.Markdown()); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	fmt.Fprintln(stderr, "bench: wrote", opts.page)
	return 0
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench/run", flag.ContinueOnError)
	flags.SetOutput(stderr)
	targets := flags.String("targets", "nethttp,mux,clawd", "servers to measure, in this `list`: nethttp, mux, clawd")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds; every round loads each server once")
	flags.DurationVar(&o.duration, "duration", 5*time.Second, "length of one load, whole seconds")
	flags.IntVar(&o.connections, "connections", 64, "open connections")
	flags.IntVar(&o.threads, "threads", 2, "threads of wrk")
	flags.IntVar(&o.agents, "agents", 10_000, "agents the calls are spread over")
	flags.StringVar(&o.clawd, "clawd", "bin/clawd", "the clawd `binary`")
	flags.BoolVar(&o.write, "write", false, "replace the table in the page")
	flags.StringVar(&o.page, "page", "docs/performance.md", "`page` that holds the table")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.targets = strings.Split(*targets, ",")
	if err := o.validate(); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return o, err
	}
	return o, nil
}

func (o options) validate() error {
	switch {
	case o.rounds < 1, o.threads < 1, o.agents < 1:
		return fmt.Errorf("-rounds, -threads and -agents are at least 1")
	case o.connections < o.threads:
		return fmt.Errorf("-connections is at least -threads (%d), since each thread needs one", o.threads)
	case o.duration < time.Second || o.duration%time.Second != 0:
		return fmt.Errorf("-duration is a whole number of seconds: wrk knows no other")
	}
	return nil
}
