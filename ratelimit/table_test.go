package ratelimit

import (
	"fmt"
	"testing"
)

func policyFor(name, match string) Policy {
	return Policy{Name: name, Match: match, Capacity: 1, RefillRate: 1, IntervalSeconds: 1}
}

func TestLookup(t *testing.T) {
	table := NewTable([]Policy{
		policyFor("z-all", "*"),
		policyFor("a-all", "*"),
		policyFor("all-but-empty", "?*"),
		policyFor("team", "team/*"),
		policyFor("team-x", "team/*x"),
		policyFor("team-a", "team/a*"),
		policyFor("bot", ""),
		policyFor("second-bot", "bot"),
		policyFor("lit*eral", ""),
	}, policyFor("default", ""))
	for agent, want := range map[string]string{
		"bot":      "bot exact",
		"other":    "a-all match",
		"team/b":   "team match",
		"team/bx":  "team match",
		"team/ax":  "team-a match",
		"team/":    "team match",
		"lit*eral": "lit*eral exact",
		"literal":  "a-all match",
	} {
		c, source := table.Lookup(agent)
		if got := c.Policy.Name + " " + source; got != want {
			t.Errorf("%s: %s, want %s", agent, got, want)
		}
	}
	if c, source := NewTable(nil, policyFor("default", "")).Lookup("bot"); c.Policy.Name != "default" || source != SourceDefault {
		t.Errorf("%s %s, want the default", c.Policy.Name, source)
	}
}

func BenchmarkLookup(b *testing.B) {
	var policies []Policy
	for i := range 500 {
		policies = append(policies, policyFor(fmt.Sprintf("exact-%03d", i), ""), policyFor(fmt.Sprintf("glob-%03d", i), fmt.Sprintf("team-%03d/*", i)))
	}
	table := NewTable(policies, policyFor("default", ""))
	for _, agent := range []string{"exact-250", "team-250/agent-17", "nobody"} {
		b.Run(agent, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				table.Lookup(agent)
			}
		})
	}
}
