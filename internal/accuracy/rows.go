package accuracy

import (
	"time"

	"github.com/openclaw/clawd/ratelimit"
)

// Result is what one case came to.
type Result struct {
	Over           float64 // tokens the true bucket was overdrawn by, at most
	Ratio          float64 // admitted ÷ ideal
	InCut, Healing float64 // the same during a partition, and in the 20 s after it
	Beyond         float64 // admitted − (C + r·T)
	Bound          float64 // on Over
}

// loads are multiples of the rate that are offered, over all nodes.
var loads = [3]float64{1, 2, 10}

// SyncRow is a row of the table without partitions.
type SyncRow struct {
	Sync  time.Duration
	Nodes int
	Model [3]float64 // overshoot by load, of the design's model of this algorithm
	Run   [3]Result
}

// SyncRows measures the table without partitions: capacity 100, 100 a second, 60 s.
// Debt is not forgiven, as in the model.
func SyncRows() []SyncRow {
	rows := []SyncRow{
		{Sync: 100 * time.Millisecond, Nodes: 3, Model: [3]float64{0, 10, 37}},
		{Sync: 100 * time.Millisecond, Nodes: 5, Model: [3]float64{0, 9, 42}},
		{Sync: 100 * time.Millisecond, Nodes: 10, Model: [3]float64{0, 16, 69}},
		{Sync: time.Second, Nodes: 3, Model: [3]float64{0, 42, 226}},
		{Sync: time.Second, Nodes: 5, Model: [3]float64{0, 41, 254}},
		{Sync: time.Second, Nodes: 10, Model: [3]float64{0, 73, 292}},
		{Sync: 5 * time.Second, Nodes: 3, Model: [3]float64{0, 261, 468}},
		{Sync: 5 * time.Second, Nodes: 5, Model: [3]float64{0, 303, 717}},
		{Sync: 5 * time.Second, Nodes: 10, Model: [3]float64{0, 344, 819}},
	}
	for i := range rows {
		r := &rows[i]
		for j, load := range loads {
			r.Run[j] = simCase{
				policy: hundred(ratelimit.MaxTokens), nodes: r.Nodes, load: load,
				syncMS: int(r.Sync.Milliseconds()), seconds: 60, seed: 7,
			}.run()
		}
	}
	return rows
}

// CutModel is the design's figures for a partition.
type CutModel struct{ Over, InCut, Healing float64 }

// CutRow is a row of the table with a partition.
type CutRow struct {
	Rule  string
	Nodes int
	Load  float64
	Model *CutModel // nil where the design has no figure
	Run   Result    // mean of cutSeeds runs

	floor   int64
	release time.Duration
}

const (
	cutSeeds = 4 // one run alone is mostly luck
	cutFrom  = 15
	cutUntil = 40

	held     = "shares held"
	unbound  = "shares held, no debt forgiven"
	takeover = "majority takes over after 10 s"
)

// takeOverAfter is the replica's ReleaseAfter.
const takeOverAfter = 10 * time.Second

// CutRows measures the table with a partition into two halves from 15 s to 40 s,
// sync each second.
func CutRows() []CutRow {
	const floor = 100
	rows := []CutRow{
		{Rule: held, Nodes: 3, Load: 0.9, Model: &CutModel{0, 1.00, 0.98}, floor: floor},
		{Rule: held, Nodes: 3, Load: 2, Model: &CutModel{52, 1.00, 0.99}, floor: floor},
		{Rule: held, Nodes: 3, Load: 10, Model: &CutModel{471, 1.14, 0.97}, floor: floor},
		{Rule: held, Nodes: 10, Load: 0.9, Model: &CutModel{0, 1.00, 1.00}, floor: floor},
		{Rule: held, Nodes: 10, Load: 2, Model: &CutModel{101, 0.95, 1.06}, floor: floor},
		{Rule: held, Nodes: 10, Load: 10, Model: &CutModel{423, 1.01, 1.07}, floor: floor},
		{Rule: unbound, Nodes: 3, Load: 2, Model: &CutModel{52, 1.00, 0.99}, floor: ratelimit.MaxTokens},
		{Rule: unbound, Nodes: 3, Load: 10, Model: &CutModel{222, 1.00, 1.00}, floor: ratelimit.MaxTokens},
		{Rule: unbound, Nodes: 5, Load: 0.9, Model: &CutModel{0, 1.00, 0.99}, floor: ratelimit.MaxTokens},
		{Rule: unbound, Nodes: 5, Load: 2, Model: &CutModel{63, 1.01, 0.99}, floor: ratelimit.MaxTokens},
		{Rule: unbound, Nodes: 5, Load: 10, Model: &CutModel{247, 1.00, 1.00}, floor: ratelimit.MaxTokens},
		{Rule: unbound, Nodes: 10, Load: 10, Model: &CutModel{318, 1.01, 0.99}, floor: ratelimit.MaxTokens},
		{Rule: takeover, Nodes: 3, Load: 0.9, floor: floor, release: takeOverAfter},
		{Rule: takeover, Nodes: 3, Load: 2, floor: floor, release: takeOverAfter},
		{Rule: takeover, Nodes: 3, Load: 10, floor: floor, release: takeOverAfter},
		{Rule: takeover, Nodes: 5, Load: 2, floor: floor, release: takeOverAfter},
		{Rule: takeover, Nodes: 10, Load: 2, floor: floor, release: takeOverAfter},
		{Rule: takeover, Nodes: 10, Load: 10, floor: floor, release: takeOverAfter},
	}
	for i := range rows {
		rows[i].measure()
	}
	return rows
}

func (r *CutRow) measure() {
	for seed := range uint32(cutSeeds) {
		one := simCase{
			policy: hundred(r.floor), nodes: r.Nodes, load: r.Load, syncMS: 1000, seconds: 75, seed: 11 + seed,
			cut: [2]int{cutFrom, cutUntil}, releaseAfter: r.release,
		}.run()
		r.Run.Over += one.Over / cutSeeds
		r.Run.InCut += one.InCut / cutSeeds
		r.Run.Healing += one.Healing / cutSeeds
		r.Run.Bound = max(r.Run.Bound, one.Bound)
	}
	r.Run.Bound += r.takenOver()
}

// takenOver is what a take-over adds to the bound: the larger side uses the share
// of the smaller one while that still uses it, too.
func (r *CutRow) takenOver() float64 {
	if r.release == 0 {
		return 0
	}
	smaller := r.Nodes - (r.Nodes+1)/2
	share := float64(smaller) / float64(r.Nodes) // the load is even
	return 100 * share * (cutUntil - cutFrom - r.release.Seconds())
}
