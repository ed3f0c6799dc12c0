package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/openclaw/clawd/bench/chart"
	"github.com/openclaw/clawd/bench/load"
)

const (
	soakAgents = 100_000
	soakShare  = 0.7 // of what a closed loop gets through
	soakSteps  = 60  // samples of a soak
)

// watched is something that must not grow, with how much its median over the
// last third of a soak may exceed that over the third before the middle one.
// Both a share and an absolute allowance: small numbers jump, and the
// connections of the load, each with a goroutine and a descriptor, may be open
// or not when a sample is taken.
type watched struct {
	name, unit string
	scale      float64 // from what is sampled to unit
	share      float64
	allowance  float64 // in unit
	of         func(*soakSample) float64
}

var everythingWatched = []watched{
	{"resident memory of the loaded node", "MB", 1e-6, 0.10, 20, func(s *soakSample) float64 { return s.loaded.rss }},
	{"resident memory of a peer", "MB", 1e-6, 0.10, 20, func(s *soakSample) float64 { return s.peer.rss }},
	{"goroutines", "", 1, 0, 80, func(s *soakSample) float64 { return s.loaded.goroutines }},
	{"file descriptors", "", 1, 0, 80, func(s *soakSample) float64 { return s.loaded.descriptors }},
	{"data on disk", "MB", 1e-6, 0.25, 64, func(s *soakSample) float64 { return s.loaded.disk }},
	{"p99", "ms", 1e3, 0.50, 2, func(s *soakSample) float64 { return s.p99 }},
}

// soakSample is one moment of a soak, with the latency since the one before.
type soakSample struct {
	at           time.Duration
	loaded, peer nodeSample
	p99          float64 // seconds
}

type nodeSample struct{ rss, goroutines, descriptors, disk float64 }

// soak loads one of three nodes for long and looks for what grows.
func soak(ctx context.Context, b *bench) (section, error) {
	nodes, err := b.startNodes(ctx, 3)
	if err != nil {
		return section{}, err
	}
	if err := converge(ctx, nodes); err != nil {
		return section{}, err
	}
	rate, err := b.sustainable(ctx, nodes)
	if err != nil {
		return section{}, err
	}
	samples, sum, err := b.soakFor(ctx, nodes, rate)
	if err != nil {
		return section{}, err
	}
	s := section{Setup: fmt.Sprintf("Three nodes on one machine; one gets %.0f requests/s for %s, %.0f %% of what a closed loop of %d connections got through, about %d agents. "+
		"It is flat when the median over the last third exceeds that over the first by no more than the bound; the first tenth is left out as warm-up.",
		rate, b.soak, 100*soakShare, b.connections, soakAgents)}
	s.head("what", "first third", "last third", "bound")
	for _, w := range everythingWatched {
		first, last := w.thirds(samples)
		bound := first*(1+w.share) + w.allowance
		s.row(w.name, w.show(first), w.show(last), w.show(bound))
		s.Goals = append(s.Goals, goal{"soak of " + b.soak.String() + ": " + w.name, "≤ " + w.show(bound), w.show(last), last <= bound})
	}
	missing := sum.Due - sum.Answered
	s.Goals = append(s.Goals, goal{"soak: everything answered", "all", fmt.Sprintf("%d of %d", sum.Answered, sum.Due), missing == 0})
	s.note("Over all of it: p50 %s, p99 %s, p99.9 %s, longest %s.", latency(sum.Latency.Quantile(0.5)), latency(sum.Latency.Quantile(0.99)),
		latency(sum.Latency.Quantile(0.999)), latency(sum.Latency.Max()))
	s.draw("soak-memory.svg", "Memory and disk over the soak", soakPlot("Memory and disk over the soak", "MB", samples, 0, 1, 4))
	s.draw("soak-p99.svg", "p99 over the soak", soakPlot("p99 over the soak", "ms", samples, 5))
	return s, nil
}

// steady is an error when a soak was not flat, so that make soak fails.
func (s *section) steady() error {
	var grew []string
	for _, g := range s.Goals {
		if !g.Met {
			grew = append(grew, fmt.Sprintf("%s: %s, wanted %s", g.What, g.Got, g.Want))
		}
	}
	if len(grew) > 0 {
		return errors.New(strings.Join(grew, "\n"))
	}
	return nil
}

