package replica

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/rating"
	"github.com/openclaw/clawd/storage"
)

// The horizon of usage events. A late duplicate meets either the claim of the
// first or the refusal of its age, never a second bill.
const (
	UsageAge    = 24 * time.Hour  // an older event is refused
	UsageAhead  = 5 * time.Minute // so is one further in the future
	UsageDedupe = 48 * time.Hour  // an id is remembered for so long
)

// Errors of usage events.
var (
	// ErrTooLate: the event occurred longer ago than UsageAge.
	ErrTooLate = errors.New("the event is too old")
	// ErrFuture: the event is to occur later than UsageAhead from now.
	ErrFuture = errors.New("the event is in the future")
	// ErrEventConflict: the id stands for an event with other contents.
	ErrEventConflict = errors.New("an event with this id and other contents was billed")
)

// UsageEvent is one thing to bill: what an agent used of a model.
type UsageEvent struct {
	ID         string
	Agent      string
	Model      string
	OccurredAt int64 // unix ms; 0 = when it is first reported
	Usage      rating.Usage
}

// UsageOutcome is what became of an event.
type UsageOutcome struct {
	Charge      rating.Charge
	Price       rating.Price
	Priced      bool // false: no price is known; the quantities are kept
	Duplicate   bool // billed before; Charge is that of the first
	DedupeUntil int64
}

// RecordUsage bills an event once, however often and at however many nodes it is
// reported. The answer may leave once wait is durable.
func (r *Replica) RecordUsage(now Instant, tenant string, e *UsageEvent) (out UsageOutcome, wait uint64, err error) {
	event := *e
	if event.OccurredAt == 0 {
		event.OccurredAt = now.Wall
	}
	if err := checkAge(now, event.OccurredAt); err != nil {
		return out, 0, err
	}
	before, err := r.beforeEvent(tenant, &event)
	if err != nil {
		return out, 0, err
	}
	r.merge.Lock()
	defer r.merge.Unlock()
	h := hashOf(e.ID)
	claims, err := r.claimsOf(now, tenant, h)
	if err != nil {
		return out, 0, err
	}
	book := r.pricesOf(tenant).book
	if len(claims) > 0 {
		first := r.winner(claims)
		if !first.event.sameAs(e) {
			r.counters.usageConflicts.Add(1)
			return out, 0, fmt.Errorf("event %q: %w", e.ID, ErrEventConflict)
		}
		r.counters.usageDuplicates.Add(1)
		out, err = outcomeOf(book, &first, before)
		out.Duplicate = true
		return out, r.generation(), err
	}
	c := claim{node: r.self, at: r.clock.Now(now.Wall), billed: true, event: event}
	if p, ok := book.At(event.Model, event.OccurredAt); ok {
		c.price = priceRef{p.Model, int64(p.EffectiveFrom)}
	}
	if out, err = outcomeOf(book, &c, before); err != nil {
		return out, 0, err
	}
	if err := r.addUsage(now, tenant, &c, false); err != nil {
		return out, 0, err
	}
	r.counters.usageEvents.Add(1)
	return out, r.generation(), r.writeClaim(now, tenant, h, &c)
}

func checkAge(now Instant, occurred int64) error {
	switch {
	case occurred < now.Wall-UsageAge.Milliseconds():
		return ErrTooLate
	case occurred > now.Wall+UsageAhead.Milliseconds():
		return ErrFuture
	}
	return nil
}

// sameAs tells whether a claimed event is what o reports again; the id led here.
func (e UsageEvent) sameAs(o *UsageEvent) bool {
	e.ID = o.ID
	if o.OccurredAt == 0 {
		e.OccurredAt = 0
	}
	return e == *o
}

// outcomeOf is the answer to an event under the price that its claim names.
func outcomeOf(book *rating.Book, c *claim, before rating.Usage) (out UsageOutcome, err error) {
	out.DedupeUntil = c.at.WallMS() + UsageDedupe.Milliseconds()
	out.Price, out.Priced = book.Version(c.price.pattern, c.price.from)
	if out.Priced {
		out.Charge, err = out.Price.Rate(c.event.Usage, before)
	}
	return out, err
}

