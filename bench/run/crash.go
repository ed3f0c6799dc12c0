package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/openclaw/clawd/bench/load"
)

// interval is clawd's default --flush-interval.
const interval = 100 * time.Millisecond

// crash loads a node, kills it, and compares what its callers were granted with
// what it knows after a restart.
func crash(ctx context.Context, b *bench) (section, error) {
	const times, rate, run = 3, 20_000, 2 * time.Second
	nodes, err := b.startNodes(ctx, 1)
	if err != nil {
		return section{}, err
	}
	n := nodes[0]
	s := section{Setup: fmt.Sprintf("One node, durability `async`, an open loop of %d requests/s over %d agents. After %s the process gets SIGKILL in the midst of it, "+
		"and is started again on its data.", rate, b.agents, run)}
	s.head("kill", "granted before", "known after", "forgotten", "granted in the last 100 ms", "those granted in the last")
	worst := time.Duration(0)
	invented := false
	for i := range times {
		before, err := n.consumed(ctx, fullAgents)
		if err != nil {
			return section{}, err
		}
		h := history{}
		killed := make(chan error, 1)
		time.AfterFunc(run, func() { killed <- n.proc.Kill() })
		res, err := load.Run(ctx, load.Options{
			Addr: strings.TrimPrefix(n.url, "http://"), Rate: rate, Duration: 2 * run, Connections: b.connections,
			Request: load.Agents(fullAgents, b.agents), Progress: h.note,
		})
		if err != nil {
			return section{}, err
		}
		if err := <-killed; err != nil {
			return section{}, err
		}
		if err := n.start(ctx); err != nil {
			return section{}, err
		}
		after, err := n.consumed(ctx, fullAgents)
		if err != nil {
			return section{}, err
		}
		known := after.total - before.total
		forgotten := int64(res.Answered) - int64(known)
		// Calls that were decided but whose answers the kill cut off may be known, too.
		invented = invented || forgotten < -int64(b.connections)
		age := h.age(uint64(max(0, int64(res.Answered)-forgotten)), res.Answered)
		worst = max(worst, age)
		s.row(fmt.Sprint(i+1), fmt.Sprint(res.Answered), fmt.Sprint(known), fmt.Sprint(forgotten), fmt.Sprint(h.since(interval, res.Answered)), latency(age))
		b.say("kill %d: %d granted, %d forgotten, those of the last %s", i+1, res.Answered, forgotten, latency(age))
	}
	s.note("One flush gathers for 100 ms while the one before is written, so that a kill forgets what was granted since the last completed one began.")
	s.Goals = []goal{
		{
			"kill -9 under load forgets at most one flush", fmt.Sprintf("≤ %s and what a commit takes", latency(interval)),
			"the last " + latency(worst), worst <= 2*interval,
		},
		{"nothing is counted that nobody asked for", "nothing", map[bool]string{false: "nothing", true: "something"}[invented], !invented},
	}
	return s, nil
}

// history is how many answers had come when.
type history struct {
	at []time.Time
	n  []uint64
}

func (h *history) note(answered uint64) {
	h.at, h.n = append(h.at, time.Now()), append(h.n, answered)
}

// age is how long before the last answer there had been n.
func (h *history) age(n, last uint64) time.Duration {
	if n >= last {
		return 0
	}
	end := h.end(last)
	for i := len(h.n) - 1; i >= 0; i-- {
		if h.n[i] <= n {
			return end.Sub(h.at[i])
		}
	}
	return end.Sub(h.at[0])
}

// end is when the last answer had come.
func (h *history) end(last uint64) time.Time {
	for i, n := range h.n {
		if n >= last {
			return h.at[i]
		}
	}
	return h.at[len(h.at)-1]
}

// since is how many answers came within d of the last.
func (h *history) since(d time.Duration, last uint64) uint64 {
	end := h.end(last)
	for i := len(h.n) - 1; i >= 0; i-- {
		if end.Sub(h.at[i]) >= d {
			return last - h.n[i]
		}
	}
	return last
}
