package ratelimit

import (
	"math"
	"testing"
	"unsafe"
)

const sec = int64(1e9)

// tenASecond holds 100 tokens, refills 10 a second and owes up to 50.
func tenASecond() Limit {
	floor := int64(50)
	return Policy{Capacity: 100, RefillRate: Whole(10), IntervalSeconds: Whole(1), Floor: &floor}.Limit()
}

func TestTimelineAlone(t *testing.T) {
	type step struct {
		at    int64 // ms after the start
		do    string
		n     int64 // tokens
		want  int64 // 1/0 for admit, tokens charged for charge
		level int64 // millitokens after it
	}
	for name, steps := range map[string][]step{
		"burst, then the rate": {
			{0, "admit", 100, 1, 0},
			{0, "admit", 1, 0, 0},
			{99, "admit", 1, 0, 990},
			{100, "admit", 1, 1, 0},
			{1100, "admit", 10, 1, 0},
		},
		"cost above what is there, and above capacity": {
			{0, "admit", 60, 1, 40_000},
			{0, "admit", 41, 0, 40_000},
			{100_000, "admit", 101, 0, 100_000},
			{100_000, "admit", 100, 1, 0},
		},
		"a full bucket stays full": {
			{3_600_000, "admit", 1, 1, 99_000},
			{3_600_050, "look", 0, 0, 99_500},
			{3_600_200, "look", 0, 0, 100_000},
		},
		"a denial changes nothing": {
			{0, "admit", 90, 1, 10_000},
			{500, "admit", 50, 0, 15_000},
			{500, "admit", 15, 1, 0},
		},
		"the clock goes backwards": {
			{10_000, "admit", 100, 1, 0},
			{5_000, "admit", 1, 0, 0},
			{9_999, "look", 0, 0, 0},
			{10_100, "look", 0, 0, 1_000},
		},
		"after-the-fact charges go into debt, down to the floor": {
			{0, "charge", 120, 120, -20_000},
			{0, "charge", 50, 30, -50_000},
			{0, "charge", 1, 0, -50_000},
			{1_000, "admit", 1, 0, -40_000},
			{5_100, "admit", 1, 1, 0},
		},
		"refunds go up to the capacity": {
			{0, "admit", 30, 1, 70_000},
			{0, "refund", 20, 0, 90_000},
			{0, "refund", 20, 0, 100_000},
			{0, "refund", -5, 0, 100_000},
		},
		"negative amounts take nothing": {
			{0, "admit", 30, 1, 70_000},
			{0, "admit", -1, 0, 70_000},
			{0, "charge", -1, 0, 70_000},
		},
		"a reset fills": {
			{0, "charge", 150, 150, -50_000},
			{10, "reset", 0, 0, 100_000},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := tenASecond()
			start := 5 * sec
			b := NewBucket(start, &l, nil)
			for i, s := range steps {
				now := start + s.at*msNanos
				var got int64
				switch s.do {
				case "admit":
					if b.Admit(now, &l, nil, s.n*Token) {
						got = 1
					}
				case "charge":
					got = b.Charge(now, &l, nil, s.n*Token) / Token
				case "refund":
					b.Refund(now, &l, nil, s.n*Token)
				case "reset":
					b.Reset(now, &l)
				case "look":
					b.Advance(now, &l, nil)
				}
				if got != s.want || b.level != s.level*1000 {
					t.Fatalf("step %d %+v: got %d, level %d", i, s, got, b.level)
				}
			}
		})
	}
}

// One look after half a day and many on the way are the same: nothing is
// clamped but the capacity.
func TestHalfADayInOneLook(t *testing.T) {
	l := Policy{Capacity: 24000, RefillRate: Whole(1000), IntervalSeconds: Whole(3600)}.Limit()
	once := NewBucket(1, &l, nil)
	once.Charge(1, &l, nil, 24000*Token)
	often := once
	for i := range int64(24) {
		often.Advance(1+(i+1)*1800*sec, &l, nil)
	}
	if got := once.Level(1+12*3600*sec, &l, nil); got != 12000*Token || often.level != got {
		t.Fatalf("level %d in one look, %d in many, want 12000 tokens", got, often.level)
	}
}

