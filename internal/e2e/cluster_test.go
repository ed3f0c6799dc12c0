package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/internal/witness"
	"github.com/openclaw/clawd/ratelimit"
)

// Not in parallel with others: it measures time.
func TestConsumptionOnEachNodeIsVisibleOnAllWithinASecond(t *testing.T) {
	f, nodes := started(t, "a", "b", "c")
	for i, n := range nodes {
		agent := fmt.Sprintf("visible-%d", i)
		if got := f.Ask(t.Context(), n, agent, 3).Verdict; got != witness.Admitted {
			t.Fatalf("3 of 1000 tokens: verdict %v", got)
		}
		acked := time.Now()
		must(t, fleet.Until(within(t, patience), func(ctx context.Context) error {
			for _, o := range nodes {
				counted, err := o.Consumed(ctx, agent)
				if err != nil || counted != 3 {
					return fmt.Errorf("%s counts %d: %w", o.Name, counted, err)
				}
			}
			return nil
		}))
		took := time.Since(acked)
		t.Logf("what %s admitted was visible everywhere after %v", n.Name, took.Round(time.Millisecond))
		if took > time.Second {
			t.Error("want 1 s")
		}
	}
}

func TestQuietNodesAgreeAndANewOneServesTheSame(t *testing.T) {
	t.Parallel()
	f, nodes := started(t, "a", "b", "c")
	putPolicy(t, roomy("roomy", "load-*", ratelimit.Async), nodes...)
	agents := []string{"load-1", "load-2", "load-3", "load-4"}
	f.Offer(within(t, 4*time.Second), fleet.Load{Nodes: nodes, PerSecond: 150, Agents: agents, Tokens: 2, Seed: 1})
	_, err := nodes[2].Client.Agents.Refund(t.Context(), "load-1", 2) // at a node that need not have consumed it
	must(t, err)

	_, err = fleet.Converged(within(t, patience), nodes...)
	must(t, err)
	fourth := add(t, f, "d")
	must(t, fourth.Start(within(t, patience)))
	must(t, f.Assembled(within(t, patience), f.Nodes()...))
	_, err = fleet.Converged(within(t, patience), f.Nodes()...)
	must(t, err)
	for i, agent := range agents {
		total, err := fleet.Totals(within(t, patience), agent, f.Nodes()...)
		must(t, err)
		if i == 0 {
			total += 2 // the refund
		}
		checkAccount(t, f, agent, total, 0, 0)
	}
	p, err := fourth.Client.Policies.Get(t.Context(), "roomy")
	must(t, err)
	if p.Capacity != 1_000_000_000 {
		t.Errorf("the fourth node's policy: %+v", p)
	}

	// The fourth also counts, for all.
	f.Ask(t.Context(), fourth, "load-4", 5)
	total, err := fleet.Totals(within(t, patience), "load-4", f.Nodes()...)
	must(t, err)
	checkAccount(t, f, "load-4", total, 0, 0)
}

// checkAccount compares an agent's total with what its clients were told.
func checkAccount(t *testing.T, f *fleet.Fleet, agent string, counted, mayForget, mayInvent int64) {
	t.Helper()
	answers := f.Book.Answers(witness.Of(agent))
	if witness.Sum(answers).Admitted == 0 {
		t.Errorf("%s: nothing was admitted, so there is nothing to compare", agent)
	}
	if err := witness.AccountOf(answers, counted).Check(mayForget, mayInvent); err != nil {
		t.Errorf("%s: %v", agent, err)
	}
}

func TestTheShareOfAMemberThatIsGoneIsReleased(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(t *testing.T, gone, survivor *fleet.Node)
		// free is how long the survivors may still hold the share: a failure has
		// to be noticed (some seconds) and is waited for 10 s more.
		free time.Duration
	}{
		{"left", func(t *testing.T, gone, _ *fleet.Node) { must(t, gone.Stop()) }, 10 * time.Second},
		{"killed", func(t *testing.T, gone, _ *fleet.Node) { must(t, gone.Kill()) }, 40 * time.Second},
		{"killed and forgotten", func(t *testing.T, gone, survivor *fleet.Node) {
			must(t, gone.Kill())
			// A member that answers is not forgotten, and its death takes a moment to be noticed.
			must(t, fleet.Until(within(t, patience), func(ctx context.Context) error {
				_, err := survivor.Client.Cluster.Forget(ctx, gone.Name)
				return err
			}))
		}, 20 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const rate = 20
			f, nodes := started(t, "a", "b", "c")
			putPolicy(t, tight("tight", "shared", rate, rate), nodes...)

			// All three ask for the whole rate each, so that each has a third of it.
			load := fleet.Load{Nodes: nodes, PerSecond: 3 * rate, Agents: []string{"shared"}, Seed: 2}
			f.Offer(within(t, 6*time.Second), load)
			c.end(t, nodes[2], nodes[0])
			began := f.Since()

			load.Nodes, load.PerSecond = nodes[:2], 4*rate
			ctx, cancel := context.WithCancel(within(t, patience+c.free))
			defer cancel()
			done := make(chan struct{})
			go func() { defer close(done); f.Offer(ctx, load) }()
			const window = 3 * time.Second
			err := fleet.Until(ctx, func(context.Context) error {
				now := f.Since()
				if now-began < window {
					return fmt.Errorf("not yet observed for %v", window)
				}
				admitted := witness.Sum(f.Book.Answers(witness.SentIn(now-window, now))).Admitted
				if per := float64(admitted) / window.Seconds(); per < 0.9*rate {
					return fmt.Errorf("the survivors admit %.1f of %d tokens a second", per, rate)
				}
				return nil
			})
			took := f.Since() - began
			cancel()
			<-done
			must(t, err)
			t.Logf("the survivors had the whole rate again after %v", took.Round(100*time.Millisecond))
			if took > c.free {
				t.Errorf("the share was held for %v, want at most %v", took, c.free)
			}
		})
	}
}
