package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/openclaw/clawd/bench/chart"
	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/replay"
)

const (
	poolName = "downstream"
	static   = "static"
	adaptive = "adaptive"
	calm     = 10_000 // requests a second, unscaled
)

type settings struct {
	duration, delay time.Duration
	scale           float64
	capacities      []float64
	rounds          int
	few             bool
	seed            uint64
	out             string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := play(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "surge:", err)
		}
		os.Exit(1)
	}
}

func parse(args []string) (s settings, err error) {
	f := flag.NewFlagSet("surge", flag.ContinueOnError)
	var capacities string
	f.DurationVar(&s.duration, "duration", 5*time.Minute, "length of a run; the surge takes a tenth of it")
	f.DurationVar(&s.delay, "max-queue-delay", 50*time.Millisecond, "how long requests may wait downstream")
	f.Float64Var(&s.scale, "scale", 25, "divide all rates by this")
	f.StringVar(&capacities, "capacity", "28000,32000", "capacities of the downstream in requests a second, before -scale")
	f.IntVar(&s.rounds, "rounds", 1, "run all of it so many times")
	f.BoolVar(&s.few, "few", false, "ten agents carry the surge, not all")
	f.Uint64Var(&s.seed, "seed", 1, "of the arrivals")
	f.StringVar(&s.out, "plots", "", "draw SVGs into this directory")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	for text := range strings.SplitSeq(capacities, ",") {
		g, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || !(g > 0) {
			return s, fmt.Errorf("-capacity %q: want numbers greater than 0", text)
		}
		s.capacities = append(s.capacities, g)
	}
	if s.duration < 10*time.Second || s.duration%time.Second != 0 || !(s.scale >= 1) || s.rounds < 1 {
		return s, errors.New("want a -duration of whole seconds, at least 10s, a -scale of at least 1, and -rounds of at least 1")
	}
	return s, nil
}

func play(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	l, err := replay.World{Name: "surge", Rate: calm / s.scale, Seconds: int(s.duration / time.Second), Few: s.few, Seed: s.seed}.Generate()
	if err != nil {
		return err
	}
	defer fleet.RemoveBinary()
	bin, err := fleet.Binary()
	if err != nil {
		return err
	}
	fmt.Printf("10 k to 30 k and back in %v, all rates divided by %g; %d cores, GOMAXPROCS of the generator %d; %v may wait\n\n",
		s.duration, s.scale, runtime.NumCPU(), runtime.GOMAXPROCS(0), s.delay)
	fmt.Println("| G | limiter | average latency | p99 | throttled | overload | failed | CPU of clawd | not sent |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for range s.rounds {
		for _, g := range s.capacities {
			var both []*outcome
			for _, kind := range []string{static, adaptive} {
				o, err := s.one(ctx, bin, l, kind, g)
				if err != nil {
					return fmt.Errorf("%s at %g: %w", kind, g, err)
				}
				fmt.Println(o.row())
				both = append(both, o)
			}
			if err := s.draw(both); err != nil {
				return err
			}
		}
	}
	return nil
}

// one starts a clawd of its own with the policies of a kind and drives it.
func (s *settings) one(ctx context.Context, bin string, l *replay.Load, kind string, capacity float64) (_ *outcome, err error) {
	dir, err := os.MkdirTemp("", "clawd-surge-")
	if err != nil {
		return nil, err
	}
	f := fleet.New(bin, dir)
	defer func() { err = errors.Join(err, f.Close(), os.RemoveAll(dir)) }()
	n, err := f.Add("surge")
	if err != nil {
		return nil, err
	}
	if err := n.Start(ctx); err != nil {
		return nil, err
	}
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.MaxIdleConns, tr.MaxIdleConnsPerHost = 0, 4096
	hc := &http.Client{Transport: tr}
	defer tr.CloseIdleConnections()
	cl, err := client.New(n.Client.BaseURL(), client.Options{HTTPClient: hc, MaxRetries: -1})
	if err != nil {
		return nil, err
	}
	if err := s.configure(ctx, cl, l, kind, capacity/s.scale); err != nil {
		return nil, err
	}
	down, err := newDownstream(capacity/s.scale, s.delay)
	if err != nil {
		return nil, err
	}
	defer down.close()
	r := &run{outcome: outcome{kind: kind, capacity: capacity}, load: l, node: n, cl: cl, http: hc, down: down}
	if err := r.drive(ctx); err != nil {
		return nil, err
	}
	return &r.outcome, nil
}

