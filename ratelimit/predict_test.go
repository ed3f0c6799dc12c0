package ratelimit

import (
	"math"
	"testing"
	"time"
)

// steady returns a bucket whose peers have consumed perSecond tokens a second
// each for ten minutes, and that has just been emptied.
func steady(l *Limit, perSecond ...int64) (Bucket, *View, int64) {
	b, v := known(l, len(perSecond))
	now := int64(1)
	for range 600 {
		now += sec
		for i, n := range perSecond {
			b.Observe(now, l, v, i, n*Token)
			v.Peers[i].Heard.Store(now)
		}
	}
	b.level = 0
	return b, v, now
}

// near compares µtok, which predictions round.
func near(a, b int64) bool { return distance(a, b) <= 5 }

func TestSilentPeerIsExpectedToGoOn(t *testing.T) {
	l := tenASecond()
	b, v, now := steady(&l, 3, 4)
	if got := b.Level(now+2*sec, &l, v); !near(got, 6*Token) {
		t.Errorf("level %d after 2 s, want 6 tokens: 10 − 3 − 4 a second", got)
	}
}

// All peers together never take more than r·(1 − 1/(2N)).
func TestNodeKeepsHalfOfItsShare(t *testing.T) {
	l := tenASecond()
	b, v, now := steady(&l, 9, 9, 9)
	if got, want := b.Level(now+8*sec, &l, v), 80*int64(Token)/8; !near(got, want) {
		t.Errorf("level %d after 8 s, want %d", got, want)
	}
}

// A page without a row returns what was predicted, and the average decays.
func TestSilencePageReturnsThePrediction(t *testing.T) {
	l := tenASecond() // τ is the least, 3 s
	b, v, now := steady(&l, 5)
	now += 3 * sec
	if got := b.Level(now, &l, v); !near(got, 15*Token) {
		t.Fatalf("level %d before the page, want 15 tokens", got)
	}
	v.Peers[0].Heard.Store(now)
	if got := b.Level(now, &l, v); got != 30*Token {
		t.Errorf("level %d after it, want 30 tokens", got)
	}
	if got, want := b.peers[0].lambda()*1e9/Token, 5/math.E; math.Abs(got-want) > 0.01 {
		t.Errorf("λ %.3f a second after τ of silence, want %.3f", got, want)
	}
}

// A share is held for five minutes, then halved each minute, on every side.
func TestHoldIsLetGo(t *testing.T) {
	forever := tenASecond()
	forever.HoldForever = true
	for _, c := range []struct {
		name     string
		l        Limit
		released time.Duration // after the silence began; 0: not
		want     []int64       // thousandths of λ that are held in each minute of the silence
	}{
		{"held", tenASecond(), 0, []int64{1000, 1000, 1000, 1000, 1000, 500, 250, 125}},
		{"held for ever", forever, 0, []int64{1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000}},
		{"released", tenASecond(), 90 * time.Second, []int64{1000, 500, 0, 0, 0, 0, 0, 0}},
		{"released while going", tenASecond(), 330 * time.Second, []int64{1000, 1000, 1000, 1000, 1000, 250, 0, 0}},
	} {
		b, v, now := steady(&c.l, 4)
		if c.released > 0 {
			v.Peers[0].Release(now + int64(c.released))
		}
		for minute, held := range c.want {
			before := b.peers[0].ph
			now += 60 * sec
			b.Advance(now, &c.l, v)
			if got := int64(b.peers[0].ph - before); distance(got, 4*60*Token*held/1000) > 300 {
				t.Errorf("%s: %d µtok held back in minute %d, want %d thousandths of 240 tokens", c.name, got, minute, held)
			}
		}
	}
}

// A peer that left is expected to do nothing, from the beginning of its silence.
func TestPeerThatLeftHoldsNothing(t *testing.T) {
	l := tenASecond()
	b, v, now := steady(&l, 4)
	v.Peers[0].Leave()
	if got := b.Level(now+sec, &l, v); got != 10*Token {
		t.Errorf("level %d, want 10 tokens", got)
	}
	if got := b.Unseen(now+100*sec, &l, v); got != 0 {
		t.Errorf("%d µtok unseen", got)
	}
	if got := v.Staleness(now + 100*sec); got != 0 {
		t.Errorf("%d ns stale", got)
	}
}