// beforeEvent is the position of an event within the tiers of its price.
func (r *Replica) beforeEvent(tenant string, e *UsageEvent) (sum rating.Usage, err error) {
	p, ok := r.pricesOf(tenant).book.At(e.Model, e.OccurredAt)
	if !ok || p.Tiers.IsZero() {
		return sum, nil
	}
	day := rating.DayOf(e.OccurredAt)
	lines, err := r.Usage(tenant, e.Agent, rating.MonthStart(day), day)
	for _, l := range lines {
		if l.Model == e.Model && l.Pattern == p.Model && l.From == int64(p.EffectiveFrom) {
			sum = sum.Plus(l.Usage)
		}
	}
	return sum, err
}

// addUsage adds an event to the own rows, or takes it back. All its rows lie in
// one shard and are loaded first, so that it happens whole or not at all. Called
// with the merge lock held.
func (r *Replica) addUsage(now Instant, tenant string, c *claim, back bool) error {
	key := crdt.UsageKey{
		Tenant: tenant, Agent: c.event.Agent, Day: rating.DayOf(c.event.OccurredAt),
		Model: c.event.Model, Price: c.price.pattern, From: c.price.from,
	}
	sh, hash := r.locate(key.Append([]byte{byte(crdt.KindUsage)}))
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var cells [len(meterFields)]*cell
	amounts := quantities(&c.event.Usage)
	for i, n := range amounts {
		if n == 0 {
			continue
		}
		key.Meter = byte(i + 1)
		var err error
		name := key.Append([]byte{byte(crdt.KindUsage)})
		if cells[i], err = r.lookupLocked(sh, hash, name, now, true); err != nil {
			return err
		}
	}
	for i, cell := range cells {
		if cell == nil {
			continue
		}
		r.captureIfDueLocked(sh, cell)
		if back {
			cell.giveBack(amounts[i])
		} else {
			cell.consume(amounts[i])
		}
		r.markDirtyLocked(sh, cell)
		cell.used = tickOf(now.Mono)
	}
	return nil
}

// Usage lists what an agent used from one day to another, both included, in the
// order of days.
func (r *Replica) Usage(tenant, agent string, from, to uint32) ([]rating.Line, error) {
	keys, err := r.usageKeys(tenant, agent, from, to)
	if err != nil {
		return nil, err
	}
	var lines []rating.Line
	at := make(map[crdt.UsageKey]int)
	for _, k := range keys {
		n, err := r.usageValue(k)
		if err != nil {
			return nil, err
		}
		meter := int(k.Meter)
		if meter < 1 || meter > len(meterFields) {
			continue // a newer version's
		}
		k.Meter = 0
		i, ok := at[k]
		if !ok {
			i, at[k] = len(lines), len(lines)
			lines = append(lines, rating.Line{Day: k.Day, Model: k.Model, Pattern: k.Price, From: k.From})
		}
		*meterFields[meter-1](&lines[i].Usage) = n
	}
	return slices.DeleteFunc(lines, func(l rating.Line) bool { return l.Usage == rating.Usage{} }), nil
}

// usageKeys finds the sums of an agent, those that wait for a flush included.
func (r *Replica) usageKeys(tenant, agent string, from, to uint32) ([]crdt.UsageKey, error) {
	found := make(map[string]crdt.UsageKey)
	consider := func(key string) (within bool) {
		k, err := crdt.ParseUsageKey(key)
		if err != nil || k.Tenant != tenant || k.Agent != agent || k.Day > to {
			return false
		}
		if k.Day >= from {
			found[key] = k
		}
		return true
	}
	prefix := crdt.UsagePrefix(tenant, agent, 0)
	base := appendCellKey(nil, crdt.KindUsage, prefix)
	sh, hash := r.locate(base)
	sh.mu.Lock()
	sh.each(hash, base, func(c *cell) { consider(c.key()) })
	sh.mu.Unlock()
	err := r.store.Cells(crdt.KindUsage, prefix, crdt.UsagePrefix(tenant, agent, from), func(key string, _ *storage.Cell) bool {
		return consider(key)
	})
	keys := make([]crdt.UsageKey, 0, len(found))
	for _, name := range sortedKeys(found) {
		keys = append(keys, found[name])
	}
	return keys, err
}

func (r *Replica) usageValue(k crdt.UsageKey) (uint64, error) {
	name := k.Append([]byte{byte(crdt.KindUsage)})
	sh, hash := r.locate(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	total := &sh.scratch.Total
	if c := sh.find(hash, name); c != nil {
		inMemory := c.total()
		total = &inMemory
	} else if _, err := r.store.Cell(crdt.KindUsage, string(name[1:]), &sh.scratch); err != nil {
		return 0, err
	}
	// More taken back than billed is on its way here in another order.
	return total.Consumed.Sub(total.Refunded).Uint64(), nil
}
