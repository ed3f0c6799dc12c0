package ratelimit

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

const wall0 = int64(1_700_000_000_000) // unix ms

// A bucket that leaves memory and comes back is the bucket that stayed.
func TestAwayFromMemoryEqualsUnlooked(t *testing.T) {
	const peers = 2
	rapid.Check(t, func(t *rapid.T) {
		l := drawLively(t)
		events := drawEvents(t, &l, peers, 2e9, quietKinds...)
		b, v := play(events, &l, peers)
		now := events[len(events)-1].at
		now += drawScaled(t, "until written", 1e9)
		for i := range b.peers { // what is predicted is not kept
			b.peers[i].s, b.peers[i].ph = 0, 0
		}
		ck := b.Checkpoint(now, wall0, &l, v, nil)
		ms := drawScaled(t, "away ms", 10_000_000)
		heardAll(v, now+rapid.Int64Range(1, ms*msNanos).Draw(t, "heard"), 0, 1)
		now += ms * msNanos
		back := Restore(now, wall0+ms, &l, v, ck)
		delta := drawScaled(t, "row", 2*l.Capacity)
		b.Observe(now, &l, v, 0, delta)
		back.Observe(now, &l, v, 0, delta)
		if d := distance(b.level, back.level); d > 2 { // the carry is not kept
			t.Fatalf("level %d when it stayed, %d when it was away", b.level, back.level)
		}
	})
}

// Predictions are no facts, and are not kept.
func TestCheckpointHoldsFactsOnly(t *testing.T) {
	l := tenASecond()
	b, v, now := steady(&l, 3, 4)
	now += 2 * sec
	level := b.Level(now, &l, v)
	ck := b.Checkpoint(now, wall0, &l, v, nil)
	if !near(level, 6*Token) || ck.Level != 20*Token {
		t.Errorf("level %d, kept %d, want 6 and 20 tokens", level, ck.Level)
	}
	if len(ck.Marks) != 2 || ck.Marks[0].Peer != 1 || ck.Marks[1].Peer != 2 || ck.WallMS != wall0 {
		t.Errorf("kept %+v", ck)
	}
	if b.Level(now, &l, v) != level {
		t.Error("keeping it changed the level")
	}
}

// With a full bucket the predictions were thrown away, and keeping them as facts
// must not lose the credit of the peer that consumed just that.
func TestCheckpointKeepsCredit(t *testing.T) {
	l := tenASecond()
	b, v, now := steady(&l, 7)
	now += 60 * sec
	ck := b.Checkpoint(now, wall0, &l, v, nil)
	if ck.Level != l.Capacity {
		t.Fatalf("kept %d, want full", ck.Level)
	}
	back := Restore(now+sec, wall0+1000, &l, v, ck)
	if back.Observe(now+sec, &l, v, 0, 7*61*Token); back.level != l.Capacity {
		t.Errorf("level %d, want full: the tokens were thrown away", back.level)
	}
}

func TestRestore(t *testing.T) {
	l := tenASecond()
	for _, c := range []struct {
		name        string
		level, away int64 // tokens, ms
		want        int64
	}{
		{"at once", 30, 0, 30},
		{"a while later", 30, 2_500, 55},
		{"long after", 30, 1 << 60, 100},
		{"the wall clock went backwards", 30, -5_000, 30},
		{"in debt", -40, 1_000, -30},
		{"below the floor", -90, 0, -50},
		{"above the capacity", 400, 0, 100},
	} {
		b := Restore(77*sec, wall0+c.away, &l, nil, Checkpoint{Level: c.level * Token, WallMS: wall0})
		if b.level != c.want*Token {
			t.Errorf("%s: level %d, want %d tokens", c.name, b.level, c.want)
		}
	}
}

// While this node was down, a peer consumed what this node's bucket would have
// thrown away. The process is new, no page has come yet.
func TestRowAfterRestart(t *testing.T) {
	for _, marked := range []bool{true, false} {
		l := tenASecond()
		ck := Checkpoint{Level: l.Capacity, WallMS: wall0, Forfeited: 500, Base: 500}
		if marked {
			ck.Marks = []Mark{{Peer: 99, Mark: 1}, {Peer: 1, Mark: 500}}
		}
		v := newView(1, 0)
		b := Restore(sec, wall0+60_000, &l, v, ck)
		if b.Observe(sec, &l, v, 0, 500*Token); b.level != l.Capacity {
			t.Errorf("marked %v: level %d, want full", marked, b.level)
		}
		if b.Observe(2*sec, &l, v, 0, 60*Token); b.level != 50*Token {
			t.Errorf("marked %v: level %d, want ten tokens of credit only", marked, b.level)
		}
	}
}

// Whatever a damaged record says, the bucket is within its bounds.
func TestRestoreTakesAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawPolicy(t).Limit()
		v := newView(2, 1)
		ck := Checkpoint{
			Level:     rapid.Int64().Draw(t, "level"),
			WallMS:    rapid.Int64().Draw(t, "wall"),
			Forfeited: rapid.Uint64().Draw(t, "forfeited"),
			Base:      rapid.Uint64().Draw(t, "base"),
			Marks:     []Mark{{Peer: 1, Mark: rapid.Uint64().Draw(t, "mark")}, {Peer: 1, Mark: 3}},
		}
		now := drawScaled(t, "now", 1<<50)
		b := Restore(now, rapid.Int64().Draw(t, "wall now"), &l, v, ck)
		for i := range 3 {
			now += drawStep(t) >> 8
			b.Observe(now, &l, v, i%2, rapid.Int64().Draw(t, "delta"))
			b.Refund(now, &l, v, math.MaxInt64)
			if b.level < -l.Floor || b.level > l.Capacity {
				t.Fatalf("level %d", b.level)
			}
		}
	})
}
