package rating

import (
	"cmp"
	"slices"
	"sort"

	"github.com/openclaw/clawd/internal/glob"
)

// Book is an immutable set of price versions.
type Book struct {
	versions map[string][]Price // by pattern, each in order of EffectiveFrom
	models   *glob.Table[[]Price]
}

// NewBook returns the book of valid prices. Versions of one pattern with equal
// EffectiveFrom should not be; of those the last one given counts.
func NewBook(prices []Price) *Book {
	b := &Book{versions: make(map[string][]Price)}
	for _, p := range prices {
		b.versions[p.Model] = append(b.versions[p.Model], p)
	}
	entries := make([]glob.Entry[[]Price], 0, len(b.versions))
	for pattern, versions := range b.versions {
		slices.SortStableFunc(versions, func(a, b Price) int { return cmp.Compare(a.EffectiveFrom, b.EffectiveFrom) })
		entries = append(entries, glob.Entry[[]Price]{Pattern: pattern, Name: pattern, Value: versions})
	}
	b.models = glob.NewTable(entries)
	return b
}

// At returns the price of a model at an instant in unix ms: of the patterns
// that match and have a version by then, the one that goes first in
// [glob.Table], and of it the latest version that holds by then. So a price
// list that is published ahead leaves the older one in force until it begins.
func (b *Book) At(model string, ms int64) (Price, bool) {
	for versions := range b.models.All(model) {
		if p, ok := at(versions, ms); ok {
			return p, true
		}
	}
	return Price{}, false
}

// Version returns the version of a pattern that holds from just this instant.
func (b *Book) Version(pattern string, from int64) (Price, bool) {
	p, ok := at(b.versions[pattern], from)
	return p, ok && int64(p.EffectiveFrom) == from
}

func at(versions []Price, ms int64) (Price, bool) {
	i := sort.Search(len(versions), func(i int) bool { return int64(versions[i].EffectiveFrom) > ms })
	if i == 0 {
		return Price{}, false
	}
	return versions[i-1], true
}
