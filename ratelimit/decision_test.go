package ratelimit

import (
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	c := &Compiled{Policy: Policy{Name: "ten"}, Limit: tenASecond()}
	b := NewBucket(1, &c.Limit, nil)
	for i, s := range []struct {
		at   int64 // ms
		n    int64 // tokens
		want Decision
	}{
		{0, 30, Decision{Allowed: true, Remaining: 70 * Token, Reset: 3 * time.Second}},
		{0, 75, Decision{Remaining: 70 * Token, Reset: 3 * time.Second, RetryAfter: 500 * time.Millisecond}},
		{0, 101, Decision{Remaining: 70 * Token, Reset: 3 * time.Second, RetryAfter: Never}},
		{0, 70, Decision{Allowed: true, Reset: 10 * time.Second}},
		{0, 1, Decision{Reset: 10 * time.Second, RetryAfter: 100 * time.Millisecond}},
		{99, 1, Decision{Remaining: 990_000, Reset: 9901 * time.Millisecond, RetryAfter: time.Millisecond}},
		{10_000, 0, Decision{Allowed: true, Remaining: 100 * Token}},
	} {
		s.want.Policy, s.want.Tokens, s.want.Capacity, s.want.Window = "ten", s.n*Token, 100*Token, 10*time.Second
		if got := b.Decide(1+s.at*msNanos, c, nil, s.n*Token); got != s.want {
			t.Errorf("step %d:\n got %+v\nwant %+v", i, got, s.want)
		}
	}
}

// In debt nothing remains, and the wait is counted from the debt.
func TestDecideInDebt(t *testing.T) {
	c := &Compiled{Limit: tenASecond()}
	b := NewBucket(1, &c.Limit, nil)
	b.Charge(1, &c.Limit, nil, 150*Token)
	d := b.Describe(1, c, nil, Token, false)
	if d.Remaining != 0 || d.RetryAfter != 5100*time.Millisecond || d.Reset != 15*time.Second {
		t.Errorf("%+v", d)
	}
	if b.level != -50*Token {
		t.Errorf("describing took something: level %d", b.level)
	}
}

// A part of a millisecond is a whole one to wait.
func TestRetryAfterRoundsUp(t *testing.T) {
	l := Policy{Capacity: 1000, RefillRate: Whole(1_000_000), IntervalSeconds: Whole(1)}.Limit()
	b := NewBucket(1, &l, nil)
	b.Charge(1, &l, nil, 1000*Token)
	if got := b.RetryAfter(1, &l, nil, 1); got != time.Millisecond {
		t.Errorf("retry after %v, want 1ms", got)
	}
	if got := b.RetryAfter(1, &l, nil, 0); got != 0 {
		t.Errorf("retry after %v for nothing, want 0", got)
	}
	if got := b.TimeToFull(1, &l, nil); got != time.Millisecond {
		t.Errorf("full after %v, want 1ms", got)
	}
}

// The longest time there is does not overflow.
func TestNever(t *testing.T) {
	l := Policy{Capacity: MaxTokens, RefillRate: 1, IntervalSeconds: maxMicro}.Limit()
	b := NewBucket(1, &l, nil)
	b.Charge(1, &l, nil, l.Capacity+l.Floor)
	if got := b.RetryAfter(1, &l, nil, l.Capacity); got != Never {
		t.Errorf("retry after %v", got)
	}
	if got := l.TimeToFill(); got != Never {
		t.Errorf("fills in %v", got)
	}
}
