package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/ratelimit"
)

// TestPolicyYAMLRoundTrip: what get prints, apply reads, whatever a name looks
// like to a YAML parser.
func TestPolicyYAMLRoundTrip(t *testing.T) {
	no, floor := false, int64(0)
	for _, name := range []string{"paid", "*", "yes", "123", "1e3", "null", "~", "a: b", "# c", "- d", " e ", "'", `"`, "{f}", "ü", "0x1f", "2026-11-22", "&g", "!h", "@i", "%j", "", "a\nb"} {
		p := client.Policy{
			Name: "n" + name, Match: name, Capacity: 9_007_199_254, RefillRate: ratelimit.Decimal(1), IntervalSeconds: 12_345_678_901_234,
			Durability: ratelimit.Sync, Floor: &floor, AllowInline: &no, Minority: ratelimit.MinorityHold,
		}
		if strings.ContainsRune(name, '\n') {
			p.Match = "" // refused by the policy itself
		}
		var b strings.Builder
		if err := writePolicyYAML(&b, p); err != nil {
			t.Fatal(err)
		}
		got, err := parsePolicies(strings.NewReader(b.String()))
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], p) {
			t.Errorf("%q: got %+v, %v from\n%s", name, got, err, b.String())
		}
	}
}
