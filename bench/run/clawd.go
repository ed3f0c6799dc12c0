package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/proc"
	"github.com/openclaw/clawd/ratelimit"
)

// capacity is so large that no call of the benchmark is denied: an admission
// writes state, a denial does not, and mixing them would flatter the result.
const capacity = 9_000_000_000

// startClawd starts one node with an empty data directory and meets every agent
// once, so that a load finds them known.
func startClawd(ctx context.Context, o options, work string) (*target, error) {
	var addrs [3]string
	for i := range addrs {
		addr, err := proc.FreeAddr()
		if err != nil {
			return nil, err
		}
		addrs[i] = addr
	}
	t, err := start(ctx, work, "clawd", addrs[0], o.clawd, "serve",
		"--http-addr", addrs[0], "--peer-addr", addrs[1], "--gossip-addr", addrs[2],
		"--data-dir", filepath.Join(work, "data"))
	if err != nil {
		return nil, err
	}
	if err := prepare(ctx, o, t); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare clawd: %w", err), t.proc.Stop())
	}
	return t, nil
}

func prepare(ctx context.Context, o options, t *target) error {
	c, err := client.New(t.url, client.Options{MaxRetries: -1})
	if err != nil {
		return err
	}
	t.answered = func(ctx context.Context) (tally, error) { return consumed(ctx, c) }

	if err := putPolicy(ctx, c); err != nil {
		return err
	}
	if err := mustDeny(ctx, c); err != nil {
		return err
	}
	if err := meet(ctx, c, o.agents); err != nil {
		return err
	}
	// Here nothing is in flight, so the totals have to be exact.
	met, err := t.answered(ctx)
	if err != nil {
		return err
	}
	if met.total != uint64(o.agents) || len(met.byAgent) != o.agents {
		return fmt.Errorf("%d agents took one token each, the totals say %d tokens of %d agents", o.agents, met.total, len(met.byAgent))
	}
	return nil
}

func putPolicy(ctx context.Context, c *client.Client) error {
	refill, err := ratelimit.ParseDecimal("1000")
	if err != nil {
		return err
	}
	interval, err := ratelimit.ParseDecimal("1")
	if err != nil {
		return err
	}
	_, err = c.Policies.Put(ctx, client.Policy{
		Name: "bench", Match: agentPrefix + "-*", Capacity: capacity, RefillRate: refill, IntervalSeconds: interval,
	})
	return err
}

// mustDeny makes sure that the server under load is a limiter: it has to refuse
// more than a bucket holds. Nothing is consumed.
func mustDeny(ctx context.Context, c *client.Client) error {
	d, err := c.Agents.Consume(ctx, "idle", 1000)
	if err != nil {
		return err
	}
	if !d.Allowed {
		return fmt.Errorf("a full bucket denied what it holds: %+v", d)
	}
	d, err = c.Agents.Consume(ctx, "idle", 1000)
	if err != nil {
		return err
	}
	if d.Allowed {
		return fmt.Errorf("an empty bucket admitted: %+v", d)
	}
	return nil
}

// meet consumes one token of each agent.
func meet(ctx context.Context, c *client.Client, agents int) error {
	const workers = 16
	var (
		wg     sync.WaitGroup
		failed = make(chan error, workers)
	)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < agents; i += workers {
				d, err := c.Agents.Consume(ctx, fmt.Sprintf("%s-%05d", agentPrefix, i), 1)
				if err == nil {
					err = d.Err()
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed // nil when none failed
}

// consumed is what the agents of the benchmark have consumed.
func consumed(ctx context.Context, c *client.Client) (tally, error) {
	t := tally{byAgent: map[string]uint64{}}
	for agent, err := range c.Agents.All(ctx, agentPrefix+"-") {
		if err != nil {
			return tally{}, err
		}
		t.total += agent.Consumed
		t.byAgent[agent.Agent] = agent.Consumed
	}
	return t, nil
}
