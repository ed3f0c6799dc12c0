package rating

import (
	"testing"

	"pgregory.net/rapid"
)

func version(model string, from int64) Price {
	return Price{Model: model, Currency: "USD", EffectiveFrom: UnixMS(from)}
}

func TestBookAt(t *testing.T) {
	book := NewBook([]Price{
		version("*", 100), version("gpt-4", 300), version("gpt-4", 200), version("gpt-*", 150), version("late", 1000),
	})
	for _, c := range []struct {
		model   string
		ms      int64
		pattern string
		from    int64
	}{
		{"gpt-4", 99, "", 0},
		{"gpt-4", 100, "*", 100},
		{"gpt-4", 150, "gpt-*", 150},
		{"gpt-4", 199, "gpt-*", 150},
		{"gpt-4", 200, "gpt-4", 200},
		{"gpt-4", 299, "gpt-4", 200},
		{"gpt-4", 300, "gpt-4", 300},
		{"gpt-5", 300, "gpt-*", 150},
		{"late", 999, "*", 100},
		{"late", 1000, "late", 1000},
	} {
		p, ok := book.At(c.model, c.ms)
		if ok != (c.pattern != "") || p.Model != c.pattern || int64(p.EffectiveFrom) != c.from {
			t.Errorf("%s at %d: %q from %d, %v; want %q from %d", c.model, c.ms, p.Model, p.EffectiveFrom, ok, c.pattern, c.from)
		}
	}
	if _, ok := NewBook(nil).At("gpt-4", 1); ok {
		t.Error("an empty book has a price")
	}
	if p, ok := book.Version("gpt-*", 150); !ok || p.Model != "gpt-*" {
		t.Errorf("%+v, %v", p, ok)
	}
	if p, ok := book.Version("gpt-4", 250); ok {
		t.Errorf("a version that is not: %+v", p)
	}
}

// A node's price does not depend on the order in which it learnt of versions.
func TestBookIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var prices []Price
		type key struct {
			model string
			from  int64
		}
		seen := map[key]bool{}
		for range rapid.IntRange(0, 10).Draw(t, "versions") {
			p := version(rapid.StringMatching(`[ab*?]{1,3}`).Draw(t, "model"), rapid.Int64Range(0, 5).Draw(t, "from"))
			if k := (key{p.Model, int64(p.EffectiveFrom)}); !seen[k] {
				seen[k] = true
				prices = append(prices, p)
			}
		}
		model, ms := rapid.StringMatching(`[ab]{1,3}`).Draw(t, "model"), rapid.Int64Range(0, 6).Draw(t, "ms")
		want, wantOK := NewBook(prices).At(model, ms)
		got, ok := NewBook(rapid.Permutation(prices).Draw(t, "order")).At(model, ms)
		if ok != wantOK || got.Model != want.Model || got.EffectiveFrom != want.EffectiveFrom {
			t.Fatalf("%+v %v against %+v %v", got, ok, want, wantOK)
		}
	})
}
