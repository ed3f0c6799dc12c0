package rating

import (
	"encoding/json"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func money(t testing.TB, s string) Nano {
	t.Helper()
	n, err := ParseMoney(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRate(t *testing.T) {
	cached, reasoning := money(t, "0.25"), money(t, "30")
	plain := Price{Model: "m", Currency: "USD", InputPerMillion: money(t, "2.50"), OutputPerMillion: money(t, "10")}
	full := plain
	full.CachedInputPerMillion, full.ReasoningPerMillion, full.PerRequest = &cached, &reasoning, money(t, "0.001")
	for _, c := range []struct {
		name  string
		price Price
		usage Usage
		total string
		items int
	}{
		{"nothing", plain, Usage{}, "0", 0},
		{"input and output", plain, Usage{InputTokens: 1000, OutputTokens: 200}, "0.0045", 2},
		{"parts cost what the whole costs without prices of their own", plain, Usage{InputTokens: 1000, CachedInputTokens: 400, OutputTokens: 200, ReasoningTokens: 50}, "0.0045", 4},
		{"a free request", plain, Usage{Requests: 3}, "0", 1},
		{"all meters", full, Usage{InputTokens: 1000, CachedInputTokens: 400, OutputTokens: 200, ReasoningTokens: 50, Requests: 1}, "0.0056", 5},
		{"one token of 2.50 a million", plain, Usage{InputTokens: 1}, "0.0000025", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			charge, err := c.price.Rate(c.usage, Usage{})
			if err != nil || charge.Total != money(t, c.total) || len(charge.Items) != c.items || charge.Provisional {
				t.Errorf("%+v, %v; want %s of %d items", charge, err, c.total, c.items)
			}
		})
	}
}

// Ties go to the even neighbour, per item, and the total is the sum of the
// rounded items.
func TestItemsAreRoundedOneByOne(t *testing.T) {
	p := Price{Model: "m", Currency: "EUR", InputPerMillion: 500_000, OutputPerMillion: 1_500_000}
	charge, err := p.Rate(Usage{InputTokens: 1, OutputTokens: 1}, Usage{})
	if err != nil {
		t.Fatal(err)
	}
	if in, out := charge.Items[0].Amount, charge.Items[1].Amount; in != 0 || out != 2 || charge.Total != 2 {
		t.Errorf("items %d and %d, total %d; want 0, 2 and 2", in, out, charge.Total)
	}
}

func TestTooMuchMoney(t *testing.T) {
	p := Price{Model: "m", Currency: "USD", InputPerMillion: MaxPrice, OutputPerMillion: MaxPrice}
	for _, u := range []Usage{
		{InputTokens: MaxQuantity},
		{InputTokens: 600_000_000, OutputTokens: 600_000_000},
	} {
		if charge, err := p.Rate(u, Usage{}); !errors.Is(err, ErrTooMuch) {
			t.Errorf("%+v: %+v, %v", u, charge, err)
		}
	}
}

func tiered(t testing.TB) Price {
	return Price{Model: "m", Currency: "USD", Tiers: Tiers{
		Input:    []Tier{{1000, money(t, "3")}, {5000, money(t, "2")}, {0, money(t, "1")}},
		Requests: []Tier{{10, 0}, {0, money(t, "0.01")}},
	}}
}

func TestBillIsGraduated(t *testing.T) {
	p := tiered(t)
	for _, c := range []struct {
		usage Usage
		total string
	}{
		{Usage{InputTokens: 1000}, "0.003"},
		{Usage{InputTokens: 1001}, "0.003002"},
		{Usage{InputTokens: 6000}, "0.012"},
		{Usage{Requests: 10}, "0"},
		{Usage{Requests: 12}, "0.02"},
	} {
		if charge, err := p.Bill(c.usage); err != nil || charge.Total != money(t, c.total) {
			t.Errorf("%+v: %v, %v; want %s", c.usage, charge.Total, err, c.total)
		}
	}
}

// However a month is cut into events, the steps add up to its bill, and more
// usage never makes it smaller.
func TestStepsAddUpToTheBill(t *testing.T) {
	p := tiered(t)
	rapid.Check(t, func(t *rapid.T) {
		var sum Usage
		var total Nano
		for range rapid.IntRange(1, 20).Draw(t, "events") {
			u := Usage{InputTokens: rapid.Uint64Range(0, 3000).Draw(t, "input"), Requests: rapid.Uint64Range(0, 5).Draw(t, "requests")}
			charge, err := p.Rate(u, sum)
			if err != nil || charge.Total < 0 || len(charge.Items) > 0 && !charge.Provisional {
				t.Fatalf("%+v, %v", charge, err)
			}
			sum, total = sum.Plus(u), total+charge.Total
		}
		if bill, err := p.Bill(sum); err != nil || bill.Total != total || bill.Provisional {
			t.Fatalf("the steps are %v, the bill %+v, %v", total, bill, err)
		}
	})
}

// The parts of a sum may be known before the whole.
func TestBillOfAPartialSum(t *testing.T) {
	p := Price{Model: "m", Currency: "USD", InputPerMillion: Unit, OutputPerMillion: Unit}
	if bill, err := p.Bill(Usage{CachedInputTokens: 5, ReasoningTokens: 7}); err != nil || bill.Total != 12_000 {
		t.Errorf("%+v, %v", bill, err)
	}
}

func TestChargeJSON(t *testing.T) {
	p := Price{Model: "m", Currency: "USD", InputPerMillion: money(t, "2.5")}
	charge, err := p.Rate(Usage{InputTokens: 1000}, Usage{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(charge)
	const want = `{"currency":"USD","items":[{"meter":"input","quantity":1000,"unit_price":"2.5","amount":"0.0025"}],"total":"0.0025"}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}

func BenchmarkRate(b *testing.B) {
	cached := money(b, "0.25")
	p := Price{Model: "m", Currency: "USD", InputPerMillion: money(b, "2.50"), OutputPerMillion: money(b, "10"), CachedInputPerMillion: &cached}
	u := Usage{InputTokens: 1200, CachedInputTokens: 800, OutputTokens: 300, Requests: 1}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Rate(u, Usage{}); err != nil {
			b.Fatal(err)
		}
	}
}
