package glob

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// slowLookup sorts all that match by the order as it is written down.
func slowLookup(entries []Entry[string], name string) string {
	var fit []Entry[string]
	for _, e := range entries {
		literal := e.Literal || !IsPattern(e.Pattern)
		if literal && e.Pattern == name || !literal && slowMatch(e.Pattern, name) {
			e.Literal = literal
			fit = append(fit, e)
		}
	}
	if len(fit) == 0 {
		return ""
	}
	prefix := func(e Entry[string]) int { return strings.IndexAny(e.Pattern+"*", wildcards) }
	slices.SortFunc(fit, func(a, b Entry[string]) int {
		switch {
		case a.Literal != b.Literal:
			return map[bool]int{true: -1, false: 1}[a.Literal]
		case a.Literal:
			return strings.Compare(a.Name, b.Name)
		}
		return cmp.Or(prefix(b)-prefix(a), countWildcards(a.Pattern)-countWildcards(b.Pattern), strings.Compare(a.Name, b.Name))
	})
	return fit[0].Value
}

// The same entry wins whatever the order in which a node learnt them.
func TestLookupEqualsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var entries []Entry[string]
		for i := range rapid.IntRange(0, 12).Draw(t, "entries") {
			name := fmt.Sprint(string(rune('a'+rapid.IntRange(0, 1).Draw(t, "letter"))), i)
			pattern := rapid.StringMatching(`[ab*?]{1,4}`).Draw(t, "pattern")
			entries = append(entries, Entry[string]{Pattern: pattern, Literal: rapid.Bool().Draw(t, "literal"), Name: name, Value: name})
		}
		name := rapid.StringMatching(`[ab*]{1,5}`).Draw(t, "name")
		shuffled := rapid.Permutation(entries).Draw(t, "order")
		got, exact, found := NewTable(shuffled).Lookup(name)
		want := slowLookup(entries, name)
		if got != want || found != (want != "") || exact && !found {
			t.Fatalf("%q (exact %v, found %v), want %q", got, exact, found, want)
		}
	})
}
