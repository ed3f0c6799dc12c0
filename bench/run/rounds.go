package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// sample is one load of one server.
type sample struct {
	target string
	round  int
	wrk    wrkResult
	checks int // decisions a request
	// cpu is what the server's processes used, from before the load until they
	// were idle again: work put off until after the answers is part of their
	// price.
	cpu time.Duration
	// loadCPU is what wrk used. It shares the machine with the server.
	loadCPU time.Duration
	// others is the share of the machine that neither of them used nor idled.
	others float64
}

func (s sample) seconds() float64   { return float64(s.wrk.DurationUS) / 1e6 }
func (s sample) perSecond() float64 { return float64(s.wrk.Requests) / s.seconds() }

// cpuPerRequest is in microseconds.
func (s sample) cpuPerRequest() float64 {
	return float64(s.cpu.Microseconds()) / float64(s.wrk.Requests)
}

func (s sample) loadCPUPerRequest() float64 {
	return float64(s.loadCPU.Microseconds()) / float64(s.wrk.Requests)
}

func (s sample) p50() float64 { return s.wrk.P50US }
func (s sample) p99() float64 { return s.wrk.P99US }

// rounds loads the targets in turn. It starts with a round that does not count,
// in which caches fill and agents become known.
func (b *bench) rounds(ctx context.Context, targets []*target, n int) (rounds, error) {
	var all []sample
	for round := range n + 1 {
		for i := range targets {
			// Each round starts with another server: none is always the one after the heaviest.
			t := targets[(i+round)%len(targets)]
			s, err := b.load(ctx, t, round == 0)
			if err != nil {
				return rounds{}, fmt.Errorf("%s, round %d: %w", t.name, round, err)
			}
			if round == 0 {
				continue
			}
			s.round = round - 1
			all = append(all, s)
			b.say("round %d/%d  %-14s %8.0f requests/s  %7.2f µs CPU/request  p99 %-8s others %2.0f %%",
				round, n, t.name, s.perSecond(), s.cpuPerRequest(), micros(s.p99()), 100*s.others)
		}
	}
	return keep(all), nil
}

// load runs wrk once against t and checks that the answers it counted were given.
func (b *bench) load(ctx context.Context, t *target, warming bool) (sample, error) {
	if err := settle(ctx, t.procs); err != nil {
		return sample{}, err
	}
	before, err := t.answered(ctx)
	if err != nil {
		return sample{}, err
	}
	l := t.load
	if warming {
		l.duration = time.Second
	}
	s := sample{target: t.name, checks: l.checks}
	if err := s.meter(ctx, t, l); err != nil {
		return sample{}, err
	}
	after, err := t.answered(ctx)
	if err != nil {
		return sample{}, err
	}
	return s, errors.Join(checkReal(s.wrk, after.total-before.total, l), checkSpread(s.wrk, before, after, l))
}

// meter fills in what the load took.
func (s *sample) meter(ctx context.Context, t *target, l wrkLoad) error {
	busy, err := machineUsage()
	if err != nil {
		return err
	}
	cpu, err := cpuOf(t.procs)
	if err != nil {
		return err
	}
	began := time.Now()
	if s.wrk, s.loadCPU, err = l.run(ctx, t.url); err != nil {
		return err
	}
	if err := settle(ctx, t.procs); err != nil {
		return err
	}
	cpuAfter, err := cpuOf(t.procs)
	if err != nil {
		return err
	}
	busyAfter, err := machineUsage()
	if err != nil {
		return err
	}
	s.cpu = cpuAfter - cpu
	s.others = others(busy, busyAfter, s.cpu+s.loadCPU).Seconds() / (time.Since(began).Seconds() * float64(runtime.NumCPU()))
	return nil
}

// checkReal compares the answers wrk counted with what the server says it took.
// wrk leaves without waiting for the answer each connection may still be owed,
// so the server may be ahead by one a connection, and by no more.
func checkReal(res wrkResult, taken uint64, l wrkLoad) error {
	refused := uint64(0)
	if l.denied {
		refused, res.NotOK = res.Requests-res.NotOK, 0
	}
	if failed := res.failures() + res.NotOK + refused; failed > 0 {
		return fmt.Errorf("%d of %d answers were not what was asked for: %+v", failed, res.Requests, res)
	}
	if res.Requests == 0 {
		return errors.New("not one request was answered")
	}
	if l.denied {
		if taken > 0 {
			return fmt.Errorf("%d tokens were taken by calls that were denied", taken)
		}
		return nil
	}
	each := uint64(l.checks)
	if taken < each*res.Requests || taken > each*(res.Requests+uint64(l.connections)) {
		return fmt.Errorf("wrk counted %d answers of %d decisions, the server took %d tokens: they were not real", res.Requests, each, taken)
	}
	return nil
}

// checkSpread makes sure that the load reached as many agents as it claims to:
// a limiter that is asked about one agent alone has an easy life.
func checkSpread(res wrkResult, before, after tally, l wrkLoad) error {
	if after.byAgent == nil {
		return nil // a server that does not tell
	}
	touched := 0
	for agent, n := range after.byAgent {
		if n > before.byAgent[agent] {
			touched++
		}
	}
	if want := min(l.agents, int(res.Requests)*l.checks); touched < want || touched > l.agents {
		return fmt.Errorf("%d requests reached %d agents, want %d", res.Requests, touched, want)
	}
	return nil
}
