package ratelimit

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// bigBucket is the slow and obvious bucket: whole µtok arrive at the instants at
// which r·t passes whole numbers, counted from the beginning in unlimited
// integers.
type bigBucket struct {
	capacity, floor, num, den *big.Int
	level                     *big.Int
	born, last                int64
	arrived                   *big.Int // since born
}

func newBigBucket(now int64, l Limit) *bigBucket {
	return &bigBucket{
		capacity: big.NewInt(l.Capacity),
		floor:    big.NewInt(l.Floor),
		num:      new(big.Int).SetUint64(l.RateNum),
		den:      new(big.Int).SetUint64(l.RateDen),
		level:    big.NewInt(l.Capacity),
		born:     now,
		last:     now,
		arrived:  new(big.Int),
	}
}

func (b *bigBucket) advance(now int64) {
	if now < b.last {
		return
	}
	b.last = now
	total := big.NewInt(now)
	total.Sub(total, big.NewInt(b.born))
	total.Mul(total, b.num).Div(total, b.den)
	b.give(new(big.Int).Sub(total, b.arrived))
	b.arrived = total
}

func (b *bigBucket) give(n *big.Int) {
	b.level.Add(b.level, n)
	if b.level.Cmp(b.capacity) > 0 {
		b.level.Set(b.capacity)
	}
}

func (b *bigBucket) admit(n int64) bool {
	if b.level.Cmp(big.NewInt(n)) < 0 {
		return false
	}
	b.level.Sub(b.level, big.NewInt(n))
	return true
}

func (b *bigBucket) charge(n int64) int64 {
	charged := new(big.Int).Add(b.level, b.floor)
	if want := big.NewInt(n); want.Cmp(charged) < 0 {
		charged = want
	}
	b.level.Sub(b.level, charged)
	return charged.Int64()
}

// drawPolicy draws small and great numbers alike.
func drawPolicy(t *rapid.T) Policy {
	for {
		p := Policy{
			Capacity:        drawScaled(t, "capacity", MaxTokens),
			RefillRate:      Decimal(drawScaled(t, "rate", maxMicro)),
			IntervalSeconds: Decimal(drawScaled(t, "interval", maxMicro)),
		}
		if rapid.Bool().Draw(t, "floored") {
			floor := drawScaled(t, "floor", MaxTokens) - 1
			p.Floor = &floor
		}
		if p.Validate() == nil {
			return p
		}
		p.RefillRate, p.IntervalSeconds = p.IntervalSeconds, p.RefillRate
		if p.Validate() == nil {
			return p
		}
	}
}

// drawScaled draws from 1..most, each order of magnitude as likely.
func drawScaled(t *rapid.T, label string, most int64) int64 {
	top := rapid.Int64Range(1, most).Draw(t, label+" top")
	shift := rapid.IntRange(0, 62).Draw(t, label+" shift")
	return max(top>>shift, 1)
}

func drawStep(t *rapid.T) int64 {
	return drawScaled(t, "step", 1<<57) - 1
}

// Alone, a bucket is the reference bit for bit, whatever happens to it.
func TestAloneEqualsReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawPolicy(t).Limit()
		now := rapid.Int64Range(1, 1<<40).Draw(t, "start")
		var v *View
		if rapid.Bool().Draw(t, "empty view") {
			v = &View{Members: 1}
		}
		b, ref := NewBucket(now, &l, v), newBigBucket(now, l)
		for range rapid.IntRange(1, 30).Draw(t, "operations") {
			at := now + drawStep(t)
			if rapid.IntRange(0, 9).Draw(t, "backwards") == 0 {
				at = now - drawStep(t)
			}
			now = max(now, at)
			n := drawScaled(t, "n", 2*l.Capacity)
			ref.advance(at)
			switch rapid.SampledFrom([]string{"look", "admit", "charge", "refund"}).Draw(t, "operation") {
			case "look":
				b.Advance(at, &l, v)
			case "admit":
				if got, want := b.Admit(at, &l, v, n), ref.admit(n); got != want {
					t.Fatalf("Admit(%d) = %v, want %v", n, got, want)
				}
			case "charge":
				if got, want := b.Charge(at, &l, v, n), ref.charge(n); got != want {
					t.Fatalf("Charge(%d) = %d, want %d", n, got, want)
				}
			case "refund":
				b.Refund(at, &l, v, n)
				ref.give(big.NewInt(n))
			}
			if big.NewInt(b.level).Cmp(ref.level) != 0 {
				t.Fatalf("level %d, want %v", b.level, ref.level)
			}
		}
	})
}

