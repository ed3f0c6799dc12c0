package ratelimit

import (
	"math"
	"testing"
)

// heardAll stands for complete pages of the peers in which nothing is said of
// the agent.
func heardAll(v *View, now int64, slots ...int) {
	for _, i := range slots {
		v.Peers[i].Heard.Store(now)
	}
}

// A idles, its bucket full; B is cut off and consumes below the limit; then they
// meet. The tokens that B used were thrown away at A, so A's bucket is full, as
// the true one is. It must be so whether A had the agent in memory or not, looked
// at it or not, had heard of B's consumption before or not, and whether or not
// B's share was released meanwhile.
func TestFirstRowAfterPartition(t *testing.T) {
	for _, c := range []struct {
		name                            string
		known, exists, looked, released bool
	}{
		{name: "agent unknown at A"},
		{name: "bucket at rest", exists: true},
		{name: "bucket looked at", exists: true, looked: true},
		{name: "bucket looked at, B released", exists: true, looked: true, released: true},
		{name: "agent unknown at A, B released", released: true},
		{name: "B known to consume", known: true, exists: true, looked: true},
		{name: "B known to consume, B released", known: true, exists: true, looked: true, released: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := tenASecond()
			const b, other = 0, 1
			v := newView(2, 1)
			v.Members = 3
			var bucket Bucket
			now := int64(1)
			if c.exists {
				bucket = NewBucket(now, &l, v)
			}
			if c.known {
				bucket.Observe(now, &l, v, b, 1)
			}
			heardAll(v, now, b, other)
			for range 60 {
				now += sec
				heardAll(v, now, other)
				if c.looked {
					bucket.Advance(now, &l, v)
				}
			}
			if c.released {
				v.Peers[b].Release(11 * sec)
			}
			now += sec / 2
			if !c.exists {
				bucket = NewBucket(now, &l, v)
			}
			bucket.Observe(now, &l, v, b, 9*60*Token)
			if bucket.level != l.Capacity {
				t.Errorf("level %d, want full", bucket.level)
			}
			// The credit is used up, and it was B's alone.
			heardAll(v, now, b, other)
			if bucket.Observe(now, &l, v, b, 40*Token); bucket.level != 60*Token {
				t.Errorf("level %d after another row, want 60 tokens", bucket.level)
			}
		})
	}
}

// Tokens that were thrown away before a peer was last heard are nothing to it:
// a burst out of a full bucket is charged in full.
func TestBurstAfterIdlenessIsCharged(t *testing.T) {
	l := tenASecond()
	for _, c := range []struct {
		name                  string
		known, exists, looked bool
	}{
		{name: "agent unknown"},
		{name: "bucket at rest", exists: true},
		{name: "bucket looked at", exists: true, looked: true},
		{name: "peer known to consume", exists: true, known: true},
		{name: "peer known to consume, bucket looked at", exists: true, known: true, looked: true},
	} {
		v := newView(2, 1)
		var b Bucket
		if c.exists {
			b = NewBucket(1, &l, v)
		}
		if c.known {
			b.Observe(1, &l, v, 0, 0)
		}
		now := 3600 * sec
		if c.looked {
			b.Advance(now/2, &l, v)
		}
		heardAll(v, now, 0, 1)
		if !c.exists {
			b = NewBucket(now, &l, v)
		}
		if b.Observe(now, &l, v, 0, 100*Token); b.level != 0 {
			t.Errorf("%s: level %d, want 0", c.name, b.level)
		}
	}
}

// The same when the bucket is not full any more as the page comes, so that
// nothing but the page moves the mark.
func TestBurstAfterIdlenessAndUseIsCharged(t *testing.T) {
	l := tenASecond()
	v := newView(1, 1)
	b := NewBucket(1, &l, v)
	b.Advance(10*sec, &l, v)
	b.Admit(10*sec, &l, v, 60*Token)
	v.Peers[0].Heard.Store(12 * sec)
	if b.Observe(13*sec, &l, v, 0, 70*Token); b.level != 0 {
		t.Errorf("level %d, want 0", b.level)
	}
}

// Refunded tokens that do not fit are thrown away like refilled ones, and pay
// for what a peer consumed since its last page.
func TestRefundThatDoesNotFitIsForfeited(t *testing.T) {
	l := tenASecond()
	v := newView(1, 1)
	b := NewBucket(1, &l, v)
	b.Admit(1, &l, v, 50*Token)
	v.Peers[0].Heard.Store(1 + 2*sec)
	b.Refund(1+3*sec, &l, v, 50*Token)
	if b.Observe(1+3*sec, &l, v, 0, 40*Token); b.level != 90*Token {
		t.Errorf("level %d, want the 30 tokens that did not fit to pay", b.level)
	}
}

