package replica

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/storage"
)

// ErrOverflow: a counter would leave the range of a signed 64-bit integer.
var ErrOverflow = errors.New("counter out of range")

// KVEntry is one key of the store: a register of bytes, or a counter.
type KVEntry struct {
	Key         string
	Counter     bool
	Number      int64
	Value       []byte
	ContentType string
	Version     crdt.HLC
	ExpiresAt   int64 // unix ms, 0 = never
}

// KVWrite is what to store under a key.
type KVWrite struct {
	Value       []byte
	ContentType string
	TTL         time.Duration // 0 = for ever
	// Cond decides, with the writes of this node locked out, whether the write
	// may replace what is there; nil allows all.
	Cond func(have KVEntry, found bool) error
}

func kvKey(tenant, key string) crdt.RegisterKey {
	return crdt.RegisterKey{Space: crdt.SpaceKV, Tenant: tenant, Name: key}
}

func entryOf(key string, reg crdt.Register) KVEntry {
	return KVEntry{Key: key, Value: reg.Value, ContentType: reg.Meta, Version: reg.Version, ExpiresAt: reg.ExpiresAt}
}

// KVGet reads a key as this node knows it.
func (r *Replica) KVGet(now Instant, tenant, key string) (KVEntry, error) {
	e, found, err := r.kvRead(now, tenant, key)
	if err == nil && !found {
		err = fmt.Errorf("key %q: %w", key, ErrNotFound)
	}
	return e, err
}

func (r *Replica) kvRead(now Instant, tenant, key string) (KVEntry, bool, error) {
	reg, found, err := r.register(kvKey(tenant, key).Encode())
	if err != nil {
		return KVEntry{}, false, err
	}
	if found && reg.Visible(now.Wall) {
		return entryOf(key, reg), true, nil
	}
	n, live, err := r.counterValue(tenant, key, reg.Version)
	return KVEntry{Key: key, Counter: true, Number: n}, live, err
}

