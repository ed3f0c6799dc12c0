package crashtest

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// percents are the shares of unsynced blocks and names that reach the disk.
var percents = []int{0, 50, 100}

const storeDir = "/data/store"

// crashClone is the disk as a crash at this instant leaves it.
func crashClone(disk *vfs.MemFS, percent int, seed uint64) *vfs.MemFS {
	return disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(seed, 2))})
}

// crashPoint copies what a crash would leave of a disk at its n-th file
// operation from now. The process goes on after that, since it cannot be
// killed; what it does then does not reach the copy.
type crashPoint struct {
	disk *vfs.MemFS

	mu      sync.Mutex
	after   int // 0 = never
	percent int
	seed    uint64
	clone   *vfs.MemFS
}

func (c *crashPoint) MaybeError(errorfs.Op) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.after > 0 {
		if c.after--; c.after == 0 {
			c.clone = crashClone(c.disk, c.percent, c.seed)
		}
	}
	return nil
}

func (c *crashPoint) String() string { return "crash point" }

// arm makes a crash happen after that many operations.
func (c *crashPoint) arm(after, percent int, seed uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.after, c.percent, c.seed = after, percent, seed
}

func (c *crashPoint) crashed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clone != nil
}

// strike fails file operations, from the n-th matching one on.
type strike struct {
	err   error
	match func(errorfs.Op) bool

	from, times atomic.Int64 // from 0 = never
	seen, hit   atomic.Int64
}

func (s *strike) MaybeError(op errorfs.Op) error {
	from := s.from.Load()
	if from == 0 || !s.match(op) {
		return nil
	}
	if n := s.seen.Add(1); n < from || n-from >= s.times.Load() {
		return nil
	}
	s.hit.Add(1)
	return s.err
}

func (s *strike) String() string { return "strike" }

// arm lets the strike begin at the n-th matching operation from now.
func (s *strike) arm(from, times int64) {
	s.seen.Store(0)
	s.times.Store(times)
	s.from.Store(from)
}

func (s *strike) disarm() { s.from.Store(0) }

// pause lets the test look at what it must not miss.
func (s *strike) pause() (again func()) {
	from := s.from.Swap(0)
	return func() { s.from.Store(from) }
}

func kinds(of ...errorfs.OpKind) func(errorfs.Op) bool {
	return func(op errorfs.Op) bool {
		for _, k := range of {
			if op.Kind == k {
				return true
			}
		}
		return false
	}
}
