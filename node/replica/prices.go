package replica

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/internal/glob"
	"github.com/openclaw/clawd/rating"
)

// Errors of prices.
var (
	// ErrPriceFrozen: a version that holds, or held, is not changed any more.
	ErrPriceFrozen = errors.New("a price that is in force is never changed; give the new one a later effective_from")
	// ErrCurrency: a tenant has one currency.
	ErrCurrency = errors.New("the tenant's prices are in another currency")
)

// priceSet is one immutable state of a tenant's prices.
type priceSet struct {
	versions map[string]rating.Price // by the name of their register
	list     []rating.Price          // by pattern, then by time
	book     *rating.Book
}

var noPrices = &priceSet{book: rating.NewBook(nil)}

func (r *Replica) pricesOf(tenant string) *priceSet {
	if s := (*r.prices.Load())[tenant]; s != nil {
		return s
	}
	return noPrices
}

// priceKey names a version: the pattern, and the instant from which it holds.
func priceKey(tenant, pattern string, from rating.UnixMS) crdt.RegisterKey {
	return crdt.RegisterKey{Space: crdt.SpacePrice, Tenant: tenant, Name: pattern + "/" + strconv.FormatInt(int64(from), 10)}
}

// parsePrice reads the register of a version.
func parsePrice(name string, reg crdt.Register) (p rating.Price, ok bool) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 || json.Unmarshal(reg.Value, &p) != nil {
		return p, false
	}
	from, err := strconv.ParseInt(name[i+1:], 10, 64)
	p.Model, p.EffectiveFrom = name[:i], rating.UnixMS(from)
	return p, err == nil && p.Validate() == nil
}

// priceChanged replaces a tenant's set. Called with the merge lock held.
func (r *Replica) priceChanged(key crdt.RegisterKey, reg crdt.Register) {
	versions := maps.Clone(r.pricesOf(key.Tenant).versions)
	if versions == nil {
		versions = make(map[string]rating.Price)
	}
	delete(versions, key.Name)
	if !reg.Deleted {
		if p, ok := parsePrice(key.Name, reg); ok {
			versions[key.Name] = p
		} else {
			r.counters.unreadable.Add(1)
		}
	}
	list := slices.SortedFunc(maps.Values(versions), func(a, b rating.Price) int {
		return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.EffectiveFrom, b.EffectiveFrom))
	})
	sets := maps.Clone(*r.prices.Load())
	sets[key.Tenant] = &priceSet{versions, list, rating.NewBook(list)}
	r.prices.Store(&sets)
}

// PutPrice publishes a version of a price; EffectiveFrom 0 means now. A version
// is frozen from then on, and the past is changed only where nothing had a
// price yet. The same version again is no change.
func (r *Replica) PutPrice(now Instant, tenant string, p rating.Price) (stored rating.Price, created bool, wait uint64, err error) {
	if err := p.Validate(); err != nil {
		return p, false, 0, err
	}
	if p.EffectiveFrom == 0 {
		p.EffectiveFrom = rating.UnixMS(now.Wall)
	}
	value, err := json.Marshal(p)
	if err != nil {
		return p, false, 0, err
	}
	key := priceKey(tenant, p.Model, p.EffectiveFrom)
	_, wait, err = r.writeRegister(now, key, func(have crdt.Register, found bool) (crdt.Register, error) {
		set := r.pricesOf(tenant)
		created = !found || have.Deleted
		switch {
		case !created && string(have.Value) == string(value):
			return have, nil
		case set.currency() != "" && set.currency() != p.Currency:
			return have, fmt.Errorf("%s: %w (%s)", p.Currency, ErrCurrency, set.currency())
		case int64(p.EffectiveFrom) < now.Wall && (!created || set.priced(p.Model, now.Wall)):
			return have, fmt.Errorf("price of %q: %w", p.Model, ErrPriceFrozen)
		}
		return crdt.Register{Value: value}, nil
	})
	return p, created, wait, err
}

// DeletePrice withdraws the versions of a pattern that are not in force yet.
func (r *Replica) DeletePrice(now Instant, tenant, pattern string) (wait uint64, err error) {
	var known, deleted bool
	for _, p := range r.pricesOf(tenant).list {
		if p.Model != pattern {
			continue
		}
		known = true
		if int64(p.EffectiveFrom) <= now.Wall {
			continue
		}
		_, wait, err = r.writeRegister(now, priceKey(tenant, pattern, p.EffectiveFrom), func(crdt.Register, bool) (crdt.Register, error) {
			return crdt.Register{Deleted: true}, nil
		})
		if err != nil {
			return 0, err
		}
		deleted = true
	}
	switch {
	case !known:
		return 0, fmt.Errorf("price of %q: %w", pattern, ErrNotFound)
	case !deleted:
		return 0, fmt.Errorf("price of %q: %w", pattern, ErrPriceFrozen)
	}
	return wait, nil
}

// Prices lists the versions by pattern and time, after the pattern given, until
// there are limit. The versions of one pattern are never parted.
func (r *Replica) Prices(tenant, prefix, after string, limit int) []rating.Price {
	var list []rating.Price
	for _, p := range r.pricesOf(tenant).list {
		if p.Model <= after || !strings.HasPrefix(p.Model, prefix) {
			continue
		}
		if len(list) >= limit && p.Model != list[len(list)-1].Model {
			break
		}
		list = append(list, p)
	}
	return list
}

// Statement prices what an agent used from one day to another, both included.
func (r *Replica) Statement(tenant, agent string, from, to uint32) ([]rating.Rated, error) {
	lines, err := r.Usage(tenant, agent, rating.MonthStart(from), to)
	if err != nil {
		return nil, err
	}
	rated, err := r.pricesOf(tenant).book.Statement(lines)
	for len(rated) > 0 && rated[0].Day < from {
		rated = rated[1:]
	}
	return rated, err
}

// Currency is the currency of a tenant's prices, "" when it has none.
func (r *Replica) Currency(tenant string) string { return r.pricesOf(tenant).currency() }

func (s *priceSet) currency() string {
	for _, p := range s.versions {
		return p.Currency
	}
	return ""
}

// priced tells whether anything that the pattern may match had a price by now.
func (s *priceSet) priced(pattern string, now int64) bool {
	if !glob.IsPattern(pattern) {
		_, ok := s.book.At(pattern, now)
		return ok
	}
	for _, p := range s.versions {
		if int64(p.EffectiveFrom) <= now {
			return true
		}
	}
	return false
}

// PriceAt returns the version that rates a model at an instant in unix ms.
func (r *Replica) PriceAt(tenant, model string, ms int64) (rating.Price, bool) {
	return r.pricesOf(tenant).book.At(model, ms)
}
