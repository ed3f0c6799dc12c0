package ratelimit

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// event is something that happens to a bucket among peers at an instant.
type event struct {
	at   int64
	kind string
	peer int
	n    int64
}

func (e event) apply(b *Bucket, l *Limit, v *View) {
	switch e.kind {
	case "page":
		v.Peers[e.peer].Heard.Store(e.at)
	case "row":
		b.Observe(e.at, l, v, e.peer, e.n)
		v.Peers[e.peer].Heard.Store(e.at)
	case "release":
		v.Peers[e.peer].Release(e.at)
	case "hold":
		v.Peers[e.peer].Hold()
	case "admit":
		b.Admit(e.at, l, v, e.n)
	case "charge":
		b.Charge(e.at, l, v, e.n)
	case "refund":
		b.Refund(e.at, l, v, e.n)
	case "look":
		b.Advance(e.at, l, v)
	}
}

// drawEvents draws what happens to a bucket, some time up to gap after another.
func drawEvents(t *rapid.T, l *Limit, peers int, gap int64, kinds ...string) []event {
	now := int64(1)
	var events []event
	for range rapid.IntRange(1, 40).Draw(t, "events") {
		now += drawScaled(t, "gap", gap)
		events = append(events, event{
			at:   now,
			kind: rapid.SampledFrom(kinds).Draw(t, "kind"),
			peer: rapid.IntRange(0, peers-1).Draw(t, "peer"),
			n:    drawScaled(t, "n", 2*l.Capacity),
		})
	}
	return events
}

// drawLooks draws instants at which somebody looks, anywhere among the events.
func drawLooks(t *rapid.T, until int64) []event {
	var looks []event
	for range rapid.IntRange(0, 60).Draw(t, "looks") {
		looks = append(looks, event{at: rapid.Int64Range(1, until).Draw(t, "look"), kind: "look"})
	}
	return looks
}

// drawLively draws a limit that fills in a second to an hour, so that things
// happen within the events.
func drawLively(t *rapid.T) Limit {
	p := Policy{
		Capacity:        drawScaled(t, "capacity", 1_000_000),
		IntervalSeconds: Decimal(rapid.Int64Range(Token, 3600*Token).Draw(t, "fill")),
	}
	p.RefillRate = Whole(p.Capacity)
	if rapid.Bool().Draw(t, "hold for ever") {
		p.Minority = MinorityHold
	}
	if rapid.Bool().Draw(t, "floored") {
		floor := drawScaled(t, "floor", 2*p.Capacity) - 1
		p.Floor = &floor
	}
	return p.Limit()
}

const msNanos = 1_000_000

func newView(peers int, heard int64) *View {
	v := &View{Members: peers + 1}
	for i := range peers {
		v.Peers = append(v.Peers, NewPeer(uint64(i+1), heard))
	}
	return v
}

// known returns a bucket that has a state for each of its peers.
func known(l *Limit, peers int) (Bucket, *View) {
	v := newView(peers, 1)
	b := NewBucket(1, l, v)
	for i := range peers {
		b.Observe(1, l, v, i, 0)
	}
	return b, v
}

func play(events []event, l *Limit, peers int) (*Bucket, *View) {
	b, v := known(l, peers)
	for _, e := range events {
		e.apply(&b, l, v)
	}
	return &b, v
}

func merged(a, b []event) []event {
	all := append(slices.Clone(a), b...)
	slices.SortStableFunc(all, func(a, b event) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	return all
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

var quietKinds = []string{"page", "page", "page", "row", "row", "admit", "charge", "refund"}

// The level must never depend on how often it was looked at. With one peer it
// does not by more than what rounding the predictions makes.
func TestLooksDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLively(t)
		events := drawEvents(t, &l, 1, 400e9, quietKinds...)
		if last := events[len(events)-1].at; rapid.Bool().Draw(t, "released") {
			at := rapid.Int64Range(1, last).Draw(t, "release")
			events = merged(events, []event{{at: at, kind: "release"}})
		}
		end := events[len(events)-1].at
		quiet, v := play(events, &l, 1)
		looked, _ := play(merged(events, drawLooks(t, end)), &l, 1)
		if d := distance(quiet.Level(end, &l, v), looked.Level(end, &l, v)); d > 2 {
			t.Fatalf("level %d when left alone, %d when looked at", quiet.level, looked.level)
		}
	})
}