// Against a bucket in which fractions of a µtok arrive too, and are lost when it
// is full, the level is never off by a whole µtok.
func TestAloneWithinOneMicroOfExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawPolicy(t).Limit()
		now := int64(1)
		b := NewBucket(now, &l, nil)
		exact, full := new(big.Rat).SetInt64(l.Capacity), new(big.Rat).SetInt64(l.Capacity)
		rate := new(big.Rat).SetFrac(new(big.Int).SetUint64(l.RateNum), new(big.Int).SetUint64(l.RateDen))
		for range rapid.IntRange(1, 30).Draw(t, "operations") {
			step := drawStep(t)
			now += step
			exact.Add(exact, new(big.Rat).Mul(rate, new(big.Rat).SetInt64(step)))
			if exact.Cmp(full) > 0 {
				exact.Set(full)
			}
			if n := drawScaled(t, "n", l.Capacity); b.Admit(now, &l, nil, n) {
				exact.Sub(exact, new(big.Rat).SetInt64(n))
			}
			off := new(big.Rat).Sub(exact, new(big.Rat).SetInt64(b.level))
			if off.Abs(off).Cmp(big.NewRat(1, 1)) >= 0 {
				t.Fatalf("level %d is off by %v µtok", b.level, off.FloatString(3))
			}
		}
	})
}

// Refill in one step equals refill in many, with the carry and whatever is
// beyond 2^64.
func TestRefillComposes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawPolicy(t).Limit()
		a, c := drawStep(t), drawStep(t)
		carry := rapid.Uint64Range(0, l.RateDen-1).Draw(t, "carry")
		first, rest := l.refill(a, carry)
		second, rest := l.refill(c, rest)
		once, restOnce := l.refill(a+c, carry)
		if rest != restOnce {
			t.Fatalf("carry %d in two steps, %d in one", rest, restOnce)
		}
		sum := new(big.Int).Add(new(big.Int).SetUint64(first), new(big.Int).SetUint64(second))
		if sum.IsUint64() && first != 1<<64-1 && second != 1<<64-1 && sum.Uint64() != once {
			t.Fatalf("%v in two steps, %d in one", sum, once)
		}
		total := new(big.Int).Mul(big.NewInt(a+c), new(big.Int).SetUint64(l.RateNum))
		total.Add(total, new(big.Int).SetUint64(carry))
		want, wantRest := total.DivMod(total, new(big.Int).SetUint64(l.RateDen), new(big.Int))
		if wantRest.Uint64() != restOnce {
			t.Fatalf("carry %d, want %v", restOnce, wantRest)
		}
		if !want.IsUint64() {
			want.SetUint64(1<<64 - 1)
		}
		if want.Uint64() != once {
			t.Fatalf("refill %d, want %v", once, want)
		}
	})
}

// TimeFor is the least time that refills the amount.
func TestTimeForIsLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawPolicy(t).Limit()
		need := drawScaled(t, "need", 2*maxMicro)
		carry := rapid.Uint64Range(0, l.RateDen-1).Draw(t, "carry")
		d := int64(l.timeFor(need, carry))
		if d < 1<<63-1 {
			if got, _ := l.refill(d, carry); got < uint64(need) {
				t.Fatalf("%d ns refill %d, want %d", d, got, need)
			}
		}
		if d > 0 {
			if got, _ := l.refill(d-1, carry); got >= uint64(need) {
				t.Fatalf("%d ns would do", d-1)
			}
		}
	})
}

// A denied caller that waits RetryAfter is admitted, and one that comes a
// millisecond early is not.
func TestRetryAfterIsEnoughAndNotTooMuch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawPolicy(t).Limit()
		now := int64(1)
		b := NewBucket(now, &l, nil)
		b.Charge(now, &l, nil, drawScaled(t, "charge", 2*l.Capacity))
		n := drawScaled(t, "n", l.Capacity)
		now += drawStep(t)
		wait := b.RetryAfter(now, &l, nil, n)
		if wait > 1<<61 {
			return // nobody waits so long
		}
		early, late := twin(&b), twin(&b)
		if wait > 0 && early.Admit(now+int64(wait)-msNanos, &l, nil, n) {
			t.Fatalf("admitted a millisecond before %v", wait)
		}
		if !late.Admit(now+int64(wait), &l, nil, n) {
			t.Fatalf("denied after %v", wait)
		}
	})
}

// Changing the limit to and fro makes no tokens.
func TestRelimitMakesNoTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, second := drawPolicy(t).Limit(), drawPolicy(t).Limit()
		now := int64(1)
		b := NewBucket(now, &first, nil)
		b.Charge(now, &first, nil, drawScaled(t, "charge", 2*first.Capacity))
		now += drawStep(t)
		before := b.Level(now, &first, nil)
		b.Relimit(now, &first, &second, nil)
		if b.level > max(before, -second.Floor) || b.level > second.Capacity || b.level < -second.Floor || b.carry >= second.RateDen {
			t.Fatalf("level %d carry %d after %d and %+v", b.level, b.carry, before, second)
		}
		b.Relimit(now, &second, &first, nil)
		if b.level > max(before, -second.Floor) || b.carry >= first.RateDen {
			t.Fatalf("level %d carry %d after %d and back", b.level, b.carry, before)
		}
	})
}
