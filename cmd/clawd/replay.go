package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openclaw/clawd/replay"
)

// replayFlags is what a replay is told.
type replayFlags struct {
	source    replay.Source
	world     replay.World
	options   replay.Options
	brownouts []string
	deal      int
	json      bool
}

func (c *cli) replayCommand() *cobra.Command {
	var f replayFlags
	cmd := c.printing(&cobra.Command{
		Use:   "replay",
		Short: "Play recorded or generated requests through the limiter, in virtual time",
		Long: `replay plays a recording, or a generated world, through the limiter and refill
code of a node in front of a simulated downstream, and tells what a policy would
have throttled, how long requests would have taken, and how often the downstream
would have been overloaded. It needs no node.

  clawd replay --trace requests.csv.gz --pool-capacity 120
  clawd replay --world surge --pool-capacity 28000 --max-queue-delay 50ms --policy static

A trace is CSV with a header, second,requests or second,<id>,requests; other
formats are named with --format.`,
		Example: `  clawd replay --trace requests.csv.gz --pool-capacity 120 --nodes 5 --json
  clawd replay --world steady --pool-capacity 16000 --max-queue-delay 50ms --brownout 100:160:0.4`,
		RunE: func(*cobra.Command, []string) error { return c.replay(&f) },
	})
	f.define(cmd)
	return cmd
}

func (f *replayFlags) define(cmd *cobra.Command) {
	s := cmd.Flags()
	s.SortFlags = false
	s.StringVar(&f.source.File, "trace", "", "file of recorded requests, gzip or not")
	s.StringVar(&f.source.Format, "format", replay.Counts, "format of the trace: "+strings.Join(replay.Formats, ", "))
	s.StringVar(&f.world.Name, "world", "", "generated requests instead of a trace: "+strings.Join(replay.Worlds(), ", "))
	s.Float64Var(&f.options.Capacity, "pool-capacity", 0, "what the downstream takes, requests a second")
	s.Float64Var(&f.options.Believed, "believed-capacity", 0, "what the limiter believes it takes (default --pool-capacity)")
	s.DurationVar(&f.options.MaxDelay, "max-queue-delay", 500*time.Millisecond, "how long requests may wait in the downstream")
	s.StringVar(&f.options.Policy, "policy", replay.Adaptive, strings.Join(replay.Policies, ", "))
	s.IntVar(&f.options.Nodes, "nodes", 1, "how many nodes there are")
	s.DurationVar(&f.options.MergeInterval, "merge-interval", time.Second, "how often nodes hear of each other")
	s.StringVar(&f.options.Placement, "placement", replay.Sticky, "sticky: an agent keeps to one node; spread: each request takes any")
	s.StringVar(&f.options.Parts, "parts", replay.PartsForecast, "how nodes cut the capacity: forecast or equal")
	s.StringArrayVar(&f.brownouts, "brownout", nil, "FROM:TO:FACTOR lowers the capacity to FACTOR of it between two seconds; may be repeated")
	s.BoolVar(&f.options.NoFeedback, "no-feedback", false, "the limiter is not told of latency and errors")
	s.StringVar(&f.options.Fault, "model-fault", "", "break the forecasts after a quarter of the time: "+strings.Join(replay.Faults(), ", "))
	s.Float64Var(&f.options.StaticThrottle, "static-throttle", 0.042, "throttle rate that the policy static is tuned to")
	s.Float64Var(&f.world.Rate, "rate", 10_000, "calm rate of a world, requests a second")
	s.IntVar(&f.source.Seconds, "seconds", 0, "play only so many seconds (default: the trace; 300 of a world)")
	s.IntVar(&f.world.Agents, "agents", 50, "agents of a world")
	s.BoolVar(&f.world.Few, "few", false, "ten agents carry the surge of a world, not all")
	s.IntVar(&f.deal, "deal", 0, "deal the requests of a trace to so many agents by chance")
	s.Float64Var(&f.source.Scale, "scale", 1, "multiply the rates of a servegen trace")
	s.Uint64Var(&f.options.Seed, "seed", 0, "of placement, generated requests and faults")
	s.BoolVar(&f.json, "json", false, "print one JSON object, like -o json")
	for name, values := range map[string][]string{
		"format": replay.Formats, "world": replay.Worlds(), "policy": replay.Policies, "model-fault": replay.Faults(),
		"placement": {replay.Sticky, replay.Spread}, "parts": {replay.PartsForecast, replay.PartsEqual},
	} {
		must(cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)))
	}
}

