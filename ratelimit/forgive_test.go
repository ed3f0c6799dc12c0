package ratelimit

import (
	"testing"

	"pgregory.net/rapid"
)

// Two peers are heard again after a silence. One has consumed far more than was
// predicted of it, the other one nothing: whose row comes first must not matter,
// and what the floor cut off must not come back as a prediction that was wrong.
func TestADebtIsPaidByWhatWasPredictedOfOthers(t *testing.T) {
	l := tenASecond()
	const silence = 10 * sec
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		b, v, now := steady(&l, 4, 4)
		now += silence
		before := b.Level(now, &l, v) // 10 s of 10 − 4 − 4
		news := map[int]int64{0: 40*Token + 2*l.Capacity, 1: 0}
		for _, peer := range order {
			b.Observe(now, &l, v, peer, news[peer])
		}
		// Known: the level without predictions, less what was consumed: beyond the floor.
		if known := before + 80*Token - news[0]; known > -l.Floor {
			t.Fatalf("the test asks for a debt beyond the floor, not %d", known)
		}
		if got := b.Level(now, &l, v); !near(got, -l.Floor) {
			t.Errorf("heard in the order %v: level %d, want the floor %d", order, got, -l.Floor)
		}
	}
}

// Refill is never kept back: whatever was said, a bucket leaves its debt in D/r.
func TestForgivenDebtIsNotPaidByRefill(t *testing.T) {
	l := tenASecond()
	b, v, now := steady(&l, 4, 4)
	now += 10 * sec
	b.Observe(now, &l, v, 0, 100*l.Capacity)
	v.Peers[0].Heard.Store(now)
	v.Peers[1].Release(now) // lost for good: its prediction stays open and owes
	owes := b.peers[1].owed
	if owes == 0 {
		t.Fatal("nothing was forgiven")
	}
	now += int64(l.Floor) / (10 * Token) * sec
	v.Peers[0].Heard.Store(now)
	if got := b.Level(now, &l, v); !near(got, 0) {
		t.Errorf("level %d after D/r, want 0", got)
	}
}

// The order in which peers are heard says nothing about the level.
func TestTheOrderOfRowsDoesNotMatter(t *testing.T) {
	l := tenASecond()
	rapid.Check(t, func(t *rapid.T) {
		rates := rapid.SliceOfN(rapid.Int64Range(1, 4), 2, 4).Draw(t, "rates")
		silence := rapid.Int64Range(2, 20).Draw(t, "seconds of silence")
		consumed := make([]int64, len(rates))
		for i := range consumed {
			consumed[i] = rapid.Int64Range(0, 60).Draw(t, "consumed") * Token
		}
		order := rapid.Permutation([]int{0, 1, 2, 3}[:len(rates)]).Draw(t, "order")
		var levels [2]int64
		for run := range levels {
			b, v, now := steady(&l, rates...)
			now += silence * sec
			for i, peer := range order {
				if run == 1 {
					peer = order[len(order)-1-i]
				}
				b.Observe(now, &l, v, peer, consumed[peer])
			}
			levels[run] = b.Level(now, &l, v)
		}
		if !near(levels[0], levels[1]) {
			t.Fatalf("rates %v, consumed %v: level %d, and %d the other way round", rates, consumed, levels[0], levels[1])
		}
	})
}
