// Command capacity measures what nodes of the shape of a t3.medium carry, and
// writes the table of docs/capacity.md.
//
// Nodes are processes with two processors (GOMAXPROCS) and 4 GiB (a memory
// cgroup, and GOMEMLIMIT below it); for the CPU-credit baseline a cpu cgroup
// leaves each 20 % of two processors. Beside them run no-op servers under the
// same limits. Servers are loaded in turn, round after round, so that a slow
// minute of the machine hits all of them, and compared within a round.
//
// Run it from the root of the repository, as root: make capacity.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "capacity:", err)
		os.Exit(1)
	}
}

func run() error {
	rounds := flag.Int("rounds", 5, "rounds; every round loads each shape once")
	duration := flag.Duration("duration", 4*time.Second, "length of one load, whole seconds")
	write := flag.Bool("write", false, "update docs/capacity.md")
	flag.Parse()
	if *rounds < 1 || *duration < time.Second {
		return errors.New("want at least one round, and a second of load")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	table, err := measure(ctx, *rounds, *duration)
	if err != nil {
		return err
	}
	fmt.Print(table)
	if *write {
		return update("docs/capacity.md", table)
	}
	return nil
}

func measure(ctx context.Context, rounds int, d time.Duration) (table string, err error) {
	dir, err := os.MkdirTemp("", "clawd-capacity-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	baseline, err := buildBaseline(ctx, dir)
	if err != nil {
		return "", err
	}
	shapes := []*shape{
		{name: "no-op server", binary: baseline, nodes: 1},
		{name: "one node", nodes: 1},
		{name: "no-op server", binary: baseline, nodes: 1, quota: credit},
		{name: "one node", nodes: 1, quota: credit},
		{name: "three nodes", nodes: 3, quota: credit},
	}
	for _, s := range shapes {
		if err := s.start(ctx, dir); err != nil {
			return "", errors.Join(err, stopAll(shapes))
		}
	}
	defer func() { err = errors.Join(err, stopAll(shapes)) }()
	for range rounds {
		for _, s := range shapes {
			if err := s.load(ctx, d); err != nil {
				return "", fmt.Errorf("%s: %w", s, err)
			}
		}
	}
	return tableOf(shapes, rounds, d), nil
}

func stopAll(shapes []*shape) error {
	var errs []error
	for _, s := range shapes {
		errs = append(errs, s.stop())
	}
	return errors.Join(errs...)
}
