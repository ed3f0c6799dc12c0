package replica

import (
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// BenchmarkDecision is one decision in process, agents at random, on all cores,
// beside what anybody would write first: maps in shards under locks, of bare
// numbers and of x/time/rate limiters. All of them get the same names at the same
// random, read the clock once a decision, and take a token. Besides the wall
// time, which other work on the machine lengthens, it reports CPU time.
func BenchmarkDecision(b *testing.B) {
	for _, agents := range []int{10_000, 1_000_000} {
		names := agentNamesFor(agents)
		b.Run(fmt.Sprintf("clawd/%d", agents), func(b *testing.B) {
			r := benchReplicaOf(b, names)
			begin := time.Now()
			decide(b, names, func() func(string) bool {
				var out Outcome
				q := Request{Tenant: "default", Tokens: token}
				return func(name string) bool {
					t := time.Since(begin)
					q.Agent = name
					err := r.Consume(Instant{begin.UnixMilli() + int64(t/time.Millisecond), int64(t)}, &q, &out)
					return err == nil && out.Decision.Allowed
				}
			})
		})
		b.Run(fmt.Sprintf("numbers/%d", agents), func(b *testing.B) {
			m := newLockedMaps(names, func() *numbers { return &numbers{level: 1 << 60} })
			begin := time.Now()
			decide(b, names, func() func(string) bool {
				return func(name string) (allowed bool) {
					now := int64(time.Since(begin))
					m.with(name, func(n *numbers) {
						n.level = min(n.level+(now-n.last)/3600, 1<<60)
						n.last = now
						if allowed = n.level >= token; allowed {
							n.level -= token
						}
					})
					return allowed
				}
			})
		})
		b.Run(fmt.Sprintf("xtimerate/%d", agents), func(b *testing.B) {
			m := newLockedMaps(names, func() *rate.Limiter { return rate.NewLimiter(1e6, 1e9) })
			decide(b, names, func() func(string) bool {
				return func(name string) (allowed bool) {
					now := time.Now()
					m.with(name, func(l *rate.Limiter) { allowed = l.AllowN(now, 1) })
					return allowed
				}
			})
		})
	}
}

// decide runs what start returns, once for each core, and reports.
func decide(b *testing.B, names []string, start func() func(name string) bool) {
	var seed atomic.Uint64
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	b.RunParallel(func(pb *testing.PB) {
		rng := seeded(seed.Add(1))
		one := start()
		for pb.Next() {
			if !one(names[rng.IntN(len(names))]) {
				b.Error("denied")
				return
			}
		}
	})
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpuTime is what this process used so far, all its threads together.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type numbers struct{ level, last int64 }

// lockedMaps is a map in 64 parts, each with a lock.
type lockedMaps[T any] struct {
	seed  maphash.Seed
	parts [64]struct {
		mu sync.Mutex
		m  map[string]T
		_  [48]byte
	}
}

func newLockedMaps[T any](names []string, make func() T) *lockedMaps[T] {
	m := &lockedMaps[T]{seed: maphash.MakeSeed()}
	for _, name := range names {
		p := &m.parts[maphash.String(m.seed, name)&63]
		if p.m == nil {
			p.m = map[string]T{}
		}
		p.m[name] = make()
	}
	return m
}

func (m *lockedMaps[T]) with(name string, fn func(T)) {
	p := &m.parts[maphash.String(m.seed, name)&63]
	p.mu.Lock()
	fn(p.m[name])
	p.mu.Unlock()
}
