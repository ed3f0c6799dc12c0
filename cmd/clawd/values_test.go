package main

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openclaw/clawd/ratelimit"
)

// TestPolicyValueRoundTrip: what a flag prints is what it parses, or a
// configuration printed by config check would mean something else.
func TestPolicyValueRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := ratelimit.Policy{
			Name:     "default",
			Capacity: rapid.Int64Range(1, ratelimit.MaxTokens).Draw(t, "capacity"),
			RefillRate: rapid.OneOf(
				rapid.Map(rapid.Int64Range(1, 1_000_000), ratelimit.Whole),
				rapid.Map(rapid.Int64Range(1, 1<<53), func(n int64) ratelimit.Decimal { return ratelimit.Decimal(n) }),
			).Draw(t, "rate"),
			IntervalSeconds: rapid.OneOf(
				rapid.SampledFrom([]ratelimit.Decimal{ratelimit.Whole(1), ratelimit.Whole(60), ratelimit.Whole(3600), ratelimit.Whole(86400), ratelimit.Whole(90)}),
				rapid.Map(rapid.Int64Range(1, 1<<53), func(n int64) ratelimit.Decimal { return ratelimit.Decimal(n) }),
			).Draw(t, "interval"),
			Durability: rapid.SampledFrom([]ratelimit.Durability{"", ratelimit.Async, ratelimit.Reserve, ratelimit.Sync}).Draw(t, "durability"),
			Minority:   rapid.SampledFrom([]string{"", ratelimit.MinorityHold}).Draw(t, "minority"),
		}
		if rapid.Bool().Draw(t, "hasFloor") {
			floor := rapid.Int64Range(0, ratelimit.MaxTokens).Draw(t, "floor")
			p.Floor = &floor
		}
		before := policyValue{p}
		after := policyValue{ratelimit.Policy{Name: "default"}}
		if err := after.Set(before.String()); err != nil {
			t.Fatalf("%q: %v", before.String(), err)
		}
		if got, want := after.policy.Limit(), p.Limit(); got != want {
			t.Fatalf("%q: got %+v, want %+v", before.String(), got, want)
		}
		if before.String() != after.String() {
			t.Fatalf("%q became %q", before.String(), after.String())
		}
	})
}

func TestSizeValueRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := sizeValue(rapid.OneOf(
			rapid.Int64Range(0, 1<<62),
			rapid.Map(rapid.Int64Range(0, 1<<20), func(n int64) int64 { return n << 30 }),
		).Draw(t, "size"))
		var after sizeValue
		if err := after.Set(before.String()); err != nil || after != before {
			t.Fatalf("%q: got %d, %v", before.String(), after, err)
		}
	})
	for _, bad := range []string{"", "-1", "1.5MiB", "MiB", "1 XB", "9223372036854775807KiB"} {
		var v sizeValue
		if err := v.Set(bad); err == nil {
			t.Errorf("%q is %d bytes", bad, v)
		}
	}
}

func TestParseInterval(t *testing.T) {
	for in, want := range map[string]string{
		"h": "3600", "1h": "3600.000000", "90s": "90.000000", "1h30m": "5400.000000",
		"7d": "604800", "day": "86400", "250ms": "0.250000", " 1s ": "1.000000", "2562047h": "9223369200.000000",
	} {
		got, err := parseInterval(in)
		if err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "0s", "-1h", "1", "1w", "0d", "-1d", "1ns", "h1"} {
		if got, err := parseInterval(bad); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
}

// TestPrintable keeps names from moving the cursor.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"agent:42": "agent:42", "müller 7": "müller 7", "": "",
		"a\x1b[31mb": `"a\x1b[31mb"`, "a\nb": `"a\nb"`, "\xff": `"\xff"`, "\u009b2J": `"\u009b2J"`, "a\u202eb": `"a\u202eb"`,
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestShellQuote(t *testing.T) {
	for in, want := range map[string]string{"a:b/c": "a:b/c", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'"} {
		if got := shellQuote(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	for in, want := range map[time.Duration]string{
		0: "0", 340 * time.Millisecond: "340ms", 2540 * time.Millisecond: "2.5s", 200 * time.Second: "3m20s",
		-1500 * time.Millisecond: "-1.5s", 25 * time.Hour: "25h0m0s",
	} {
		if got := span(in.Milliseconds()); got != want {
			t.Errorf("%v: got %s, want %s", in, got, want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"data_dir", "datadir", 1}, {"data_dir", "data_dri", 2}, {"kitten", "sitting", 3}} {
		if got := editDistance(tc.a, tc.b); got != tc.want {
			t.Errorf("%q to %q: got %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}

// TestTableAligns counts runes, and colours do not count.
func TestTableAligns(t *testing.T) {
	table := newTable("name", "level")
	table.add(tinted("größe", green), num("7"))
	table.add(text("a"), num("1234"))
	for _, tc := range []struct {
		colours bool
		want    string
	}{
		{false, "NAME   LEVEL\ngröße      7\na       1234\n"},
		{true, "\x1b[2mNAME\x1b[0m   \x1b[2mLEVEL\x1b[0m\n\x1b[32mgröße\x1b[0m      7\na       1234\n"},
	} {
		var b strings.Builder
		if err := table.write(&b, tc.colours); err != nil {
			t.Fatal(err)
		}
		if b.String() != tc.want {
			t.Errorf("got %q, want %q", b.String(), tc.want)
		}
	}
}
