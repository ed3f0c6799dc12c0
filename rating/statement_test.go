package rating

import (
	"testing"

	"pgregory.net/rapid"
)

func TestStatementPricesLaterWhatHadNoPrice(t *testing.T) {
	day := DayOf(1_700_000_000_000)
	p := Price{Model: "m", Currency: "USD", InputPerMillion: Unit, EffectiveFrom: UnixMS(DayStart(day) + 5)}
	rated, err := NewBook([]Price{p}).Statement([]Line{
		{Day: day, Model: "m", Usage: Usage{InputTokens: 1000}},
		{Day: day - 1, Model: "m", Usage: Usage{InputTokens: 1000}},
		{Day: day, Model: "other", Usage: Usage{InputTokens: 1000}},
	})
	if err != nil || len(rated) != 3 {
		t.Fatal(rated, err)
	}
	for i, want := range []bool{false, true, false} {
		if rated[i].Priced != want || (rated[i].Charge.Total == 1_000_000) != want {
			t.Errorf("line %d: %+v", i, rated[i])
		}
	}
}

// The lines of a month add up to its bill, in whatever order they come.
func TestStatementAddsUpToTheBill(t *testing.T) {
	p := tiered(t)
	book := NewBook([]Price{p})
	first := MonthStart(DayOf(1_700_000_000_000))
	rapid.Check(t, func(t *rapid.T) {
		var lines []Line
		var sum Usage
		for i := range rapid.IntRange(0, 28).Draw(t, "days") {
			u := Usage{InputTokens: rapid.Uint64Range(0, 900).Draw(t, "input"), Requests: rapid.Uint64Range(0, 3).Draw(t, "requests")}
			lines = append(lines, Line{Day: first + uint32(i), Model: "m", Pattern: "m", Usage: u})
			sum = sum.Plus(u)
		}
		rated, err := book.Statement(rapid.Permutation(lines).Draw(t, "order"))
		if err != nil {
			t.Fatal(err)
		}
		var total Nano
		for _, r := range rated {
			total += r.Charge.Total
		}
		if bill, err := p.Bill(sum); err != nil || bill.Total != total {
			t.Fatalf("lines are %v, the bill %v, %v", total, bill.Total, err)
		}
	})
}

func TestDays(t *testing.T) {
	if d := DayOf(1_700_000_000_000); DayStart(d) > 1_700_000_000_000 || DayStart(d+1) <= 1_700_000_000_000 {
		t.Errorf("day %d", d)
	}
	if got := MonthStart(DayOf(1_700_000_000_000)); DayStart(got) != 1_698_796_800_000 { // 2023-11-01
		t.Errorf("month from %d", DayStart(got))
	}
}
