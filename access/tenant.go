package access

import (
	"sync/atomic"
	"time"
)

// Tenant is one name space with its quotas and what it uses of them on this node.
type Tenant struct {
	name   string
	record atomic.Pointer[TenantRecord] // nil = none is stored
	share  atomic.Int64                 // of the cluster's request rate: one part of so many; 0 = all of it
	rate   meter

	watchers atomic.Int64
	refused  atomic.Uint64
}

func newTenant(name string) *Tenant { return &Tenant{name: name} }

// Name is the tenant's name.
func (t *Tenant) Name() string { return t.name }

// Record is what is stored of the tenant; ok is false when nothing is.
func (t *Tenant) Record() (r TenantRecord, ok bool) {
	if p := t.record.Load(); p != nil {
		return *p, true
	}
	return TenantRecord{}, false
}

// Quota is the tenant's; without a record nothing is bounded.
func (t *Tenant) Quota() Quota {
	r, _ := t.Record()
	return r.Quota
}

func (t *Tenant) learn(r TenantRecord, stored bool) {
	if !stored {
		t.record.Store(nil)
		return
	}
	t.record.Store(&r)
}

// Share tells the tenant over how many nodes its request rate is spread: this one admits one part of as many.
func (t *Tenant) Share(nodes int) { t.share.Store(int64(nodes)) }

// Refused is how many requests the tenant's quotas have refused on this node.
func (t *Tenant) Refused() uint64 { return t.refused.Load() }

// Take counts n requests at the time (ns of a clock that never goes back) against the tenant's rate. wait is 0 when they
// may pass, else how long until they might.
func (t *Tenant) Take(now, n int64) (wait time.Duration) {
	p := t.record.Load()
	if p == nil || p.Quota.RequestsPerSecond == 0 {
		return 0
	}
	if wait = t.rate.take(now, n, p.Quota.RequestsPerSecond, max(1, t.share.Load())); wait > 0 {
		t.refused.Add(1)
	}
	return wait
}

// Watch counts an open change stream; false when the tenant has as many as it may. Unwatch gives it back.
func (t *Tenant) Watch() bool {
	n := t.watchers.Add(1)
	if q := t.Quota().Watchers; q > 0 && n > q {
		t.watchers.Add(-1)
		t.refused.Add(1)
		return false
	}
	return true
}

// Unwatch ends what Watch has begun.
func (t *Tenant) Unwatch() { t.watchers.Add(-1) }

// Watchers is the number of open change streams.
func (t *Tenant) Watchers() int64 { return t.watchers.Load() }

// meter is a token bucket of one second, as the time at which it will be full again.
type meter struct{ full atomic.Int64 }

const burst = int64(time.Second)

// take takes n requests at rate/parts a second.
func (m *meter) take(now, n, rate, parts int64) time.Duration {
	cost := n * burst * parts / rate
	for {
		full := m.full.Load()
		from := max(full, now)
		// A batch beyond the burst passes when the bucket is full, and is paid for afterwards.
		if to := from + cost; to-now <= burst || from == now {
			if m.full.CompareAndSwap(full, to) {
				return 0
			}
			continue
		}
		return time.Duration(from + cost - now - burst)
	}
}
