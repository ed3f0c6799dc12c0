package crdt

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func anyUsageKey() *rapid.Generator[UsageKey] {
	return rapid.Custom(func(t *rapid.T) UsageKey {
		k := UsageKey{
			Tenant: anyName().Draw(t, "tenant"), Agent: anyName().Draw(t, "agent"), Model: anyName().Draw(t, "model"),
			Day: rapid.Uint32().Draw(t, "day"), Meter: rapid.Byte().Draw(t, "meter"), From: instant().Draw(t, "from"),
		}
		if rapid.Bool().Draw(t, "priced") {
			k.Price = anyName().Draw(t, "price")
		}
		return k
	})
}

func TestUsageKeyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := anyUsageKey().Draw(t, "key")
		if got, err := ParseUsageKey(k.Encode()); err != nil || got != k {
			t.Fatalf("%+v became %+v, %v", k, got, err)
		}
		if !strings.HasPrefix(k.Encode(), UsagePrefix(k.Tenant, k.Agent, 0)) || len(k.Encode()) > MaxKeyBytes {
			t.Fatalf("%q", k.Encode())
		}
	})
}

// A walk from a day on meets all later days of the agent, and nothing earlier.
func TestUsageKeysOrderByDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := anyUsageKey().Draw(t, "key")
		day := max(rapid.Uint32().Draw(t, "day"), 1)
		if from := UsagePrefix(k.Tenant, k.Agent, day); (k.Encode() >= from) != (k.Day >= day) {
			t.Fatalf("day %d from day %d on", k.Day, day)
		}
	})
}

func TestBadUsageKeys(t *testing.T) {
	good := UsageKey{Tenant: "t", Agent: "a", Day: 1, Meter: 2, Model: "m", Price: "p", From: 3}.Encode()
	for _, bad := range []string{
		"", "t", "t\x00a", "t\x00a\x00", good[:10], strings.TrimSuffix(good, "\x00p"), good + "\n",
		UsageKey{Tenant: "t", Agent: "a", Model: ""}.Encode(),
		UsageKey{Tenant: "", Agent: "a", Model: "m"}.Encode(),
		UsageKey{Tenant: "t", Agent: "a", Model: strings.Repeat("m", MaxNameBytes+1)}.Encode(),
	} {
		if k, err := ParseUsageKey(bad); !errors.Is(err, ErrBadKey) {
			t.Errorf("%q is %+v, %v", bad, k, err)
		}
	}
}
