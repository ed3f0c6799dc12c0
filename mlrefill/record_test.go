package mlrefill

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(Record{}); n > 128 {
		t.Errorf("a record has %d bytes, want at most 128", n)
	}
	if n := unsafe.Sizeof(rls{}); n != 176 {
		t.Errorf("a regression has %d bytes, want 176", n)
	}
}

// poisson draws counts of a steady series.
func poisson(r *rand.Rand, mean float64) float64 {
	n, p, least := 0.0, 1.0, math.Exp(-mean)
	for {
		if p *= r.Float64(); p <= least {
			return n
		}
		n++
	}
}

// Looking at every second and looking only when something comes is the same.
func TestIdleSecondsAreWorkedOffAtOnce(t *testing.T) {
	m := NewModel(DefaultPrior())
	rapid.Check(t, func(t *rapid.T) {
		phase := uint8(rapid.IntRange(0, 29).Draw(t, "phase"))
		a, b := NewRecord(m, second, phase), NewRecord(m, second, phase)
		sec := int64(1)
		for range rapid.IntRange(1, 20).Draw(t, "events") {
			gap := rapid.Int64Range(0, 70).Draw(t, "gap")
			for range gap {
				sec++
				a.Advance(m, sec*second)
			}
			n := rapid.Float64Range(0, 50).Draw(t, "n")
			a.Observe(m, sec*second, n)
			b.Observe(m, sec*second, n)
		}
		near := func(what string, x, y, tolerance float64) {
			if math.Abs(x-y) > tolerance*(1+math.Abs(x)) {
				t.Fatalf("%s: %v looking often, %v looking seldom", what, x, y)
			}
		}
		for i := range a.ladder {
			near("rung", float64(a.ladder[i]), float64(b.ladder[i]), 1e-3)
		}
		near("current", a.Current(), b.Current(), 0)
		if a.sec != b.sec || a.start != b.start || a.age != b.age {
			t.Fatalf("second %d window %d age %d, and %d %d %d", a.sec, a.start, a.age, b.sec, b.start, b.age)
		}
	})
}

// Whatever comes in, what goes out is a number that can be used.
func TestRecordNeverSaysNonsense(t *testing.T) {
	m := NewModel(DefaultPrior())
	rapid.Check(t, func(t *rapid.T) {
		h := NewHot(m, second, 3)
		r := NewRecord(m, second, 3)
		now := int64(second)
		top := 0.0
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			now += rapid.SampledFrom([]int64{0, 1, second / 3, second, 7 * second, 100 * second, 5000 * second, -second, -100 * second}).Draw(t, "gap")
			n := rapid.SampledFrom([]float64{0, 1, 3, 1000, 1e9, -1, math.NaN(), math.Inf(1), math.Inf(-1), 1e300}).Draw(t, "n")
			ok := r.Observe(m, now, n)
			if h.Observe(m, now, n) != ok || ok != sane(n) {
				t.Fatalf("%v was taken for a count: %v", n, ok)
			}
			if sane(n) {
				top += n
			}
			for _, f := range []Forecast{r.Forecast(), h.Forecast()} {
				if !sane(f.Mean) || !sane(f.Bound) || !sane(f.Window) || f.Mean > maxBeyond*top+1 {
					t.Fatalf("forecast %+v after at most %v", f, top)
				}
			}
			if c := r.Trust().Weight(); !(c >= 0 && c <= 1) {
				t.Fatalf("confidence %v", c)
			}
			if e := h.Expect(); !sane(e.Mean) || !sane(e.Deviation) {
				t.Fatalf("expects %+v", e)
			}
		}
	})
}

func TestBoundCoversNineteenOfTwenty(t *testing.T) {
	m := NewModel(FlatPrior())
	for _, mean := range []float64{0.5, 4, 40} {
		chance := rand.New(rand.NewPCG(1, 2))
		r := NewRecord(m, second, 0)
		within, n := 0, 0
		for sec := int64(1); sec < 4000; sec++ {
			r.Advance(m, sec*second)
			y := poisson(chance, mean)
			if sec > 100 {
				n++
				if y <= r.Forecast().Bound {
					within++
				}
			}
			r.Observe(m, sec*second, y)
		}
		if c := float64(within) / float64(n); c < 0.93 || c > 0.975 {
			t.Errorf("mean %v: %.3f of the seconds within the bound, want 0.95", mean, c)
		}
	}
}

func TestJitterSpreads(t *testing.T) {
	var hits [WindowSeconds]int
	for i := range 3000 {
		hits[Jitter(1, string(rune('a'+i%26))+string(rune('A'+i/26)))]++
	}
	for phase, n := range hits {
		if n < 50 || n > 160 {
			t.Errorf("%d of 3000 keys in phase %d", n, phase)
		}
	}
}

// What a key costs in a second in which it is active, and what a window adds.
func BenchmarkActiveSecond(b *testing.B) {
	m := NewModel(DefaultPrior())
	const keys = 1 << 14
	records := make([]Record, keys)
	for i := range records {
		records[i] = NewRecord(m, second, uint8(i%WindowSeconds))
	}
	b.ReportAllocs()
	i, now := 0, int64(second)
	for b.Loop() {
		if i++; i == keys {
			i, now = 0, now+second
		}
		records[(i*7919)%keys].Observe(m, now, 1)
	}
}

func BenchmarkSameSecond(b *testing.B) {
	m := NewModel(DefaultPrior())
	r := NewRecord(m, second, 0)
	b.ReportAllocs()
	for b.Loop() {
		r.Observe(m, second, 1)
	}
}

func BenchmarkHotSecond(b *testing.B) {
	m := NewModel(DefaultPrior())
	h := NewHot(m, second, 0)
	now := int64(second)
	b.ReportAllocs()
	for b.Loop() {
		now += second
		h.Observe(m, now, 3)
	}
}