func (c *cli) replay(f *replayFlags) error {
	load, err := f.load()
	if err != nil {
		return replayError(err)
	}
	if f.options.Brownouts, err = parseBrownouts(f.brownouts); err != nil {
		return usageError{err}
	}
	if f.options.Capacity == 0 {
		return withHint(usagef("--pool-capacity is missing"),
			"the trace has %.4g requests a second in the mean, %.4g in 97 of 100 seconds at most", load.Mean(), load.Quantile(0.97))
	}
	progress := newReplayProgress(c.stderr)
	f.options.Progress = progress.show
	r, err := replay.Run(load, f.options)
	progress.clear()
	if err != nil {
		return replayError(err)
	}
	if f.json || c.format == formatJSON {
		return c.showJSON(r)
	}
	best := f.options
	best.Policy, best.Progress = replay.Ideal, nil
	ideal, err := replay.Run(load, best)
	if err != nil {
		return replayError(err)
	}
	return c.showTable(replayTable(&f.options, r, ideal))
}

func (f *replayFlags) load() (*replay.Load, error) {
	switch {
	case (f.source.File == "") == (f.world.Name == ""):
		return nil, usagef("name either a --trace or a --world")
	case f.deal < 0 || f.deal > 10_000:
		return nil, usagef("--deal must be between 0 and 10000")
	case f.world.Name != "":
		f.world.Seed, f.world.Seconds = f.options.Seed, f.source.Seconds
		return f.world.Generate()
	}
	f.source.Seed = f.options.Seed
	load, err := f.source.Read()
	if err == nil && f.deal > 0 {
		load = load.ByChance(f.deal, f.options.Seed)
	}
	return load, err
}

func replayError(err error) error {
	if errors.Is(err, replay.ErrOptions) {
		return usageError{err}
	}
	return err
}

func parseBrownouts(list []string) (all []replay.Brownout, err error) {
	for _, s := range list {
		parts := strings.Split(s, ":")
		var v [3]float64
		ok := len(parts) == len(v)
		for i := 0; ok && i < len(v); i++ {
			v[i], err = strconv.ParseFloat(parts[i], 64)
			ok = err == nil
		}
		if !ok {
			return nil, fmt.Errorf("--brownout is %q, want FROM:TO:FACTOR like 100:160:0.4", s)
		}
		all = append(all, replay.Brownout{From: v[0], To: v[1], Factor: v[2]})
	}
	return all, nil
}

func replayTable(o *replay.Options, r, ideal replay.Result) *table {
	t := newTable("", o.Policy, replay.Ideal)
	row := func(name string, show func(r *replay.Result) string) {
		t.add(text(name), num(show(&r)), num(show(&ideal)))
	}
	row("offered", func(r *replay.Result) string { return itoa(r.Offered) })
	row("admitted", func(r *replay.Result) string { return itoa(r.Admitted) })
	row("throttled", func(r *replay.Result) string { return itoa(r.Throttled) })
	row("throttle rate", func(r *replay.Result) string { return percent(r.ThrottleRate) })
	row("gap to the ideal", func(r *replay.Result) string { return percent(r.ThrottleRate - ideal.ThrottleRate) })
	row("p99 latency", func(r *replay.Result) string { return fmt.Sprintf("%.0f ms", r.P99) })
	row("overload, of time", func(r *replay.Result) string { return percent(r.OverloadShare) })
	row("refused downstream", func(r *replay.Result) string { return percent(r.Errors) })
	row("throttled within share", func(r *replay.Result) string { return percent(r.ProtectedThrottledRate) })
	t.add(text("forecast rRMSE, 1 s"), num(fmt.Sprintf("%.3f", r.ForecastRRMSE1s)), num(""))
	t.add(text("forecast rRMSE, 30 s"), num(fmt.Sprintf("%.3f", r.ForecastRRMSE30s)), num(""))
	t.add(text("P95 coverage"), num(percent(r.P95Coverage)), num(""))
	return t
}

func percent(x float64) string { return fmt.Sprintf("%.2f %%", 100*x) }

// replayProgress is one line on a terminal, and nothing elsewhere.
type replayProgress struct {
	w     io.Writer
	shown bool
}

func newReplayProgress(w io.Writer) *replayProgress { return &replayProgress{w: w} }

func (p *replayProgress) show(done float64) {
	if !isTerminal(p.w) {
		return
	}
	const width = 30
	full := min(int(done*width), width)
	fmt.Fprintf(p.w, "\r[%s%s] %3.0f %%", strings.Repeat("=", full), strings.Repeat(" ", width-full), 100*done)
	p.shown = true
}

func (p *replayProgress) clear() {
	if p.shown {
		fmt.Fprintf(p.w, "\r%*s\r", 40, "")
	}
}
