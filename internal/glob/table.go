package glob

import (
	"cmp"
	"iter"
	"slices"
	"strings"
)

// Entry is a value for the names that a pattern matches. A pattern without a
// wildcard is for the name that it spells.
type Entry[T any] struct {
	Pattern string
	// Literal makes the pattern spell a name even where it has a wildcard.
	Literal bool
	// Name settles a tie between entries whose patterns are equally specific:
	// the smaller one wins. It should be unique.
	Name  string
	Value T
}

// Table answers which entry is a name's: the one for just this name, else the
// pattern with the longest literal prefix, then the fewest wildcards, then the
// smallest name.
type Table[T any] struct {
	exact map[string]Entry[T]
	// globs by literal prefix, each list in order of precedence, and the
	// lengths of the prefixes there are, longest first.
	globs    map[string][]Entry[T]
	prefixes []int
}

// NewTable returns the table of the entries.
func NewTable[T any](entries []Entry[T]) *Table[T] {
	t := &Table[T]{exact: make(map[string]Entry[T]), globs: make(map[string][]Entry[T])}
	for _, e := range entries {
		t.insert(e)
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

func (t *Table[T]) insert(e Entry[T]) {
	if first := strings.IndexAny(e.Pattern, wildcards); first >= 0 && !e.Literal {
		prefix := e.Pattern[:first]
		t.globs[prefix] = append(t.globs[prefix], e)
		return
	}
	if old, ok := t.exact[e.Pattern]; !ok || e.Name < old.Name {
		t.exact[e.Pattern] = e
	}
}

// comparePrecedence orders entries of one literal prefix.
func comparePrecedence[T any](a, b Entry[T]) int {
	return cmp.Or(
		cmp.Compare(countWildcards(a.Pattern), countWildcards(b.Pattern)),
		strings.Compare(a.Name, b.Name),
	)
}

func countWildcards(pattern string) int {
	return strings.Count(pattern, "*") + strings.Count(pattern, "?")
}

// Lookup returns the value for a name; exact tells that it is for just this
// name.
func (t *Table[T]) Lookup(name string) (value T, exact, found bool) {
	for value, exact := range t.All(name) {
		return value, exact, true
	}
	return value, false, false
}

// All yields the values whose patterns match a name, in order of precedence,
// with whether they are for just this name. It tries patterns only where the
// name begins with their literal prefix.
func (t *Table[T]) All(name string) iter.Seq2[T, bool] {
	return func(yield func(value T, exact bool) bool) {
		if e, ok := t.exact[name]; ok && !yield(e.Value, true) {
			return
		}
		for _, n := range t.prefixes {
			if n > len(name) {
				continue
			}
			for _, e := range t.globs[name[:n]] {
				if Match(e.Pattern, name) && !yield(e.Value, false) {
					return
				}
			}
		}
	}
}