func TestRelimit(t *testing.T) {
	ten := tenASecond()
	lower := Policy{Capacity: 20, RefillRate: Whole(1), IntervalSeconds: Whole(1)}.Limit()
	b := NewBucket(1, &ten, nil)
	b.Admit(1, &ten, nil, 100*Token)
	now := 1 + 3*sec
	b.Relimit(now, &ten, &lower, nil)
	if b.level != 20*Token {
		t.Errorf("level %d after lowering, want 20 tokens of the 30 refilled", b.level)
	}
	b.Relimit(now, &lower, &ten, nil)
	if b.level != 20*Token {
		t.Errorf("level %d after raising, want it kept", b.level)
	}
	b.Charge(now, &ten, nil, 70*Token)
	if b.Relimit(now, &ten, &lower, nil); b.level != -20*Token {
		t.Errorf("level %d, want the debt cut to the floor of 20 tokens", b.level)
	}
}

// A caller that forgets to call Relimit gets a bucket that is too full, not one
// without an end.
func TestLevelAboveCapacityDoesNotGrow(t *testing.T) {
	ten := tenASecond()
	lower := Policy{Capacity: 20, RefillRate: Whole(1), IntervalSeconds: Whole(1)}.Limit()
	b := NewBucket(1, &ten, nil)
	if got := b.Level(1+1000*sec, &lower, nil); got != 100*Token {
		t.Errorf("level %d, want it to stay at 100 tokens", got)
	}
}

// F is shifted down before it overflows, and the credit of the peers with it.
func TestForfeitedNeverOverflows(t *testing.T) {
	l := Policy{Capacity: MaxTokens, RefillRate: maxMicro, IntervalSeconds: Whole(1)}.Limit()
	b, v := known(&l, 2)
	now := int64(1)
	for range 200 { // each step forfeits 2^53 · 10^5 µtok
		now += 100_000 * sec
		b.Refund(now, &l, v, math.MaxInt64)
		v.Peers[1].Heard.Store(now)
		if b.forfeited > maxForfeited {
			t.Fatalf("F is %d", b.forfeited)
		}
	}
	before := b.level
	b.Observe(now, &l, v, 0, l.Capacity)
	if b.level != before {
		t.Errorf("the silent peer's row took %d of %d forfeited", before-b.level, b.forfeited)
	}
	now++
	b.Observe(now, &l, v, 1, l.Capacity)
	if want := before - l.Capacity; distance(b.level, want) > 20_000_000 {
		t.Errorf("level %d, want %d: the peer just heard has no credit", b.level, want)
	}
}

func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(Bucket{}); n > 40 {
		t.Errorf("a bucket takes %d bytes", n)
	}
	if n := unsafe.Sizeof(others{}); n > 64 {
		t.Errorf("what a bucket keeps for other nodes takes %d bytes", n)
	}
	if n := unsafe.Sizeof(peerState{}); n > 72 {
		t.Errorf("a peer in a bucket takes %d bytes", n)
	}
}

func TestAdmitAllocatesNothing(t *testing.T) {
	c := &Compiled{Policy: Policy{Name: "p"}, Limit: tenASecond()}
	for _, peers := range []int{0, 9} {
		b, v := known(&c.Limit, peers)
		now := int64(1)
		if n := testing.AllocsPerRun(100, func() {
			now += sec / 10
			for i := range v.Peers {
				b.Observe(now, &c.Limit, v, i, Token/100)
				v.Peers[i].Heard.Store(now)
			}
			b.Admit(now, &c.Limit, v, Token)
			b.Decide(now, c, v, 1000*Token)
			b.Unseen(now, &c.Limit, v)
		}); n != 0 {
			t.Errorf("%g allocations with %d peers", n, peers)
		}
	}
}
