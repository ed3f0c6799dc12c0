package accuracy

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/openclaw/clawd/ratelimit"
)

// Each run is held to the published bounds, on the debt of the true bucket at any
// instant and on the total, and to the models.
func TestRunsStayWithinTheBoundAndBesideTheModel(t *testing.T) {
	for _, row := range SyncRows() {
		for i, r := range row.Run {
			if r.Over > r.Bound || r.Beyond > r.Bound {
				t.Errorf("sync %v, N=%d, %g×: overdrawn by %.0f, %.0f beyond C + rT, bound %.0f", row.Sync, row.Nodes, loads[i], r.Over, r.Beyond, r.Bound)
			}
			if most := row.Model[i]*1.25 + 2; r.Over > most {
				t.Errorf("sync %v, N=%d, %g×: overdrawn by %.0f, the model by %.0f", row.Sync, row.Nodes, loads[i], r.Over, row.Model[i])
			}
			if r.Ratio < 0.985 || r.Ratio > 1.015 {
				t.Errorf("sync %v, N=%d, %g×: admitted %.3f of ideal", row.Sync, row.Nodes, loads[i], r.Ratio)
			}
		}
	}
}

func TestPartitionsStayBesideTheModel(t *testing.T) {
	for _, row := range CutRows() {
		r := row.Run
		if r.Over > r.Bound {
			t.Errorf("%s, N=%d, %g×: overdrawn by %.0f, bound %.0f", row.Rule, row.Nodes, row.Load, r.Over, r.Bound)
		}
		if row.Model == nil {
			continue
		}
		if r.Over > row.Model.Over*1.2+2 {
			t.Errorf("%s, N=%d, %g×: overdrawn by %.0f, the model by %.0f", row.Rule, row.Nodes, row.Load, r.Over, row.Model.Over)
		}
		for when, ratio := range map[string][2]float64{"in the cut": {r.InCut, row.Model.InCut}, "after it": {r.Healing, row.Model.Healing}} {
			// No further from the ideal than the model is.
			if off, may := math.Abs(ratio[0]-1), math.Abs(ratio[1]-1)+0.04; off > may {
				t.Errorf("%s, N=%d, %g×: admitted %.3f of ideal %s, the model %.2f", row.Rule, row.Nodes, row.Load, ratio[0], when, ratio[1])
			}
		}
	}
}

// The page shows what the code does now; `make accuracy` brings it up to date.
func TestThePageIsUpToDate(t *testing.T) {
	page, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := Page(SyncRows(), CutRows()); !strings.Contains(string(page), want) {
		t.Errorf("docs/reliability.md differs; make accuracy writes\n%s", want)
	}
}

// A slow quota with rare requests: the share that is held must be an average
// over time. An average over messages is zero between two requests and far above
// r after one, and two halves then admit twice the rate, or a third of it.
func TestSimulatedPartitionOfSlowQuota(t *testing.T) {
	policy := ratelimit.Policy{Capacity: 1000, RefillRate: ratelimit.Whole(1000), IntervalSeconds: ratelimit.Whole(3600), Minority: ratelimit.MinorityHold}
	const r = 1000.0 / 3600
	t.Run("steady", func(t *testing.T) {
		res := simCase{policy: policy, nodes: 2, load: 3, syncMS: 1000, seconds: 4 * 3600, seed: 3, cut: [2]int{3600, 3 * 3600}}.run()
		if res.InCut < 0.95 || res.InCut > 1.02 || res.Over > 20 {
			t.Errorf("overdrawn by %.0f, admitted %.2f of ideal in the cut", res.Over, res.InCut)
		}
	})
	t.Run("burst before the cut", func(t *testing.T) {
		const cutAt = 1800
		res := simCase{
			policy: policy, nodes: 2, syncMS: 1000, seconds: 2 * 3600, seed: 3, cut: [2]int{cutAt, 5400},
			offered: func(node int, second float64) float64 {
				switch {
				case node == 0:
					return 0.9 * r
				case second > cutAt-10 && second < cutAt-5:
					return 1 // a few requests, then silence
				case second < 60:
					return 0.1 // it was there before
				}
				return 0
			},
		}.run()
		if res.InCut < 0.98 {
			t.Errorf("admitted %.2f of ideal in the cut", res.InCut)
		}
	})
}

// A flood is served by all nodes, also when the first burst has left their levels
// apart, and that does not add up to more than the rate.
func TestAFloodIsServedByAllNodes(t *testing.T) {
	for _, c := range []struct {
		floor  int64
		nodes  int
		syncMS int
	}{
		{100, 3, 100},
		{100, 5, 100},
		{100, 10, 100},
		{10, 3, 100},
		{10, 5, 100},
		{100, 3, 1000},
		{100, 5, 1000},
		{100, 10, 1000},
		{ratelimit.MaxTokens, 3, 1000},
	} {
		for seed := range uint32(3) {
			s := start(simCase{policy: hundred(c.floor), nodes: c.nodes, load: 10, syncMS: c.syncMS, seconds: 240, seed: 3 + seed})
			half := make([]int64, c.nodes) // by then the burst is paid for
			for k := range s.arrivals {
				s.tick(k)
				if k == len(s.arrivals)/2 {
					for i := range s.nodes {
						half[i] = s.nodes[i].own
					}
				}
			}
			least, all := int64(math.MaxInt64), int64(0)
			for i, n := range s.nodes {
				least, all = min(least, n.own-half[i]), all+n.own-half[i]
			}
			if part := float64(least) / float64(all) * float64(c.nodes); part < 0.4 {
				t.Errorf("floor %d, sync %d ms, N=%d, seed %d: a node serves %.2f of an equal part", c.floor, c.syncMS, c.nodes, seed, part)
			}
			if rate := float64(all) / ratelimit.Token / 120; rate > 101 {
				t.Errorf("floor %d, sync %d ms, N=%d, seed %d: %.1f a second of 100 are admitted", c.floor, c.syncMS, c.nodes, seed, rate)
			}
		}
	}
}
