package node

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"
)

func TestTheHeaviestAgentsAreFoundAmongMany(t *testing.T) {
	t.Parallel()
	const named, heavy, light = 10, 10, 20_000
	top := newTopAgents(named)
	rng := rand.New(rand.NewPCG(1, 2))
	for range light {
		top.add("default", fmt.Sprintf("light-%d", rng.IntN(light)), microTokens)
		if i := rng.IntN(20); i < heavy {
			top.add("default", fmt.Sprintf("heavy-%d", i), 5*microTokens)
		}
	}
	for _, r := range top.best(named) {
		if !strings.HasPrefix(r.name.agent, "heavy-") {
			t.Errorf("%s with %d is among the best", r.name.agent, r.count/microTokens)
		}
	}
	for i := range top.shards {
		if n := len(top.shards[i].entries); n > 2*named {
			t.Errorf("a shard holds %d agents, want at most %d", n, 2*named)
		}
	}
}

// TestTheSketchNeverCountsTooLow compares it with a map of everything, its
// slow and obvious twin.
func TestTheSketchNeverCountsTooLow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var s topShard
		s.limit = rapid.IntRange(1, 5).Draw(t, "room")
		s.entries = make(map[agentName]*topEntry)
		truth := make(map[agentName]uint64)
		var total uint64
		for range rapid.IntRange(0, 60).Draw(t, "calls") {
			name := agentName{"t", string(rune('a' + rapid.IntRange(0, 8).Draw(t, "agent")))}
			amount := uint64(rapid.IntRange(0, 9).Draw(t, "amount"))
			s.add(name, amount)
			truth[name] += amount
			total += amount
		}
		least := ^uint64(0)
		var sum uint64
		for name, e := range s.entries {
			if e.count < truth[name] || e.gain > truth[name] {
				t.Fatalf("%v: between %d and %d, truly %d", name, e.gain, e.count, truth[name])
			}
			if s.least[e.index] != e {
				t.Fatalf("%v is not where its index says", name)
			}
			least = min(least, e.count)
			sum += e.count
		}
		if sum != total || s.total != total {
			t.Fatalf("counts sum to %d and total is %d, want %d", sum, s.total, total)
		}
		for name, amount := range truth {
			if s.entries[name] == nil && amount > least {
				t.Fatalf("%v has %d and is not in a table whose least is %d", name, amount, least)
			}
		}
	})
}

// TestSeriesOnlyGrowAndAddUp is what Prometheus needs of a counter, and what
// makes the sum over all series the truth.
func TestSeriesOnlyGrowAndAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		top := newTopAgents(2)
		c := newTopCollector(top, 2)
		last := make(map[string]uint64)
		var total, counted uint64 // counted sums up the increases, as rate() does
		for range rapid.IntRange(1, 8).Draw(t, "scrapes") {
			for range rapid.IntRange(0, 20).Draw(t, "calls") {
				amount := uint64(rapid.IntRange(0, 9).Draw(t, "amount"))
				top.add("default", string(rune('a'+rapid.IntRange(0, 9).Draw(t, "agent"))), amount)
				total += amount
			}
			now := c.report()
			if len(now) > 3 {
				t.Fatalf("%d series: %v", len(now), now)
			}
			for agent, value := range now {
				was, shown := last[agent]
				if shown && value < was {
					t.Fatalf("%s fell from %d to %d", agent, was, value)
				}
				counted += value - was
			}
			if counted != total {
				t.Fatalf("the increases sum to %d, want %d", counted, total)
			}
			last = now
		}
	})
}

func TestAgentLabels(t *testing.T) {
	t.Parallel()
	top := newTopAgents(5)
	top.add("default", "plain", 2_500_000)
	top.add("acme", "bot", microTokens)
	top.add("default", "\xff", microTokens)
	err := testutil.CollectAndCompare(newTopCollector(top, 5), strings.NewReader(`
# HELP openclaw_tokens_used_total Tokens this node admitted, for its busiest agents; all others are summed as other.
# TYPE openclaw_tokens_used_total counter
openclaw_tokens_used_total{agent_id="0xff"} 1
openclaw_tokens_used_total{agent_id="acme/bot"} 1
openclaw_tokens_used_total{agent_id="other"} 0
openclaw_tokens_used_total{agent_id="plain"} 2.5
`))
	if err != nil {
		t.Error(err)
	}
}

func TestNoRankingCountsNothing(t *testing.T) {
	t.Parallel()
	top := newTopAgents(-1)
	top.add("default", "a", 1)
	if len(top.best(10)) != 0 {
		t.Error("a ranking that is off ranks")
	}
}

func BenchmarkTopAgentsAdd(b *testing.B) {
	top := newTopAgents(DefaultTopAgents)
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf("agent-%d", i)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		i := rand.IntN(len(names))
		for pb.Next() {
			top.add("default", names[i%len(names)], microTokens)
			i++
		}
	})
}
