// Command run measures clawd and writes the tables and plots of
// docs/performance.md.
//
// Each part of it starts its own servers as processes, asks them for real
// decisions, and throws a round away unless the answers were real. Servers that
// are compared are loaded in turn, round after round, so that a slow minute of
// the machine hits all of them; what the rest of the machine used meanwhile is
// written down, and a round in which that was much is dropped.
//
// Run it from the root of the repository, after make build: make bench.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// part is one question and how it is answered.
type part struct {
	name  string
	about string
	run   func(context.Context, *bench) (section, error)
	// apart: runs only when asked for by name, and a goal that is missed is an
	// error.
	apart bool
}

// parts in the order of the page. The whole of them is to stay below 15 minutes
// with default options.
var parts = []part{
	{name: "consume", about: "one call at a time: clawd beside other servers", run: consume},
	{name: "denials", about: "429 beside 200", run: denials},
	{name: "batch", about: "1000 checks a request", run: batch},
	{name: "openloop", about: "latency at a constant rate, with three nodes syncing", run: openLoop},
	{name: "crash", about: "what a kill -9 under load forgets", run: crash},
	{name: "agents", about: "a million agents: memory, speed, restart", run: agents},
	{name: "sync", about: "bytes, CPU and delay of replication", run: syncCost},
	{name: "soak", about: "steady load for long: what grows", run: soak, apart: true},
}

type options struct {
	only        []string
	rounds      int
	duration    time.Duration
	connections int
	agents      int
	clawd       string
	soak        time.Duration
	write       bool
	page        string
	results     string
	plots       string
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
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	done, err := measure(ctx, opts, stdout, stderr)
	if opts.write && ctx.Err() == nil {
		err = errors.Join(err, publish(opts, done, stderr)) // what was measured before something failed, too
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// measure runs the parts that were asked for and prints each as it is done.
func measure(ctx context.Context, o options, stdout, stderr io.Writer) (done []section, err error) {
	b, err := newBench(ctx, o, stderr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	var failed error
	for _, p := range parts {
		if named := slices.Contains(o.only, p.name); !named && (p.apart || len(o.only) > 0) {
			continue
		}
		b.say("%s: %s", p.name, p.about)
		began, machine := time.Now(), describeMachine() // before the part makes it busy
		s, err := p.run(ctx, b)
		if err = errors.Join(err, b.stopAll()); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", p.name, err))
			if ctx.Err() != nil {
				return done, failed
			}
			b.say("%s failed, going on: %v", p.name, err)
			continue
		}
		s.Name, s.Machine, s.Took = p.name, machine, time.Since(began).Round(time.Second).String()
		done = append(done, s)
		fmt.Fprintf(stdout, "## %s\n\n%s\n", p.name, s.markdown())
		if p.apart {
			failed = errors.Join(failed, s.steady())
		}
	}
	return done, failed
}

func partNames() (names []string) {
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench/run", flag.ContinueOnError)
	flags.SetOutput(stderr)
	names := partNames()
	only := flags.String("only", "", "measure only these parts, a `list` of: "+strings.Join(names, ", "))
	flags.IntVar(&o.rounds, "rounds", 7, "rounds; every round loads each server once")
	flags.DurationVar(&o.duration, "duration", 3*time.Second, "length of one load, whole seconds")
	flags.IntVar(&o.connections, "connections", 64, "open connections of wrk")
	flags.IntVar(&o.agents, "agents", 10_000, "agents the calls are spread over")
	flags.StringVar(&o.clawd, "clawd", "bin/clawd", "the clawd `binary`")
	flags.DurationVar(&o.soak, "soak", 30*time.Minute, "length of -only soak")
	flags.BoolVar(&o.write, "write", false, "update the page, its plots and the results file")
	flags.StringVar(&o.page, "page", "docs/performance.md", "`page` that holds the tables")
	flags.StringVar(&o.plots, "plots", "docs/plots", "`directory` of the plots")
	flags.StringVar(&o.results, "results", "bench/results.json", "`file` that remembers the parts of earlier runs")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	if err := o.validate(names, flags.Args()); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return o, err
	}
	return o, nil
}

func (o options) validate(names, rest []string) error {
	for _, name := range o.only {
		if !slices.Contains(names, name) {
			return fmt.Errorf("-only %s: the parts are %s", name, strings.Join(names, ", "))
		}
	}
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case o.rounds < 1, o.agents < 1000, o.connections < 1:
		return errors.New("-rounds and -connections are at least 1, -agents at least 1000")
	case o.soak < 10*time.Second:
		return errors.New("-soak is at least 10s")
	case o.duration < time.Second || o.duration%time.Second != 0:
		return errors.New("-duration is a whole number of seconds: wrk knows no other")
	}
	return nil
}
