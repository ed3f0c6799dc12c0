// Command demo shows what clawd is for on one machine: three nodes, recorded
// traffic of real LLM services, a node cut off in the middle of it, and a
// reckoning at the end against what one central bucket would have admitted.
//
// The nodes are the real ones, each with its own store, gossip and listeners on
// loopback; only the links between them pass through scissors. It exits with 1
// when a published bound was broken.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type options struct {
	chat, agents string
	speedup      float64
	span         time.Duration // of the recording
	seed         uint64
	workers      int
	log          *slog.Logger
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.chat, "chat", "testdata/traces/azure_llm_2023_conv_1s.csv.gz", "recording with tokens a second, one agent")
	flags.StringVar(&o.agents, "agents", "testdata/traces/servegen_msmall_agents_1s.csv.gz", "recording with requests a second of many agents")
	flags.Float64Var(&o.speedup, "speedup", 40, "seconds of the recording that pass in one")
	flags.DurationVar(&o.span, "span", 20*time.Minute, "how much of the recording to play")
	flags.Uint64Var(&o.seed, "seed", 1, "of the choice of a node for each request")
	flags.IntVar(&o.workers, "workers", 24, "connections to each node")
	verbose := flags.Bool("v", false, "show what the nodes log")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	o.log = slog.New(slog.DiscardHandler)
	if *verbose {
		o.log = slog.New(slog.NewTextHandler(stderr, nil))
	}
	if o.speedup <= 0 || o.span <= 0 || o.workers < 1 || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "demo: speedup, span and workers must be positive, and there are no arguments")
		return 2
	}
	scenes, err := loadScenes(o)
	if err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return 1
	}
	result, err := play(ctx, o, scenes, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "\ndemo:", err)
		return 1
	}
	report(stdout, o, result)
	if !result.held() {
		return 1
	}
	return 0
}
