package crdt

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func anyName() *rapid.Generator[string] {
	ordinary := rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOfN(rapid.SampledFrom([]byte("a/:%*~ \x80\xff")), 1, 12).Draw(t, "name"))
	})
	return rapid.OneOf(ordinary, rapid.Just(strings.Repeat("n", MaxNameBytes)))
}

func TestBucketKeyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := BucketKey{
			Tenant: anyName().Draw(t, "tenant"),
			Agent:  anyName().Draw(t, "agent"),
			Epoch:  HLC(number().Draw(t, "epoch")),
			Inline: string(rapid.SliceOfN(rapid.Byte(), 0, MaxInlineBytes).Draw(t, "inline")),
		}
		got, err := ParseBucketKey(k.Encode())
		if err != nil || got != k {
			t.Fatalf("%+v came back as %+v, %v", k, got, err)
		}
		if !strings.HasPrefix(k.Encode(), AgentPrefix(k.Tenant, k.Agent)) {
			t.Fatal("AgentPrefix is no prefix")
		}
		if len(k.Encode()) > MaxKeyBytes {
			t.Fatalf("key of %d bytes", len(k.Encode()))
		}
	})
}

func TestCounterAndRegisterKeyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(anyName(), rapid.Just(strings.Repeat("k", MaxKVKeyBytes))).Draw(t, "name")
		c := CounterKey{anyName().Draw(t, "tenant"), name, HLC(number().Draw(t, "epoch"))}
		if got, err := ParseCounterKey(c.Encode()); err != nil || got != c {
			t.Fatalf("%+v came back as %+v, %v", c, got, err)
		}
		r := RegisterKey{
			Space:  rapid.SampledFrom([]byte{SpaceKV, SpacePolicy, SpaceAgent, SpaceReset, SpaceMember, SpacePool, SpaceLedger, SpaceShare, SpaceRates, 'z'}).Draw(t, "space"),
			Tenant: rapid.OneOf(rapid.Just(""), anyName()).Draw(t, "tenant"),
			Name:   name,
		}
		if got, err := ParseRegisterKey(r.Encode()); err != nil || got != r {
			t.Fatalf("%+v came back as %+v, %v", r, got, err)
		}
		r.Name = ""
		if !strings.HasPrefix(RegisterKey{r.Space, r.Tenant, name}.Encode(), r.Encode()) {
			t.Fatal("the key without a name is no prefix")
		}
	})
}

// Different keys never meet in their bytes, and keys of one agent lie together in
// the order of names, whatever follows the name.
func TestBucketKeysOrderByTenantThenAgent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) BucketKey {
			return BucketKey{
				Tenant: anyName().Draw(t, label+" tenant"), Agent: anyName().Draw(t, label+" agent"),
				Epoch: HLC(number().Draw(t, label+" epoch")),
			}
		}
		a, b := draw("a"), draw("b")
		if (a == b) != (a.Encode() == b.Encode()) {
			t.Fatal("two keys, one encoding")
		}
		byName := slices.Compare([]string{a.Tenant, a.Agent}, []string{b.Tenant, b.Agent})
		if byName != 0 && byName != strings.Compare(a.Encode(), b.Encode()) {
			t.Fatalf("%+v and %+v are out of order", a, b)
		}
	})
}

func TestBadKeys(t *testing.T) {
	long := strings.Repeat("x", MaxNameBytes+1)
	for name, parse := range map[string]func(string) error{
		"bucket":   func(s string) error { _, err := ParseBucketKey(s); return err },
		"counter":  func(s string) error { _, err := ParseCounterKey(s); return err },
		"register": func(s string) error { _, err := ParseRegisterKey(s); return err },
	} {
		bad := []string{"", "\x00", "t", "t\x00", "ta\x00", "\x00a\x00\x00", "K\x00a", "kt", "kt\x00", "k" + long + "\x00a"}
		if name != "register" {
			bad = append(bad, "t\x00a", "t\x00\x00\x00", "t\x00a\x00", "t\x00a\x00\x80", "t\x00a\x00\x80\x00", long+"\x00a\x00\x00", "t\n\x00a\x00\x00")
		}
		if name == "bucket" {
			bad = append(bad, "t\x00"+long+"\x00\x00", "t\x00a\x00\x00"+strings.Repeat("i", MaxInlineBytes+1))
		}
		if name == "counter" {
			bad = append(bad, "t\x00a\x00\x00tail")
		}
		for _, s := range bad {
			if err := parse(s); !errors.Is(err, ErrBadKey) {
				t.Errorf("%s key %q: %v", name, s, err)
			}
		}
	}
}

func TestValidName(t *testing.T) {
	for _, good := range []string{"a", "agent:42:tokens", "ä", "\xff\x80", " ", strings.Repeat("x", MaxNameBytes)} {
		if err := ValidName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "a\x00", "\x1f", "a\nb", "\x7f", strings.Repeat("x", MaxNameBytes+1)} {
		if err := ValidName(bad); !errors.Is(err, ErrBadName) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := ValidKVKey(strings.Repeat("x", MaxKVKeyBytes)); err != nil {
		t.Error(err)
	}
	if err := ValidKVKey(strings.Repeat("x", MaxKVKeyBytes+1)); !errors.Is(err, ErrBadName) {
		t.Error(err)
	}
}

// The refusal names the place, since a user reads it.
func TestBadNameTellsWhere(t *testing.T) {
	err := ValidName("ab\tc")
	if err == nil || !strings.Contains(err.Error(), "0x09 at byte 2") {
		t.Errorf("got %v", err)
	}
}

func FuzzKeys(f *testing.F) {
	f.Add(BucketKey{"t", "a", 1 << 40, "\x01\x02"}.Encode())
	f.Add(CounterKey{"t", "hits", 0}.Encode())
	f.Add(RegisterKey{SpaceKV, "t", "a/b"}.Encode())
	f.Add(UsageKey{"t", "a", 20_000, 1, "gpt-4", "gpt-*", 1_700_000_000_000}.Encode())
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := ParseBucketKey(s); err == nil && !bytes.Equal(k.Append(nil), []byte(s)) {
			t.Errorf("bucket key %q is also %q", s, k.Encode())
		}
		if k, err := ParseCounterKey(s); err == nil && !bytes.Equal(k.Append(nil), []byte(s)) {
			t.Errorf("counter key %q is also %q", s, k.Encode())
		}
		if k, err := ParseUsageKey(s); err == nil && !bytes.Equal(k.Append(nil), []byte(s)) {
			t.Errorf("usage key %q is also %q", s, k.Encode())
		}
		if k, err := ParseRegisterKey(s); err == nil && !bytes.Equal(k.Append(nil), []byte(s)) {
			t.Errorf("register key %q is also %q", s, k.Encode())
		}
	})
}
