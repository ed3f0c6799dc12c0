package ratelimit

import (
	"cmp"
	"slices"
	"strings"
)

// Where the policy of an agent comes from.
const (
	SourceExact   = "exact"   // a policy for just this agent
	SourceMatch   = "match"   // a policy whose glob matches
	SourceDefault = "default" // no policy matches
	SourceInline  = "inline"  // the request brought it
)

// Compiled is a policy beside its compiled form.
type Compiled struct {
	Policy Policy
	Limit  Limit
}

// Table is an immutable set of policies that answers which one is an agent's.
// Exactly one is, and the same on every node that has the same policies: the
// one for just this name, else the glob with the longest literal prefix, then
// the fewest wildcards, then the smallest name.
type Table struct {
	exact map[string]*Compiled
	// globs by literal prefix, each list in order of precedence, and the
	// lengths of the prefixes there are, longest first.
	globs    map[string][]*Compiled
	prefixes []int
	def      *Compiled
}

// NewTable compiles valid policies; def is for agents that none of them matches.
func NewTable(policies []Policy, def Policy) *Table {
	t := &Table{
		exact: make(map[string]*Compiled),
		globs: make(map[string][]*Compiled),
		def:   &Compiled{Policy: def, Limit: def.Limit()},
	}
	for _, p := range policies {
		t.insert(&Compiled{Policy: p, Limit: p.Limit()})
	}
	for prefix, list := range t.globs {
		slices.SortFunc(list, comparePrecedence)
		if !slices.Contains(t.prefixes, len(prefix)) {
			t.prefixes = append(t.prefixes, len(prefix))
		}
	}
	slices.SortFunc(t.prefixes, func(a, b int) int { return b - a })
	return t
}

func (t *Table) insert(c *Compiled) {
	name, glob := c.Policy.Name, c.Policy.Match
	if glob != "" {
		name = glob
	}
	if first := strings.IndexAny(glob, wildcards); first >= 0 {
		t.globs[glob[:first]] = append(t.globs[glob[:first]], c)
		return
	}
	if old := t.exact[name]; old == nil || c.Policy.Name < old.Policy.Name {
		t.exact[name] = c
	}
}

// comparePrecedence orders globs of one literal prefix.
func comparePrecedence(a, b *Compiled) int {
	return cmp.Or(
		cmp.Compare(countWildcards(a.Policy.Match), countWildcards(b.Policy.Match)),
		strings.Compare(a.Policy.Name, b.Policy.Name),
	)
}

func countWildcards(glob string) int {
	return strings.Count(glob, "*") + strings.Count(glob, "?")
}

// Lookup returns the policy of an agent, and by which kind of match. It tries a
// list of globs only when the agent's name begins with their literal prefix.
func (t *Table) Lookup(agent string) (c *Compiled, source string) {
	if c := t.exact[agent]; c != nil {
		return c, SourceExact
	}
	for _, n := range t.prefixes {
		if n > len(agent) {
			continue
		}
		for _, c := range t.globs[agent[:n]] {
			if Match(c.Policy.Match, agent) {
				return c, SourceMatch
			}
		}
	}
	return t.def, SourceDefault
}
