package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openclaw/clawd/client"
)

// answered is one request with what became of it.
type answered struct {
	arrival
	node    int
	sent    time.Duration
	done    time.Duration
	allowed bool
}

// outcome is everything the reckoning needs.
type outcome struct {
	scenes    []*scene
	requests  []answered
	failed    int64
	cutFor    time.Duration
	took      time.Duration
	converged time.Duration
	equal     error // nil when all nodes counted exactly what was answered
	synced    float64
	syncedRow float64
}

// play runs the recordings against the cluster. The last node is cut off for
// the fifth of the time after the first two.
func play(ctx context.Context, o options, scenes []*scene, progress io.Writer) (*outcome, error) {
	c, err := openCluster(ctx, o.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.close() }()
	for _, s := range scenes {
		if _, err := c.clients[0].Policies.Put(ctx, s.policy); err != nil {
			return nil, err
		}
	}
	if err := c.awaitPolicies(ctx, scenes); err != nil {
		return nil, err
	}
	all := merge(scenes)
	length := time.Duration(float64(o.span) / o.speedup)
	show := newProgress(progress, length)
	result := &outcome{scenes: scenes, cutFor: length / 5}

	begin := time.Now()
	cut := time.AfterFunc(2*length/5, func() { c.isolate(); show.cut.Store(true) })
	heal := time.AfterFunc(3*length/5, func() { c.net.Heal(); show.cut.Store(false) })
	defer cut.Stop()
	defer heal.Stop()
	if err := send(ctx, o, c, all, begin, show, result); err != nil {
		return nil, err
	}
	result.took = time.Since(begin)
	show.end()
	if err := c.await(ctx, "equal totals on all nodes", func() (bool, error) {
		result.equal = c.compare(ctx, result)
		return result.equal == nil, ctx.Err()
	}); err != nil && ctx.Err() != nil {
		return nil, err
	}
	result.converged = time.Since(begin) - result.took
	result.synced = c.sum("clawd_push_bytes_total", "clawd_pull_bytes_total")
	result.syncedRow = c.sum("clawd_merge_rows_total")
	return result, nil
}

func merge(scenes []*scene) []arrival {
	var all []arrival
	for _, s := range scenes {
		all = append(all, s.arrivals...)
	}
	slices.SortStableFunc(all, func(a, b arrival) int { return int(a.at - b.at) })
	return all
}

// send plays the arrivals at their times, each at a node chosen by chance.
func send(ctx context.Context, o options, c *cluster, all []arrival, begin time.Time, show *progressLine, result *outcome) error {
	rng := rand.New(rand.NewPCG(o.seed, 1))
	queues := make([]chan arrival, nodeCount)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range queues {
		queues[i] = make(chan arrival, 4096)
		for range o.workers {
			wg.Go(func() {
				var mine []answered
				for a := range queues[i] {
					r, err := ask(ctx, c.clients[i], a, begin)
					if err != nil {
						atomic.AddInt64(&result.failed, 1)
						continue
					}
					r.node = i
					show.count(r.allowed)
					mine = append(mine, r)
				}
				mu.Lock()
				result.requests = append(result.requests, mine...)
				mu.Unlock()
			})
		}
	}
	err := dispatch(ctx, all, begin, func(a arrival) { queues[rng.IntN(nodeCount)] <- a })
	for _, q := range queues {
		close(q)
	}
	wg.Wait()
	return err
}

func dispatch(ctx context.Context, all []arrival, begin time.Time, give func(arrival)) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for _, a := range all {
		if wait := a.at - time.Since(begin); wait > time.Millisecond {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		give(a)
	}
	return ctx.Err()
}

func ask(ctx context.Context, cl *client.Client, a arrival, begin time.Time) (answered, error) {
	r := answered{arrival: a, sent: time.Since(begin)}
	d, err := cl.Agents.Consume(ctx, a.agent, a.tokens)
	r.done, r.allowed = time.Since(begin), d.Allowed
	return r, err
}

// compare tells whether every node has counted what the clients were answered,
// no more and no less.
func (c *cluster) compare(ctx context.Context, result *outcome) error {
	want := make(map[string]int64)
	for _, r := range result.requests {
		if r.allowed {
			want[r.agent] += r.tokens
		}
	}
	var errs []error
	for i, cl := range c.clients {
		got := make(map[string]int64)
		for a, err := range cl.Agents.All(ctx, "") {
			if err != nil {
				return err
			}
			got[a.Agent] = int64(a.Consumed)
		}
		for agent, n := range want {
			if got[agent] != n {
				errs = append(errs, fmt.Errorf("%s has %d consumed by %s, clients were granted %d", nodeName(i), got[agent], agent, n))
			}
		}
	}
	return errors.Join(errs...)
}

func (c *cluster) awaitPolicies(ctx context.Context, scenes []*scene) error {
	return c.await(ctx, "the policies on all nodes", func() (bool, error) {
		for _, cl := range c.clients {
			for _, s := range scenes {
				if _, err := cl.Policies.Get(ctx, s.policy.Name); err != nil {
					return false, nil //nolint:nilerr // not there yet
				}
			}
		}
		return true, nil
	})
}
