package glob

import (
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
