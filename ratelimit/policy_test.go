package ratelimit

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func ptr[T any](v T) *T { return &v }

func TestValidate(t *testing.T) {
	good := Policy{Capacity: 1000, RefillRate: Whole(1000), IntervalSeconds: Whole(3600)}
	for name, c := range map[string]struct {
		change func(*Policy)
		field  string
	}{
		"good":                   {func(*Policy) {}, ""},
		"smallest":               {func(p *Policy) { p.Capacity, p.RefillRate, p.IntervalSeconds = 1, 1, maxMicro }, ""},
		"greatest":               {func(p *Policy) { p.Capacity, p.RefillRate, p.IntervalSeconds = MaxTokens, maxMicro, Whole(1) }, ""},
		"all said":               {func(p *Policy) { p.Durability, p.Floor, p.Minority, p.Match = Sync, ptr[int64](0), MinorityHold, "a*" }, ""},
		"no capacity":            {func(p *Policy) { p.Capacity = 0 }, "capacity"},
		"negative capacity":      {func(p *Policy) { p.Capacity = -1 }, "capacity"},
		"too great a capacity":   {func(p *Policy) { p.Capacity = MaxTokens + 1 }, "capacity"},
		"no rate":                {func(p *Policy) { p.RefillRate = 0 }, "refill_rate"},
		"too great a rate":       {func(p *Policy) { p.RefillRate = maxMicro + 1 }, "refill_rate"},
		"too great a rate in 1s": {func(p *Policy) { p.RefillRate, p.IntervalSeconds = maxMicro, Whole(1)-1 }, "refill_rate"},
		"no interval":            {func(p *Policy) { p.IntervalSeconds = 0 }, "interval_seconds"},
		"too long an interval":   {func(p *Policy) { p.IntervalSeconds = maxMicro + 1 }, "interval_seconds"},
		"unknown durability":     {func(p *Policy) { p.Durability = "none" }, "durability"},
		"negative floor":         {func(p *Policy) { p.Floor = ptr[int64](-1) }, "floor"},
		"too deep a floor":       {func(p *Policy) { p.Floor = ptr[int64](MaxTokens + 1) }, "floor"},
		"unknown minority":       {func(p *Policy) { p.Minority = "release" }, "minority"},
		"control in match":       {func(p *Policy) { p.Match = "a\x00b" }, "match"},
		"long match":             {func(p *Policy) { p.Match = string(make([]byte, 129)) }, "match"},
	} {
		p := good
		c.change(&p)
		err := p.Validate()
		var field *FieldError
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.field != "" && (!errors.Is(err, ErrInvalidPolicy) || !errors.As(err, &field) || field.Field != c.field):
			t.Errorf("%s: error %v, want one of field %q", name, err, c.field)
		}
	}
}

func TestLimitOfPolicy(t *testing.T) {
	got := Policy{Capacity: 1000, RefillRate: Whole(1000), IntervalSeconds: Whole(3600)}.Limit()
	want := Limit{Capacity: 1000 * Token, Floor: 1000 * Token, RateNum: 1, RateDen: 3600, Durability: Async}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	got = Policy{Capacity: 5, RefillRate: 500_000, IntervalSeconds: 100_000, Floor: ptr[int64](7), Durability: Reserve, Minority: MinorityHold}.Limit()
	want = Limit{Capacity: 5 * Token, Floor: 7 * Token, RateNum: 1, RateDen: 200, Durability: Reserve, HoldForever: true}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got.PerSecond() != 5*Token || got.TimeToFill() != time.Second || got.TimeFor(Token) != 200*time.Millisecond {
		t.Errorf("%d µtok a second, full in %v, a token in %v", got.PerSecond(), got.TimeToFill(), got.TimeFor(Token))
	}
}

func TestPolicyJSON(t *testing.T) {
	text := `{"name":"pro","match":"pro:*","capacity":1000,"refill_rate":0.5,"interval_seconds":3600,"durability":"sync","floor":0,"allow_inline":false,"minority":"hold"}`
	var p Policy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	want := Policy{
		Name: "pro", Match: "pro:*", Capacity: 1000, RefillRate: 500_000, IntervalSeconds: Whole(3600),
		Durability: Sync, Floor: ptr[int64](0), AllowInline: ptr(false), Minority: MinorityHold,
	}
	if !reflect.DeepEqual(p, want) || p.InlineAllowed() {
		t.Errorf("got %+v", p)
	}
	if b, err := json.Marshal(p); err != nil || string(b) != text {
		t.Errorf("got %s, %v", b, err)
	}
	if !(Policy{}).InlineAllowed() {
		t.Error("inline policies are not allowed by default")
	}
}

func TestParseDecimal(t *testing.T) {
	for text, want := range map[string]Decimal{
		"0": 0, "0.0": 0, "0e99999999999": 0, "1": 1_000_000, "1000": Whole(1000), "0.1": 100_000, "0.000001": 1,
		"1.5e3": Whole(1500), "1E+2": Whole(100), "25e-1": 2_500_000, "1.0000000": 1_000_000, "1234.5678901e1": 12_345_678_901,
		"9223372036854.775807": 1<<63 - 1, "0.1e1": 1_000_000, "100e-6": 100, "9007199254.740992": maxMicro,
	} {
		if got, err := ParseDecimal(text); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "-1", "-0", "+1", ".5", "1.", "01", "1e", "1e+", "1e+-1", "0x1", "1_000", " 1", "1 ", "NaN", "Infinity", `"1"`, "1.2.3", "1e5e5",
		"0.0000001", "1e-7", "1.0000001", "9223372036854.775808", "1e13", "1e99999999999", "1e-99999999999", "1e400",
		"1" + string(make([]byte, 64)), "0." + "00000000000000000000000000000000000000000000000000000000000000000",
	} {
		if got, err := ParseDecimal(text); !errors.Is(err, ErrInvalidDecimal) {
			t.Errorf("%q: %d, %v, want it refused", text, got, err)
		}
	}
}

func TestDecimalRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Decimal(rapid.Int64Min(0).Draw(t, "millionths"))
		back, err := ParseDecimal(d.String())
		if err != nil || back != d {
			t.Fatalf("%d is written %s and read %d, %v", d, d, back, err)
		}
		var fromJSON Decimal
		if err := json.Unmarshal([]byte(d.String()), &fromJSON); err != nil || fromJSON != d {
			t.Fatalf("%s is read %d, %v", d, fromJSON, err)
		}
	})
}

func FuzzParseDecimal(f *testing.F) {
	for _, s := range []string{"0", "1.5e3", "9223372036854.775807", "1e-99", "-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDecimal(s)
		if err != nil {
			return
		}
		if d < 0 || !json.Valid([]byte(s)) {
			t.Fatalf("%q is read %d", s, d)
		}
		if again, err := ParseDecimal(d.String()); err != nil || again != d {
			t.Fatalf("%q is %s, and that is %d, %v", s, d, again, err)
		}
	})
}
