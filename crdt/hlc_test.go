package crdt

import (
	"encoding/json"
	"errors"
	"math"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestHLCParts(t *testing.T) {
	for _, c := range []struct {
		ms   int64
		n    uint16
		want HLC
		text string
	}{
		{0, 0, 0, "0.0"},
		{1, 2, 1<<16 | 2, "1.2"},
		{1_700_000_000_000, math.MaxUint16, 1_700_000_000_000<<16 | math.MaxUint16, "1700000000000.65535"},
		{maxWallMS, 0, maxWallMS << 16, "281474976710655.0"},
		{math.MaxInt64, 0, maxWallMS << 16, "281474976710655.0"}, // clamped
		{-5, 1, 1, "0.1"}, // clamped
	} {
		got := NewHLC(c.ms, c.n)
		if got != c.want || got.String() != c.text {
			t.Errorf("NewHLC(%d, %d) = %d %q, want %d %q", c.ms, c.n, got, got, c.want, c.text)
		}
		if back, err := ParseHLC(c.text); err != nil || back != got {
			t.Errorf("ParseHLC(%q) = %v, %v", c.text, back, err)
		}
	}
	for _, bad := range []string{"", "1", ".", "1.", ".1", "01.0", "1.00", "+1.0", "1.65536", "281474976710656.0", "1.2.3", " 1.0", "-1.0"} {
		if got, err := ParseHLC(bad); !errors.Is(err, ErrBadHLC) {
			t.Errorf("ParseHLC(%q) = %v, %v", bad, got, err)
		}
	}
}

// Now is strictly increasing whatever the wall clock does and whatever peers say.
func TestClockNeverRepeats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, last := NewClock(), HLC(0)
		wall := rapid.Int64Range(0, 1<<40).Draw(t, "wall")
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			wall += rapid.Int64Range(-20_000, 20_000).Draw(t, "jump")
			heard := NewHLC(wall+rapid.Int64Range(-20_000, 20_000).Draw(t, "skew"), 7)
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				c.Observe(heard, wall)
				continue
			case 1:
				if got := c.NowAfter(wall, heard); got <= heard {
					t.Fatalf("NowAfter(%v) = %v", heard, got)
				}
			}
			now := c.Now(wall)
			if now <= last || now.WallMS() < wall {
				t.Fatalf("Now(%d) = %v after %v", wall, now, last)
			}
			last = now
		}
	})
}

// Neither a peer nor a register moves the clock more than MaxSkew past the wall.
func TestClockFollowsOthersWithinMaxSkew(t *testing.T) {
	const wall = 1_700_000_000_000
	bound := wall + MaxSkew.Milliseconds()
	for _, c := range []struct {
		name   string
		heard  HLC
		within bool
		now    HLC // of the next Now
	}{
		{"past", NewHLC(wall-1000, 9), true, NewHLC(wall, 0)},
		{"a little ahead", NewHLC(wall+1000, 9), true, NewHLC(wall+1000, 10)},
		{"at the bound", NewHLC(bound, 0), true, NewHLC(bound, 1)},
		{"past the bound", NewHLC(bound+1, 0), false, NewHLC(wall, 0)},
		{"a day ahead", NewHLC(wall+86_400_000, 0), false, NewHLC(wall, 0)},
		{"the end of time", math.MaxUint64, false, NewHLC(wall, 0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := NewClock()
			if within := clock.Observe(c.heard, wall); within != c.within {
				t.Errorf("within = %v", within)
			}
			if now := clock.Now(wall); now != c.now {
				t.Errorf("after Observe: Now = %v, want %v", now, c.now)
			}

			clock = NewClock()
			after := clock.NowAfter(wall, c.heard)
			if after <= c.heard && c.heard != math.MaxUint64 {
				t.Errorf("NowAfter(%v) = %v", c.heard, after)
			}
			if next := clock.Now(wall); c.within && next <= after || next.WallMS() > bound {
				t.Errorf("after NowAfter(%v) = %v: Now = %v", c.heard, after, next)
			}
		})
	}
	if clock := NewClock(); clock.Observe(math.MaxUint64, math.MinInt64) || !clock.Observe(NewHLC(100, 0), -1) {
		t.Error("a wall clock before 1970 counts as 1970")
	}
}

func TestClockFullLogicalCountCarries(t *testing.T) {
	c := NewClock()
	c.Observe(NewHLC(10, math.MaxUint16), 10)
	if got, want := c.Now(10), NewHLC(11, 0); got != want {
		t.Errorf("Now = %v, want %v", got, want)
	}
}

func TestClockIsSharedSafely(t *testing.T) {
	const workers, each = 4, 500
	c := NewClock()
	got := make([][]HLC, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				c.Observe(NewHLC(int64(i), 3), int64(i))
				got[w] = append(got[w], c.NowAfter(int64(i), NewHLC(int64(i), 5)))
			}
		})
	}
	wg.Wait()
	seen := map[HLC]bool{}
	for _, times := range got {
		for _, v := range times {
			if seen[v] {
				t.Fatalf("%v was issued twice", v)
			}
			seen[v] = true
		}
	}
}

func TestIDText(t *testing.T) {
	if got := NodeID(0xabc).String(); got != "0000000000000abc" {
		t.Errorf("NodeID = %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		v := number().Draw(t, "id")
		if n, err := ParseNodeID(NodeID(v).String()); err != nil || n != NodeID(v) {
			t.Fatalf("ParseNodeID = %v, %v", n, err)
		}
		if o, err := ParseOrigin(Origin(v).String()); err != nil || o != Origin(v) {
			t.Fatalf("ParseOrigin = %v, %v", o, err)
		}
	})
	for _, bad := range []string{"", "1", "000000000000000G", "0000000000000ABC", "+000000000000001", "00000000000000001", "0x00000000000001"} {
		if _, err := ParseNodeID(bad); !errors.Is(err, ErrBadID) {
			t.Errorf("ParseNodeID(%q): %v", bad, err)
		}
		if _, err := ParseOrigin(bad); !errors.Is(err, ErrBadID) {
			t.Errorf("ParseOrigin(%q): %v", bad, err)
		}
	}
}

// Ids and times are strings in JSON, as map keys too: as numbers they would lose
// their last digits in most readers.
func TestIDsInJSON(t *testing.T) {
	type message struct {
		Node NodeID
		At   HLC
		VV   VersionVector
	}
	in := message{NodeID(math.MaxUint64), NewHLC(1_700_000_000_000, 3), VersionVector{1: 9}}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Node":"ffffffffffffffff","At":"1700000000000.3","VV":{"0000000000000001":9}}`
	if string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
	var out message
	if err := json.Unmarshal(text, &out); err != nil || out.Node != in.Node || out.At != in.At || out.VV[1] != 9 {
		t.Errorf("%s came back as %+v, %v", text, out, err)
	}
}
