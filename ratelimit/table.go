package ratelimit

import "github.com/openclaw/clawd/internal/glob"

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
	// Adaptive is Policy.Adaptive: the bucket has something beside it, and its
	// Limit is its own.
	Adaptive bool
}

func compile(p Policy) *Compiled {
	return &Compiled{Policy: p, Limit: p.Limit(), Adaptive: p.Adaptive()}
}

// Table is an immutable set of policies that answers which one is an agent's:
// exactly one, by the precedence of [glob.Table], and the same on every node
// that has the same policies.
type Table struct {
	matching *glob.Table[*Compiled]
	def      *Compiled
}

// NewTable compiles valid policies; def is for agents that none of them matches.
func NewTable(policies []Policy, def Policy) *Table {
	entries := make([]glob.Entry[*Compiled], 0, len(policies))
	for _, p := range policies {
		e := glob.Entry[*Compiled]{Pattern: p.Match, Name: p.Name, Value: compile(p)}
		if p.Match == "" {
			e.Pattern, e.Literal = p.Name, true
		}
		entries = append(entries, e)
	}
	return &Table{matching: glob.NewTable(entries), def: compile(def)}
}

// Lookup returns the policy of an agent, and by which kind of match.
func (t *Table) Lookup(agent string) (c *Compiled, source string) {
	c, exact, found := t.matching.Lookup(agent)
	switch {
	case exact:
		return c, SourceExact
	case found:
		return c, SourceMatch
	}
	return t.def, SourceDefault
}