// A peer that left is not waited for: its silence keeps no old credit alive, not
// even for a peer that is released but comes back.
func TestPeerThatLeftLeavesNoCredit(t *testing.T) {
	l := tenASecond()
	v := newView(2, 1)
	b := NewBucket(1, &l, v)
	v.Peers[1].Leave()
	b.Advance(50*sec, &l, v)
	v.Peers[0].Heard.Store(98 * sec)
	v.Peers[0].Release(99 * sec)
	if b.Observe(100*sec, &l, v, 0, 100*Token); b.level != 20*Token {
		t.Errorf("level %d, want the 20 tokens since the page to pay and no more", b.level)
	}
}

// The same with peers that are expected to consume, and hours without a look.
// Were predictions made for a time that is known to have been silent, their
// return would look like forfeits, and the burst would be free.
func TestHoursWithoutALookGiveNoCredit(t *testing.T) {
	l := tenASecond()
	b, v := known(&l, 2)
	now := int64(1)
	for range 60 {
		now += sec
		for i := range v.Peers {
			b.Observe(now, &l, v, i, 4*Token)
		}
	}
	heardAll(v, now, 0, 1)
	now += 3600 * sec
	heardAll(v, now, 0)
	heardAll(v, now+sec/2, 1)
	now += sec
	if b.Observe(now, &l, v, 0, 100*Token); distance(b.level, 10*Token) > Token {
		t.Errorf("level %d, want the 10 tokens of the second since the page", b.level)
	}
}

// After a long silence both the row and the prediction are many times the
// capacity. Only their difference is an error.
func TestRowAfterLongSilenceMeetsItsPrediction(t *testing.T) {
	l := tenASecond()
	l.HoldForever = true
	b, v := known(&l, 1)
	now := int64(1)
	for range 600 {
		now += sec
		b.Observe(now, &l, v, 0, 5*Token)
		v.Peers[0].Heard.Store(now)
	}
	b.Charge(now, &l, v, b.level)
	const hour = 3600
	for range hour { // this node uses up its half
		now += sec
		b.Charge(now, &l, v, b.Level(now, &l, v))
	}
	for _, c := range []struct {
		name     string
		consumed int64
		level    int64
	}{
		{"as predicted", 5 * hour * Token, 0},
		{"30 more", (5*hour + 30) * Token, -30 * Token},
		{"30 less", (5*hour - 30) * Token, 30 * Token},
		{"nothing", 0, 100 * Token},
		{"twice", 10 * hour * Token, -50 * Token},
	} {
		after := twin(&b)
		if after.Observe(now, &l, v, 0, c.consumed); distance(after.level, c.level) > 2 {
			t.Errorf("%s: level %d, want %d", c.name, after.level, c.level)
		}
	}
}

// twin is a bucket of its own in the state of b.
func twin(b *Bucket) Bucket {
	t := *b
	if b.others != nil {
		o := *b.others
		o.peers = append([]peerState(nil), o.peers...)
		t.others = &o
	}
	return t
}

// What one peer claims of the forfeited tokens, another cannot claim.
func TestForfeitsAreClaimedOnce(t *testing.T) {
	l := tenASecond()
	b, v := known(&l, 2)
	now := 1 + 6*sec // 60 tokens thrown away
	b.Observe(now, &l, v, 0, 50*Token)
	b.Observe(now, &l, v, 1, 50*Token)
	if want := l.Capacity - 40*Token; b.level != want {
		t.Errorf("level %d, want %d", b.level, want)
	}
}

// What piles up while a dead peer is silent is for the dead peer only.
func TestDeadPeerLeavesNoCredit(t *testing.T) {
	for _, known := range []bool{true, false} {
		l := tenASecond()
		v := newView(3, 1)
		b := NewBucket(1, &l, v)
		if known {
			for i := range v.Peers {
				b.Observe(1, &l, v, i, 0)
			}
		}
		v.Peers[2].Release(10 * sec)
		now := int64(1)
		for range 100 {
			now += sec
			heardAll(v, now, 0, 1)
			b.Advance(now, &l, v)
		}
		b.Observe(now, &l, v, 0, 30*Token)
		if b.level != 70*Token {
			t.Errorf("known %v: level %d after a live peer's row, want 70 tokens", known, b.level)
		}
		b.Observe(now, &l, v, 2, 30*Token)
		if b.level != 70*Token {
			t.Errorf("known %v: level %d after the dead peer's row, want its credit to pay", known, b.level)
		}
	}
}