// counterValue reads a counter; its epoch is the version of the register that
// last stood under the key.
func (r *Replica) counterValue(tenant, key string, epoch crdt.HLC) (n int64, live bool, err error) {
	name := appendCellKey(nil, crdt.KindCounter, crdt.CounterKey{Tenant: tenant, Name: key, Epoch: epoch}.Encode())
	sh, hash := r.locate(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if c := sh.find(hash, name); c != nil {
		n, _ = c.total().Int64()
		return n, true, nil
	}
	found, err := r.store.Cell(crdt.KindCounter, string(name[1:]), &sh.scratch)
	if err != nil || !found {
		return 0, false, err
	}
	n, _ = sh.scratch.Total.Int64()
	return n, true, nil
}

// KVPut stores a register. The answer may leave once wait is durable.
func (r *Replica) KVPut(now Instant, tenant, key string, w KVWrite) (e KVEntry, created bool, wait uint64, err error) {
	reg, wait, err := r.writeRegister(now, kvKey(tenant, key), func(have crdt.Register, found bool) (crdt.Register, error) {
		visible := found && have.Visible(now.Wall)
		if !visible {
			if _, live, err := r.counterValue(tenant, key, have.Version); err != nil {
				return crdt.Register{}, err
			} else if live {
				return crdt.Register{}, fmt.Errorf("key %q is a counter: %w", key, ErrConflict)
			}
		}
		created = !visible
		if w.Cond != nil {
			if err := w.Cond(entryOf(key, have), visible); err != nil {
				return crdt.Register{}, err
			}
		}
		next := crdt.Register{Value: w.Value, Meta: w.ContentType}
		if w.TTL > 0 {
			next.ExpiresAt = now.Wall + w.TTL.Milliseconds()
		}
		return next, nil
	})
	return entryOf(key, reg), created, wait, err
}

// KVDelete deletes a register or a counter, leaving a tombstone.
func (r *Replica) KVDelete(now Instant, tenant, key string, cond func(have KVEntry, found bool) error) (wait uint64, err error) {
	_, wait, err = r.writeRegister(now, kvKey(tenant, key), func(have crdt.Register, found bool) (crdt.Register, error) {
		e, visible := entryOf(key, have), found && have.Visible(now.Wall)
		tombstone := crdt.Register{Deleted: true}
		if !visible {
			tombstone.Meta = counterTombstone
			n, live, err := r.counterValue(tenant, key, have.Version)
			if err != nil {
				return crdt.Register{}, err
			}
			if !live {
				return crdt.Register{}, fmt.Errorf("key %q: %w", key, ErrNotFound)
			}
			e = KVEntry{Key: key, Counter: true, Number: n}
		}
		if cond != nil {
			if err := cond(e, true); err != nil {
				return crdt.Register{}, err
			}
		}
		return tombstone, nil
	})
	return wait, err
}

// counterTombstone marks what stands for a deleted counter. Its version is the
// epoch from which the counter begins again, so it is kept for ever: the members
// would forget it one after the other, and count under two epochs meanwhile.
const counterTombstone = "counter"

// KVIncrement adds to a counter, which begins at 0, and answers the value this
// node then sees.
func (r *Replica) KVIncrement(now Instant, tenant, key string, by int64) (n int64, wait uint64, err error) {
	reg, found, err := r.register(kvKey(tenant, key).Encode())
	if err != nil {
		return 0, 0, err
	}
	if found && reg.Visible(now.Wall) {
		return 0, 0, fmt.Errorf("key %q is not a counter: %w", key, ErrConflict)
	}
	name := appendCellKey(nil, crdt.KindCounter, crdt.CounterKey{Tenant: tenant, Name: key, Epoch: reg.Version}.Encode())
	sh, hash := r.locate(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c, err := r.lookupLocked(sh, hash, name, now, true)
	if err != nil {
		return 0, 0, err
	}
	have, exact := c.total().Int64()
	if sum := have + by; !exact || by > 0 && sum < have || by < 0 && sum > have {
		return 0, 0, fmt.Errorf("key %q: %w", key, ErrOverflow)
	}
	r.captureIfDueLocked(sh, c)
	if by >= 0 {
		c.consume(uint64(by))
	} else {
		c.giveBack(uint64(-(by + 1)) + 1) // also right for the least int64
	}
	r.markDirtyLocked(sh, c)
	c.used = tickOf(now.Mono)
	r.askFlush()
	return have + by, r.epoch.Load(), nil
}

// counterSuperseded tells whether a counter row is of an epoch that a deletion
// or a register has ended.
func (r *Replica) counterSuperseded(key string) bool {
	k, err := crdt.ParseCounterKey(key)
	if err != nil {
		return true
	}
	reg, found, err := r.register(kvKey(k.Tenant, k.Name).Encode())
	if err != nil {
		r.store.Fail(err)
	}
	return err == nil && found && k.Epoch < reg.Version
}

// kvChanged voids the counter that a register has replaced or deleted.
func (r *Replica) kvChanged(k crdt.RegisterKey, reg crdt.Register) {
	prefix := crdt.AgentPrefix(k.Tenant, k.Name)
	var keys []string
	err := r.store.Cells(crdt.KindCounter, prefix, "", func(key string, _ *storage.Cell) bool {
		keys = append(keys, key)
		return true
	})
	if err != nil {
		r.store.Fail(err)
		return
	}
	base := appendCellKey(nil, crdt.KindCounter, prefix)
	sh, hash := r.locate(base)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.each(hash, base, func(c *cell) {
		if key := c.key(); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	})
	for _, key := range keys {
		ck, err := crdt.ParseCounterKey(key)
		if err != nil || ck.Epoch >= reg.Version {
			continue
		}
		name := appendCellKey(nil, crdt.KindCounter, key)
		c, err := r.lookupLocked(sh, hash, name, Instant{}, false)
		if err != nil {
			r.store.Fail(err)
			return
		}
		if c != nil {
			r.captureIfDueLocked(sh, c)
			r.voidLocked(sh, c)
		}
	}
}

// unsaved lists the cells that the store may not have yet.
func (sh *shard) unsaved() [][]*cell {
	if sh.flying == nil {
		return [][]*cell{sh.dirty}
	}
	return [][]*cell{sh.flying.list, sh.dirty}
}

// KVList lists the keys with a prefix after the given one, in order, up to
// limit. keep says whether the values are wanted.
func (r *Replica) KVList(now Instant, tenant, prefix, after string, limit int) (list []KVEntry, more bool, err error) {
	limit++ // one more tells whether others follow
	found := make(map[string]KVEntry)
	if err := r.listRegisters(now, tenant, prefix, after, limit, found); err != nil {
		return nil, false, err
	}
	if err := r.listCounters(now, tenant, prefix, after, limit, found); err != nil {
		return nil, false, err
	}
	for _, key := range sortedKeys(found) {
		if len(list) == limit-1 {
			return list, true, nil
		}
		list = append(list, found[key])
	}
	return list, false, nil
}

func (r *Replica) listRegisters(now Instant, tenant, prefix, after string, limit int, into map[string]KVEntry) error {
	start := kvKey(tenant, prefix).Encode()
	from := ""
	if after != "" {
		from = kvKey(tenant, after).Encode()
	}
	wanted := func(key string) (string, bool) {
		k, err := crdt.ParseRegisterKey(key)
		return k.Name, err == nil && k.Space == crdt.SpaceKV && k.Tenant == tenant && k.Name > after && strings.HasPrefix(k.Name, prefix)
	}
	n := 0
	err := r.store.Registers(start, from, func(key string, reg crdt.Register) bool {
		if name, ok := wanted(key); ok && reg.Visible(now.Wall) {
			into[name] = entryOf(name, reg)
			n++
		}
		return n < limit
	})
	r.regs.mu.Lock()
	defer r.regs.mu.Unlock()
	for _, writes := range []map[string]*registerWrite{r.regs.flushing, r.regs.pending} {
		for key, w := range writes {
			name, ok := wanted(key)
			if !ok {
				continue
			}
			delete(into, name)
			if w.reg.Visible(now.Wall) {
				into[name] = entryOf(name, w.reg)
			}
		}
	}
	return err
}

func (r *Replica) listCounters(now Instant, tenant, prefix, after string, limit int, into map[string]KVEntry) error {
	start := tenant + "\x00" + prefix
	from := ""
	if after != "" {
		from = crdt.AgentPrefix(tenant, after)
	}
	keys := make(map[string]bool)
	n := 0
	consider := func(key string) {
		if k, err := crdt.ParseCounterKey(key); err == nil && k.Name > after && strings.HasPrefix(key, start) && !keys[k.Name] {
			keys[k.Name] = true
			n++
		}
	}
	err := r.store.Cells(crdt.KindCounter, start, from, func(key string, _ *storage.Cell) bool {
		consider(key)
		return n < limit
	})
	if err != nil {
		return err
	}
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		for _, cells := range sh.unsaved() {
			for _, c := range cells {
				if c.kind == crdt.KindCounter && !c.void {
					consider(c.key())
				}
			}
		}
		sh.mu.Unlock()
	}
	for _, name := range sortedKeys(keys) {
		if _, taken := into[name]; taken {
			continue
		}
		e, live, err := r.kvRead(now, tenant, name)
		if err != nil {
			return err
		}
		if live && e.Counter {
			into[name] = e
		}
	}
	return nil
}

// clampInt64 is what a reader sees of a counter that left the range by merging.
func clampInt64(t crdt.Total) int64 {
	if n, exact := t.Int64(); exact {
		return n
	}
	if _, negative := t.Net(); negative {
		return math.MinInt64
	}
	return math.MaxInt64
}
