package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/internal/witness"
	"github.com/openclaw/clawd/ratelimit"
)

// kills is how often the node under load is killed in a row.
const kills = 20

// maySlip is how long before a crash an `async` admission may have been
// acknowledged that is forgotten: one flush interval, and the time for a commit
// on a machine that is busy with other tests.
const maySlip = 100*time.Millisecond + 200*time.Millisecond

// reserveCapacity sets what a crash may count too much under `reserve`: 1 % of it.
const reserveCapacity = 1_000_000

func TestKillNineUnderLoadForgetsNoMoreThanTheDurabilityStates(t *testing.T) {
	t.Parallel()
	f, nodes := started(t, "a", "b", "c")
	victim := nodes[1]
	putPolicy(t, roomy("async", "async-*", ratelimit.Async), nodes...)
	reserve := roomy("reserve", "reserve-*", ratelimit.Reserve)
	reserve.Capacity = reserveCapacity
	putPolicy(t, reserve, nodes...)
	putPolicy(t, roomy("sync", "sync-*", ratelimit.Sync), nodes...)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{}, 2)
	offer := func(l fleet.Load) {
		f.Offer(ctx, l)
		done <- struct{}{}
	}
	agents := []string{"async-1", "async-2", "reserve-1", "reserve-2", "sync-1", "sync-2"}
	go offer(fleet.Load{Nodes: []*fleet.Node{victim}, PerSecond: 120, Agents: agents, Seed: 3})
	go offer(fleet.Load{Nodes: []*fleet.Node{nodes[0], nodes[2]}, PerSecond: 30, Agents: agents, Seed: 4})

	chance := rand.New(rand.NewPCG(5, 0))
	maySlipAway := map[string]int64{}
	for range kills {
		up := f.Since()
		must(t, fleet.Until(within(t, patience), func(context.Context) error {
			for _, agent := range agents {
				if witness.Sum(f.Book.Answers(witness.Of(agent), witness.AckedIn(victim.Name, up, f.Since()))).Admitted == 0 {
					return fmt.Errorf("nothing admitted of %s", agent)
				}
			}
			return nil
		}))
		<-time.After(time.Duration(chance.Int64N(int64(150 * time.Millisecond)))) // anywhere in a flush
		from := f.Since()
		must(t, victim.Kill())
		until := f.Since()
		for _, agent := range []string{"async-1", "async-2"} {
			maySlipAway[agent] += witness.Sum(f.Book.Answers(witness.Of(agent), witness.AckedIn(victim.Name, from-maySlip, until))).Admitted
		}
		must(t, victim.Start(within(t, patience)))
	}
	cancel()
	<-done
	<-done
	took, err := fleet.Converged(within(t, patience), nodes...)
	must(t, err)
	for _, agent := range agents {
		total, err := fleet.Totals(within(t, patience), agent, nodes...)
		must(t, err)
		mayInvent := int64(0)
		if agent[:3] == "res" {
			mayInvent = kills * (reserveCapacity/100 + 1) // 1 s of the refill is less than a token
		}
		checkAccount(t, f, agent, total, maySlipAway[agent], mayInvent)
		a := witness.AccountOf(f.Book.Answers(witness.Of(agent)), total)
		t.Logf("%-9s acknowledged %d, counted %d, without answer %d, forgotten %d (allowed %d)",
			agent, a.Acknowledged, a.Counted, a.Uncertain, a.Forgotten(), maySlipAway[agent])
	}
	t.Logf("%d kills; equal digests %v after the load", kills, took.Round(time.Millisecond))
}

func TestADrainingNodeFinishesWhatItBegan(t *testing.T) {
	t.Parallel()
	f, nodes := started(t, "a", "b", "c")
	putPolicy(t, roomy("roomy", "load-*", ratelimit.Async), nodes...)
	agents := []string{"load-1", "load-2"}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Offer(ctx, fleet.Load{Nodes: nodes, PerSecond: 150, Agents: agents, Seed: 6})
	}()
	must(t, fleet.Until(ctx, func(context.Context) error {
		if n := len(f.Book.Answers()); n < 100 {
			return fmt.Errorf("%d answers", n)
		}
		return nil
	}))
	began := time.Now()
	must(t, nodes[2].Stop())
	took := time.Since(began)
	cancel()
	<-done
	if code := nodes[2].Process().ExitCode(); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
	if took > 10*time.Second {
		t.Errorf("the drain took %v, want at most 10 s", took)
	}
	checkCutOff(t, f)
	_, err := fleet.Converged(within(t, patience), nodes[:2]...)
	must(t, err)
	for _, agent := range agents {
		total, err := fleet.Totals(within(t, patience), agent, nodes[:2]...)
		must(t, err)
		checkAccount(t, f, agent, total, 0, 0)
	}
	state, err := nodes[0].StateOf(t.Context(), nodes[2].Name)
	must(t, err)
	if state != client.StateLeft && state != "" {
		t.Errorf("the node that left is shown as %q", state)
	}
	t.Logf("drained in %v", took.Round(time.Millisecond))
}

func TestARollingRestartForgetsNothing(t *testing.T) {
	t.Parallel()
	f, nodes := started(t, "a", "b", "c")
	putPolicy(t, roomy("roomy", "load-*", ratelimit.Async), nodes...)
	agents := []string{"load-1", "load-2"}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Offer(ctx, fleet.Load{Nodes: nodes, PerSecond: 90, Agents: agents, Seed: 7})
	}()
	for _, n := range nodes {
		must(t, n.Stop())
		must(t, n.Start(within(t, patience)))
		must(t, f.Assembled(within(t, patience), nodes...))
	}
	cancel()
	<-done
	_, err := fleet.Converged(within(t, patience), nodes...)
	must(t, err)
	for _, agent := range agents {
		total, err := fleet.Totals(within(t, patience), agent, nodes...)
		must(t, err)
		checkAccount(t, f, agent, total, 0, 0)
	}
	s := witness.Sum(f.Book.Answers())
	checkCutOff(t, f)
	t.Logf("%d requests, %d while their node was down", s.Requests, s.Refused)
	p, err := nodes[1].Client.Policies.Get(t.Context(), "roomy")
	must(t, err)
	if p.Match != "load-*" {
		t.Errorf("the policy after all nodes were restarted: %+v", p)
	}
}

// checkCutOff allows a drain what HTTP/1.1 cannot avoid: a request that a client
// sends on an idle connection at the moment the server closes it. A refusal that
// says why is an answer.
func checkCutOff(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	cut := f.Book.Answers(witness.Undecided, func(a witness.Answer) bool {
		var answered *client.Error
		return !errors.As(a.Err, &answered)
	})
	if all := len(f.Book.Answers()); len(cut) > 2+all/500 {
		t.Errorf("%d of %d requests were cut off without an answer, the first one to %s: %v", len(cut), all, cut[0].Node, cut[0].Err)
	}
}
