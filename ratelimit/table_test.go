package ratelimit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"a", "a", true},
		{"a", "ab", false},
		{"ab", "a", false},
		{"*", "", true},
		{"*", "team/a:b", true},
		{"?", "", false},
		{"?", "x", true},
		{"?", "xy", false},
		{"agent:*", "agent:", true},
		{"agent:*", "agent:42/x", true},
		{"agent:*", "agen", false},
		{"*:prod", "a:prod", true},
		{"*:prod", "a:prod:b", false},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "aXcYb", false},
		{"a?c*", "abcd", true},
		{"a**b", "ab", true},
		{"*a?", "aaab", true},
		{"*é", "café", true},
	} {
		if got := Match(c.pattern, c.name); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

// slowMatch says what a glob means, one byte at a time.
func slowMatch(pattern, name string) bool {
	switch {
	case pattern == "":
		return name == ""
	case pattern[0] == '*':
		return slowMatch(pattern[1:], name) || name != "" && slowMatch(pattern, name[1:])
	case name == "":
		return false
	}
	return (pattern[0] == '?' || pattern[0] == name[0]) && slowMatch(pattern[1:], name[1:])
}

func TestMatchEqualsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*?]{0,8}`).Draw(t, "pattern")
		name := rapid.StringMatching(`[ab]{0,12}`).Draw(t, "name")
		if got, want := Match(pattern, name), slowMatch(pattern, name); got != want {
			t.Fatalf("Match(%q, %q) = %v", pattern, name, got)
		}
	})
}

// The name and the glob are 128 bytes at most, so this is the worst there is.
func BenchmarkMatchWorst(b *testing.B) {
	pattern, name := strings.Repeat("*a", 63)+"b", strings.Repeat("a", 128)
	for b.Loop() {
		Match(pattern, name)
	}
}

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

// slowLookup sorts all that match by the order as it is written down.
func slowLookup(policies []Policy, agent string) string {
	var fit []Policy
	for _, p := range policies {
		if p.Match == agent && !strings.ContainsAny(p.Match, wildcards) || p.Match == "" && p.Name == agent {
			p.Match = ""
			fit = append(fit, p)
		} else if strings.ContainsAny(p.Match, wildcards) && slowMatch(p.Match, agent) {
			fit = append(fit, p)
		}
	}
	if len(fit) == 0 {
		return "default"
	}
	prefix := func(p Policy) int { return strings.IndexAny(p.Match+"*", wildcards) }
	slices.SortFunc(fit, func(a, b Policy) int {
		switch {
		case (a.Match == "") != (b.Match == ""):
			return map[bool]int{true: -1, false: 1}[a.Match == ""]
		case a.Match == "":
			return strings.Compare(a.Name, b.Name)
		}
		return cmp.Or(prefix(b)-prefix(a), countWildcards(a.Match)-countWildcards(b.Match), strings.Compare(a.Name, b.Name))
	})
	return fit[0].Name
}

// The same policy wins whatever the order in which a node learnt them.
func TestLookupEqualsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var policies []Policy
		for i := range rapid.IntRange(0, 12).Draw(t, "policies") {
			name := fmt.Sprint(string(rune('a'+rapid.IntRange(0, 1).Draw(t, "letter"))), i)
			policies = append(policies, policyFor(name, rapid.StringMatching(`[ab*?]{0,4}`).Draw(t, "match")))
		}
		agent := rapid.StringMatching(`[ab]{1,5}`).Draw(t, "agent")
		shuffled := rapid.Permutation(policies).Draw(t, "order")
		c, _ := NewTable(shuffled, policyFor("default", "")).Lookup(agent)
		if want := slowLookup(policies, agent); c.Policy.Name != want {
			t.Fatalf("%s, want %s", c.Policy.Name, want)
		}
	})
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