// Among several peers, what is predicted of one depends on what is known of the
// others at the time, and only a look applies what is known. The difference
// stays within what is refilled in the longest silence, and is gone for good
// once the bucket is full and everybody has been heard.
func TestLooksAmongManyPeersMatterLittle(t *testing.T) {
	const peers = 3
	rapid.Check(t, func(t *rapid.T) {
		l := drawLively(t)
		events := drawEvents(t, &l, peers, 1e9, quietKinds...)
		end := events[len(events)-1].at
		quiet, v := play(events, &l, peers)
		looked, lookedView := play(merged(events, drawLooks(t, end)), &l, peers)
		silence := longestSilence(events, peers)
		refilled, _ := l.refill(silence, 0)
		if d := distance(quiet.Level(end, &l, v), looked.Level(end, &l, lookedView)); d > int64(refilled)+2*peers {
			t.Fatalf("level %d when left alone, %d when looked at: more apart than %d, refilled in %d ns",
				quiet.level, looked.level, refilled, silence)
		}
		later := end + 4*int64(l.TimeToFill()) + 1e9
		for _, view := range []*View{v, lookedView} {
			for _, p := range view.Peers {
				p.Heard.Store(later)
			}
		}
		if quiet.Level(later, &l, v) != l.Capacity || looked.Level(later, &l, lookedView) != l.Capacity {
			t.Fatalf("levels %d and %d after silence, want %d", quiet.level, looked.level, l.Capacity)
		}
	})
}

func longestSilence(events []event, peers int) int64 {
	heard := make([]int64, peers)
	var longest int64
	for _, e := range events {
		for i := range heard {
			longest = max(longest, e.at-heard[i])
		}
		if e.kind == "page" || e.kind == "row" {
			heard[e.peer] = e.at
		}
	}
	return longest
}

// Whatever is heard, in whatever order, by whatever clock: −D ≤ L ≤ C, a silent
// cluster never makes the level fall, and the node keeps half of an equal part
// of the refill.
func TestLevelStaysInBounds(t *testing.T) {
	const peers = 4
	rapid.Check(t, func(t *rapid.T) {
		l := drawPolicy(t).Limit()
		b, v := known(&l, peers)
		now := int64(1)
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			e := event{
				at:   now + drawScaled(t, "gap", 1<<50) - drawScaled(t, "back", 1<<40),
				kind: rapid.SampledFrom([]string{"page", "row", "release", "hold", "admit", "charge", "refund"}).Draw(t, "kind"),
				peer: rapid.IntRange(0, peers-1).Draw(t, "peer"),
				n:    rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64})).Draw(t, "n"),
			}
			if e.at < 1 {
				continue
			}
			now = max(now, e.at)
			e.apply(&b, &l, v)
			if b.level < -l.Floor || b.level > l.Capacity || b.carry >= l.RateDen {
				t.Fatalf("after %+v: level %d, carry %d", e, b.level, b.carry)
			}
			for _, p := range b.peers {
				if !(p.lambda() >= 0) || !(p.ph >= 0) || math.IsInf(p.lambda(), 0) {
					t.Fatalf("after %+v: λ %v, predicted %v", e, p.lambda(), p.ph)
				}
			}
			before, dt := b.level, drawScaled(t, "silence", 1<<50)
			least, _ := l.refill(dt/(2*(peers+1)), 0)
			now += dt
			after := b.Level(now, &l, v)
			if want := min(before+int64(min(least, 1<<60)), l.Capacity) - peers - 1; after < want {
				t.Fatalf("level %d after %d ns of silence from %d, want at least %d", after, dt, before, want)
			}
		}
	})
}