// sustainable is the rate of the soak.
func (b *bench) sustainable(ctx context.Context, nodes []*node) (float64, error) {
	if err := nodes[0].meet(ctx, fullAgents, soakAgents); err != nil {
		return 0, err
	}
	l := b.spread()
	l.agents, l.duration = soakAgents, 5*time.Second
	res, _, err := l.run(ctx, nodes[0].url)
	if err != nil {
		return 0, err
	}
	rate := math.Floor(soakShare*float64(res.Requests)/(float64(res.DurationUS)/1e6)/100) * 100
	b.say("a closed loop got through %d requests in %d ms; the soak is at %.0f/s", res.Requests, res.DurationUS/1000, rate)
	return rate, nil
}

func (b *bench) soakFor(ctx context.Context, nodes []*node, rate float64) (samples []*soakSample, sum load.Result, err error) {
	began := time.Now()
	step := max(b.soak/soakSteps, time.Second)
	requests := load.Agents(fullAgents, soakAgents)
	for time.Since(began) < b.soak {
		offset := sum.Due
		res, err := load.Run(ctx, load.Options{
			Addr: strings.TrimPrefix(nodes[0].url, "http://"), Rate: rate, Duration: step, Connections: b.connections,
			Request: func(i uint64) []byte { return requests(offset + i) },
		})
		if err != nil {
			return nil, sum, err
		}
		if err := ctx.Err(); err != nil {
			return nil, sum, err
		}
		sum.Due += res.Due
		sum.Answered += res.Answered
		sum.Latency.Merge(&res.Latency)
		s := &soakSample{at: time.Since(began), p99: res.Latency.Quantile(0.99).Seconds()}
		if err := errors.Join(s.loaded.take(ctx, nodes[0]), s.peer.take(ctx, nodes[1])); err != nil {
			return nil, sum, err
		}
		samples = append(samples, s)
		b.say("%6.0f/s  p99 %-8s resident %.0f MB, peer %.0f MB, %.0f goroutines, %.0f descriptors, disk %.0f MB", rate, latency(res.Latency.Quantile(0.99)),
			s.loaded.rss/1e6, s.peer.rss/1e6, s.loaded.goroutines, s.loaded.descriptors, s.loaded.disk/1e6)
	}
	if len(samples) < 6 {
		return nil, sum, fmt.Errorf("%d samples are too few to tell what grows: soak for longer", len(samples))
	}
	return samples, sum, nil
}

// take looks at n.
func (s *nodeSample) take(ctx context.Context, n *node) (err error) {
	if s.rss, err = residentBytes(n.proc.PID()); err != nil {
		return err
	}
	if s.goroutines, err = n.metric(ctx, "go_goroutines"); err != nil {
		return err
	}
	if s.descriptors, err = n.metric(ctx, "process_open_fds"); err != nil {
		return err
	}
	s.disk, err = sizeOf(n.dir)
	return err
}

// sizeOf adds up the files under a directory that the store may be changing.
func sizeOf(dir string) (sum float64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // compacted away since it was listed
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			sum += float64(info.Size())
		}
		return err
	})
	return sum, err
}

// thirds are the medians over the first and the last third, without the first
// tenth.
func (w watched) thirds(samples []*soakSample) (first, last float64) {
	samples = samples[len(samples)/10:]
	third := max(1, len(samples)/3)
	of := func(part []*soakSample) float64 {
		var values []float64
		for _, s := range part {
			values = append(values, w.of(s)*w.scale)
		}
		return median(values)
	}
	return of(samples[:third]), of(samples[len(samples)-third:])
}

func (w watched) show(v float64) string {
	return strings.TrimSpace(fmt.Sprintf("%.4g %s", v, w.unit))
}

func soakPlot(title, unit string, samples []*soakSample, which ...int) string {
	l := chart.Lines{Title: title, Subtitle: "one sample a step; steps are a sixtieth of the soak", X: "minutes", Y: unit}
	for _, i := range which {
		w := everythingWatched[i]
		s := chart.Series{Label: w.name}
		for _, x := range samples {
			s.X = append(s.X, x.at.Minutes())
			s.Y = append(s.Y, w.of(x)*w.scale)
		}
		l.Series = append(l.Series, s)
	}
	return l.SVG()
}