// λ is an average over time: how the consumption is cut into messages does not
// matter, nor how many messages say nothing.
func TestLambdaIsOverTime(t *testing.T) {
	l := Policy{Capacity: 1000, RefillRate: Whole(1000), IntervalSeconds: Whole(3600)}.Limit() // τ = 6 min
	for _, c := range []struct {
		name         string
		page, period int64 // ms between pages, s between requests
	}{
		{"a page each second", 1000, 60},
		{"a page each 100 ms", 100, 60},
		{"a page with each request", 60_000, 60},
	} {
		b, v := known(&l, 1)
		now := int64(1)
		for now < 7200*sec {
			now += c.page * msNanos
			if (now-1)%(c.period*sec) == 0 {
				b.Observe(now, &l, v, 0, Token)
			}
			v.Peers[0].Heard.Store(now)
			b.Advance(now, &l, v)
		}
		if got, want := b.peers[0].lambda()*1e9*60/Token, 1.0; math.Abs(got-want) > 0.1 {
			t.Errorf("%s: λ %.3f a minute, want about %.0f", c.name, got, want)
		}
	}
}

// A page with rows of two runs of a peer says as much as one with a single row.
func TestLambdaOfTwoRowsAPage(t *testing.T) {
	l := tenASecond()
	b, v := known(&l, 1)
	for now := 1 + sec; now < 60*sec; now += sec {
		b.Observe(now, &l, v, 0, 3*Token)
		b.Observe(now, &l, v, 0, 3*Token)
		v.Peers[0].Heard.Store(now)
	}
	if got := b.peers[0].lambda() * 1e9 / Token; math.Abs(got-6) > 0.6 {
		t.Errorf("λ %.2f a second, want about 6", got)
	}
}

// The gap before a first row is that of all the silence that was known.
func TestFirstRowAfterKnownSilence(t *testing.T) {
	l := Policy{Capacity: 1000, RefillRate: Whole(1000), IntervalSeconds: Whole(3600)}.Limit() // τ = 6 min
	v := newView(1, 1)
	b := NewBucket(1, &l, v)
	now := 3600 * sec
	v.Peers[0].Heard.Store(now)
	now += sec / 10
	b.Observe(now, &l, v, 0, Token)
	if got, want := b.peers[0].lambda()*1e9/Token, 1/360.0; math.Abs(got-want) > want/10 {
		t.Errorf("λ %.5f a second after one request in an hour, want about 1/τ = %.5f", got, want)
	}
}

// Nobody knows what was consumed since a peer was last heard; this bounds it.
func TestUnseen(t *testing.T) {
	l := tenASecond()
	b, v, now := steady(&l, 3, 4)
	for _, c := range []struct{ seconds, want int64 }{{0, 0}, {2, 14}, {100, 700}} {
		if got := b.Unseen(now+c.seconds*sec, &l, v); !near(got, c.want*Token) {
			t.Errorf("%d µtok unseen after %d s, want %d tokens", got, c.seconds, c.want)
		}
	}
	b.peers[0].s *= 1000
	if got, want := b.Unseen(now+2*sec, &l, v), int64(100+20+8)*Token; !near(got, want) {
		t.Errorf("%d µtok unseen, want C + r·2 s of one peer and 8 tokens of the other", got)
	}
	if got := v.Staleness(now + 2*sec); got != 2*sec {
		t.Errorf("stale for %d ns, want 2 s", got)
	}
}

// A denied caller's RetryAfter counts with what the peers will take meanwhile.
func TestRetryAfterAmongPeers(t *testing.T) {
	l := tenASecond()
	b, v, now := steady(&l, 3, 4)
	wait := b.RetryAfter(now, &l, v, 6*Token)
	if wait < 2*time.Second || wait > 2*time.Second+2*time.Millisecond {
		t.Fatalf("retry after %v, want 2 s", wait)
	}
	early := twin(&b)
	if early.Admit(now+int64(wait)-2*msNanos, &l, v, 6*Token) {
		t.Error("admitted early")
	}
	if !b.Admit(now+int64(wait), &l, v, 6*Token) {
		t.Error("denied after the wait")
	}
}
