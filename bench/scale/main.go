// Command scale starts a node, lets many agents each consume once, and tells
// what that takes: memory while all of them are live, the time a restart takes
// after a kill, and the first touch of an agent that is only on disk.
//
//	go run ./bench/scale -agents 1000000 -max-rss 350 -max-ready 3s
//
// It fails when a bound is not kept, or when the node does not have the totals
// it answered for.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/openclaw/clawd/internal/proc"
)

type options struct {
	binary   string
	agents   int
	maxRSS   int // MB
	maxReady time.Duration
	serve    []string // further arguments
}

func main() {
	o := options{}
	flag.StringVar(&o.binary, "clawd", "bin/clawd", "the binary to measure")
	flag.IntVar(&o.agents, "agents", 1_000_000, "how many agents")
	flag.IntVar(&o.maxRSS, "max-rss", 0, "fail above this many MB of memory (0: only tell)")
	flag.DurationVar(&o.maxReady, "max-ready", 0, "fail when a restart takes longer (0: only tell)")
	flag.Parse()
	o.serve = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	work, err := os.MkdirTemp("", "clawd-scale-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	n, err := start(ctx, o, work)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.stop()) }()
	empty, err := n.memory()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := n.meetAll(ctx, o.agents); err != nil {
		return err
	}
	fmt.Printf("%d agents consumed once within %s\n", o.agents, time.Since(began).Round(time.Millisecond))
	live, err := n.settledMemory(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("memory: %d MB empty, %d MB with all of them live (%d B an agent), %d MB at most\n",
		empty.rss>>20, live.rss>>20, (live.rss-empty.rss)/int64(o.agents), live.peak>>20)

	if err := n.kill(); err != nil {
		return err
	}
	began = time.Now()
	if n, err = start(ctx, o, work); err != nil {
		return err
	}
	ready := time.Since(began)
	fmt.Printf("killed and started again: ready after %s\n", ready.Round(time.Millisecond))
	if err := n.touchCold(ctx, o.agents); err != nil {
		return err
	}
	return errors.Join(
		over(o.maxRSS > 0 && live.rss>>20 > int64(o.maxRSS), "memory: %d MB, at most %d are allowed", live.rss>>20, o.maxRSS),
		over(o.maxReady > 0 && ready > o.maxReady, "restart: %s, at most %s is allowed", ready, o.maxReady),
	)
}

func over(failed bool, format string, args ...any) error {
	if !failed {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// start starts a node on the data in work and returns when it is ready.
func start(ctx context.Context, o options, work string) (*node, error) {
	var addrs [3]string
	for i := range addrs {
		addr, err := proc.FreeAddr()
		if err != nil {
			return nil, err
		}
		addrs[i] = addr
	}
	argv := append([]string{
		o.binary, "serve", "--http-addr", addrs[0], "--peer-addr", addrs[1], "--gossip-addr", addrs[2],
		"--data-dir", filepath.Join(work, "data"), "--default-policy", "1000000/1h",
	}, o.serve...)
	p, err := proc.Start(proc.Command{Argv: argv, Log: filepath.Join(work, "log")})
	if err != nil {
		return nil, err
	}
	n := &node{proc: p, url: "http://" + addrs[0]}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := p.WaitReady(ctx, n.url); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return n, nil
}