func (s *settings) configure(ctx context.Context, cl *client.Client, l *replay.Load, kind string, capacity float64) error {
	policies := staticPolicies(l)
	if kind == adaptive {
		delay := s.delay.Milliseconds()
		pool := client.Pool{Name: poolName, CapacityPerSecond: ratelimit.Decimal(capacity * 1e6), MaxQueueDelayMS: &delay}
		if _, err := cl.Pools.Put(ctx, pool); err != nil {
			return err
		}
		policies = pooledPolicies(l, capacity)
	}
	for _, p := range policies {
		if _, err := cl.Policies.Put(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (o *outcome) row() string {
	var sum time.Duration
	for _, d := range o.latency {
		sum += d
	}
	n := max(len(o.latency), 1)
	p99 := time.Duration(0)
	if len(o.latency) > 0 {
		p99 = o.latency[len(o.latency)*99/100]
	}
	return fmt.Sprintf("| %g | %s | %.1f ms | %.0f ms | %.2f %% | %.2f %% | %d | %.0f %% | %d |", o.capacity, o.kind,
		(sum/time.Duration(n)).Seconds()*1000, p99.Seconds()*1000, 100*float64(o.denied)/float64(max(o.offered, 1)),
		100*o.overload, o.failed, 100*o.cpu, o.skipped)
}

// draw writes two plots for a capacity: rates over time, and latencies.
func (s *settings) draw(both []*outcome) error {
	if s.out == "" {
		return nil
	}
	if err := os.MkdirAll(s.out, 0o750); err != nil {
		return err
	}
	a := both[1]
	series := func(o *outcome, label string, of func(second) float64) chart.Series {
		c := chart.Series{Label: label}
		for i, sec := range o.seconds {
			c.X, c.Y = append(c.X, float64(i)), append(c.Y, of(sec))
		}
		return c
	}
	up := func(of func(second) float64) func(second) float64 {
		return func(x second) float64 { return of(x) * s.scale }
	}
	rates := chart.Lines{
		Title:    fmt.Sprintf("A surge before a downstream of %g/s", a.capacity),
		Subtitle: fmt.Sprintf("real clawd and downstream, rates divided by %g and drawn at full", s.scale), X: "seconds", Y: "requests a second",
		Series: []chart.Series{
			series(a, "offered", up(func(x second) float64 { return x.offered })),
			series(a, "admitted", up(func(x second) float64 { return x.admitted })),
			series(a, "forecast", up(func(x second) float64 { return x.forecast })),
			series(a, "refill", up(func(x second) float64 { return x.refill })),
		},
	}
	mean := func(x second) float64 { return 1000 * x.latencySum / max(x.done, 1) }
	latency := chart.Lines{
		Title: fmt.Sprintf("Latency of admitted requests, %g/s", a.capacity), Subtitle: "mean of each second", X: "seconds", Y: "ms",
		Series: []chart.Series{series(both[0], static, mean), series(a, adaptive, mean)},
	}
	for name, c := range map[string]chart.Lines{"rates": rates, "latency": latency} {
		path := filepath.Join(s.out, fmt.Sprintf("surge-%s-%g.svg", name, a.capacity))
		if err := os.WriteFile(path, []byte(c.SVG()), 0o600); err != nil {
			return err
		}
		fmt.Fprintln(os.Stderr, "drew", path)
	}
	return nil
}