// A row with refunds gives tokens back; it says that nothing was consumed.
func TestRefundSeen(t *testing.T) {
	l := tenASecond()
	b, v := known(&l, 1)
	now := 1 + sec
	b.Charge(now, &l, v, 80*Token)
	b.Observe(now, &l, v, 0, -30*Token)
	if b.level != 50*Token {
		t.Errorf("level %d, want 50 tokens", b.level)
	}
	b.Observe(now, &l, v, 0, -1000*Token)
	if b.level != l.Capacity {
		t.Errorf("level %d, want full", b.level)
	}
}

// One absurd row costs the agent at most (C+D)/r of time, once, and holds back
// no more of the refill than a live peer could.
func TestPoisonedRow(t *testing.T) {
	l := tenASecond()
	b, v := known(&l, 1)
	now := 1 + sec
	v.Peers[0].Heard.Store(now)
	b.Observe(now, &l, v, 0, math.MaxInt64)
	if b.level != -l.Floor {
		t.Fatalf("level %d, want the floor", b.level)
	}
	recovered := now + (l.Capacity+l.Floor)/l.PerSecond()*sec
	for now < recovered {
		now += sec
		v.Peers[0].Heard.Store(now)
		b.Advance(now, &l, v)
	}
	if got := b.Level(now, &l, v); got != l.Capacity {
		t.Errorf("level %d after (C+D)/r, want full", got)
	}
	if lambda := b.peers[0].lambda() * 1e9; lambda > float64(Token) {
		t.Errorf("%.0f µtok/s still expected of the peer", lambda)
	}
}

// Consumption that was predicted is paid by the prediction. It must not use up
// forfeited tokens as well: those were thrown away beside it.
func TestPredictedConsumptionClaimsNothing(t *testing.T) {
	l := tenASecond()
	b, v, now := steady(&l, 5)
	b.level = l.Capacity
	now += 4 * sec // 20 predicted, 20 thrown away
	b.Charge(now, &l, v, l.Capacity)
	if b.Observe(now, &l, v, 0, 20*Token); distance(b.level, 0) > 2 {
		t.Errorf("level %d after the predicted row, want 0", b.level)
	}
}

// Consumption beyond the prediction uses what was thrown away beside it, and no
// more than that.
func TestUnpredictedConsumptionClaims(t *testing.T) {
	for _, c := range []struct{ consumed, level int64 }{{25, 0}, {40, 0}, {50, -10}, {400, -50}} {
		l := tenASecond()
		b, v, now := steady(&l, 5)
		b.level = l.Capacity
		now += 4 * sec // 20 predicted, 20 thrown away
		b.Charge(now, &l, v, l.Capacity)
		if b.Observe(now, &l, v, 0, c.consumed*Token); distance(b.level, c.level*Token) > 2 {
			t.Errorf("level %d after %d tokens, want %d tokens", b.level, c.consumed, c.level)
		}
	}
}

// A view that is older than the bucket's last look is too short for it.
func TestStaleView(t *testing.T) {
	l := tenASecond()
	b, v := known(&l, 2)
	b.Charge(1, &l, v, 100*Token)
	for i, old := range []*View{nil, {}, {Peers: v.Peers[:1], Members: 2}} {
		now := 1 + int64(i+1)*sec
		if got := b.Level(now, &l, old); got != int64(i+1)*10*Token {
			t.Errorf("view %d: level %d", i, got)
		}
		b.Unseen(now, &l, old)
		b.Checkpoint(now, 1, &l, old, nil)
	}
}

// A node that was alone and gets a peer has nothing to pay for, and nothing to
// give: the newcomer consumed nothing before it came.
func TestPeerJoins(t *testing.T) {
	l := tenASecond()
	b := NewBucket(1, &l, &View{Members: 1})
	now := 1 + 1000*sec
	b.Advance(now, &l, &View{Members: 1})
	v := &View{Peers: []*Peer{NewPeer(7, now)}, Members: 2}
	now += sec
	b.Observe(now, &l, v, 0, 30*Token)
	if want := l.Capacity - 20*Token; b.level != want {
		t.Errorf("level %d, want %d: ten tokens were thrown away since it came", b.level, want)
	}
}
