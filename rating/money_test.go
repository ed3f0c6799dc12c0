package rating

import (
	"encoding/json"
	"errors"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestParseMoney(t *testing.T) {
	for text, want := range map[string]Nano{
		"0":                 0,
		"-0":                0,
		"12":                12 * Unit,
		"0.06":              60_000_000,
		"-1.5":              -1_500_000_000,
		"0.000000001":       1,
		"1.0000000010":      1_000_000_001,
		"0001.10":           1_100_000_000,
		"1000000000":        MaxAmount,
		"0.100000000000000": Unit / 10,
	} {
		if got, err := ParseMoney(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "-", ".", "1.", ".5", "1e3", "+1", " 1", "1 ", "1,5", "1.2.3", "--1", "0x1", "NaN", "٣",
		"0.0000000001", "1000000000.000000001", "99999999999999999999", "1.00000000000000000000000000000000000000",
	} {
		if got, err := ParseMoney(text); !errors.Is(err, ErrInvalidMoney) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func TestMoneyIsItsOwnText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := Nano(rapid.Int64Range(-int64(MaxAmount), int64(MaxAmount)).Draw(t, "nano"))
		text, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		var back Nano
		if err := json.Unmarshal(text, &back); err != nil || back != n {
			t.Fatalf("%s became %v, %v", text, back, err)
		}
	})
}

func TestMoneyIsNoJSONNumber(t *testing.T) {
	for _, text := range []string{`0.1`, `1`, `true`, `{}`, `""`, `"1e3"`} {
		if err := json.Unmarshal([]byte(text), new(Nano)); !errors.Is(err, ErrInvalidMoney) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The rounding against arbitrary precision.
func TestDividedRoundsHalfToEven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		den := uint64(rapid.SampledFrom([]int64{1, 2, 3, 1000, perMillion}).Draw(t, "den"))
		exact, sum := new(big.Int), product{}
		for range rapid.IntRange(0, 4).Draw(t, "terms") {
			quantity := rapid.Uint64Range(0, 1<<40).Draw(t, "quantity")
			price := Nano(rapid.Int64Range(0, int64(MaxPrice)).Draw(t, "price"))
			sum = sum.plus(quantity, price)
			exact.Add(exact, new(big.Int).Mul(new(big.Int).SetUint64(quantity), big.NewInt(int64(price))))
		}
		want := halfEven(exact, den)
		got, ok := sum.divided(den)
		if fits := want.Cmp(big.NewInt(int64(MaxAmount))) <= 0; ok != fits || fits && big.NewInt(int64(got)).Cmp(want) != 0 {
			t.Fatalf("%v / %d: %d, %v; want %v", exact, den, got, ok, want)
		}
	})
	for n, want := range map[uint64]Nano{0: 0, 1: 0, 2: 1, 3: 2, 4: 2, 5: 2, 6: 3, 7: 4} {
		if got, ok := (product{lo: n}).divided(2); !ok || got != want {
			t.Errorf("%d / 2 = %d, want %d", n, got, want)
		}
	}
}

func halfEven(n *big.Int, den uint64) *big.Int {
	d := new(big.Int).SetUint64(den)
	q, r := new(big.Int).QuoRem(n, d, new(big.Int))
	switch twice := r.Lsh(r, 1); twice.Cmp(d) {
	case 1:
		q.Add(q, big.NewInt(1))
	case 0:
		q.Add(q, big.NewInt(int64(q.Bit(0))))
	}
	return q
}

func FuzzParseMoney(f *testing.F) {
	for _, text := range []string{"0", "-1.5", "0.000000001", "1e3", "1000000000.0", "."} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseMoney(text)
		if err != nil {
			return
		}
		exact, ok := new(big.Rat).SetString(text)
		if !ok || exact.Mul(exact, big.NewRat(int64(Unit), 1)).Cmp(big.NewRat(int64(n), 1)) != 0 {
			t.Fatalf("%q became %d nano", text, n)
		}
		if again, err := ParseMoney(n.String()); err != nil || again != n {
			t.Fatalf("%v became %v, %v", n, again, err)
		}
	})
}
