package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// sample is one load of one server.
type sample struct {
	Target string
	Round  int
	Wrk    wrkResult
	// CPU is what the server's process used, from before the load until it was
	// idle again: work put off until after the answers is part of their price.
	CPU time.Duration
	// LoadCPU is what wrk used. It shares the machine with the server.
	LoadCPU time.Duration
}

// measure starts the servers, loads them in turn and returns the samples.
func measure(ctx context.Context, o options, progress io.Writer) (_ []sample, err error) {
	work, err := os.MkdirTemp("", "clawd-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	targets, err := startTargets(ctx, o, work, progress)
	defer func() {
		for _, t := range targets {
			err = errors.Join(err, t.proc.Stop())
		}
	}()
	if err != nil {
		return nil, err
	}

	var samples []sample
	for round := range o.rounds {
		for i := range targets {
			// Each round starts with another server: none is always the one after the heaviest.
			t := targets[(i+round)%len(targets)]
			s, err := load(ctx, o, t)
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", t.name, round+1, err)
			}
			s.Round = round
			samples = append(samples, s)
			fmt.Fprintf(progress, "bench: round %d/%d  %-8s %8.0f requests/s  %6.2f µs CPU/request  p99 %s\n",
				round+1, o.rounds, t.name, s.perSecond(), s.cpuPerRequest(), micros(s.Wrk.P99US))
		}
	}
	return samples, nil
}

// load runs wrk once against t and checks that the answers it counted were given.
func load(ctx context.Context, o options, t *target) (sample, error) {
	if err := settle(ctx, t); err != nil {
		return sample{}, err
	}
	before, err := t.answered(ctx)
	if err != nil {
		return sample{}, err
	}
	cpu, err := t.cpu()
	if err != nil {
		return sample{}, err
	}
	res, loadCPU, err := runWrk(ctx, o, t.url)
	if err != nil {
		return sample{}, err
	}
	if err := settle(ctx, t); err != nil {
		return sample{}, err
	}
	cpuAfter, err := t.cpu()
	if err != nil {
		return sample{}, err
	}
	after, err := t.answered(ctx)
	if err != nil {
		return sample{}, err
	}
	if err := checkReal(res, after.total-before.total, o.connections); err != nil {
		return sample{}, err
	}
	if err := checkSpread(res, before, after, o); err != nil {
		return sample{}, err
	}
	return sample{Target: t.name, Wrk: res, CPU: cpuAfter - cpu, LoadCPU: loadCPU}, nil
}

// checkReal compares the answers wrk counted with what the server says it took.
// wrk leaves without waiting for the answer each connection may still be owed,
// so the server may be ahead by one a connection, and by no more.
func checkReal(res wrkResult, taken uint64, connections int) error {
	if res.failures() > 0 {
		return fmt.Errorf("%d of %d answers were not what was asked for: %+v", res.failures(), res.Requests, res)
	}
	if res.Requests == 0 {
		return errors.New("not one request was answered")
	}
	if taken < res.Requests || taken > res.Requests+uint64(connections) {
		return fmt.Errorf("wrk counted %d answers, the server took %d: they were not real", res.Requests, taken)
	}
	return nil
}

// checkSpread makes sure that the load reached as many agents as it claims to:
// a limiter that is asked about one agent alone has an easy life.
func checkSpread(res wrkResult, before, after tally, o options) error {
	if after.byAgent == nil {
		return nil // a server that knows no agents
	}
	touched := 0
	for agent, n := range after.byAgent {
		if n > before.byAgent[agent] {
			touched++
		}
	}
	// Each thread goes through all agents before it comes back to one.
	want := min(o.agents, int(res.Requests)/o.threads)
	if touched < want || touched > o.agents {
		return fmt.Errorf("%d requests reached %d agents, want %d", res.Requests, touched, want)
	}
	return nil
}

func (s sample) perSecond() float64 {
	return float64(s.Wrk.Requests) / (float64(s.Wrk.DurationUS) / 1e6)
}

// cpuPerRequest is in microseconds.
func (s sample) cpuPerRequest() float64 {
	return float64(s.CPU.Microseconds()) / float64(s.Wrk.Requests)
}

func (s sample) loadCPUPerRequest() float64 {
	return float64(s.LoadCPU.Microseconds()) / float64(s.Wrk.Requests)
}
