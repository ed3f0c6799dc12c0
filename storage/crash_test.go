package storage

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// crashPercents are the shares of unsynced blocks and names that reach the disk.
var crashPercents = []int{0, 50, 100}

func crashClone(fsys *vfs.MemFS, percent int, seed uint64) *vfs.MemFS {
	return fsys.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(seed, 2))})
}

// After a crash at any commit, whatever of the unsynced data survives, the store
// has a prefix of the commits, each whole, and all that were acknowledged.
func TestCrashAtEachCommit(t *testing.T) {
	const commits = 60
	for _, percent := range crashPercents {
		t.Run(fmt.Sprintf("%d%%", percent), func(t *testing.T) {
			fsys := vfs.NewCrashableMem()
			s := mustOpen(t, smallOptions(fsys))
			w := newWorkload(t, uint64(percent))
			lost := 0
			for i := range uint64(commits) {
				if err := w.step(t, s); err != nil {
					t.Fatal(err)
				}
				after := mustOpen(t, smallOptions(crashClone(fsys, percent, i)))
				lost += w.commits() - w.check(t, after)
				mustClose(t, after)
			}
			mustClose(t, s)
			if percent == 0 && lost == 0 {
				t.Error("nothing was ever lost: the test does not crash anything")
			}
		})
	}
}

// The same at random file operations, so in the midst of commits, flushes,
// compactions and log rotations, and again in the midst of recoveries.
func TestCrashAtRandomPoints(t *testing.T) {
	runs := uint64(40)
	if testing.Short() {
		runs = 8
	}
	for seed := range runs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 3))
			disk := vfs.NewCrashableMem()
			w := newWorkload(t, seed)
			for range 4 { // crashes in a row
				c := &crashPoint{disk: disk, after: 1 + rng.IntN(600), percent: crashPercents[rng.IntN(3)], seed: rng.Uint64()}
				w.runUntil(t, c, 150)
				disk = c.take()
			}
			s := mustOpen(t, smallOptions(disk))
			w.check(t, s)
			mustClose(t, s)
		})
	}
}

// crashPoint is a file system that copies what a crash would leave at its n-th
// operation. It goes on working after that, since a process cannot be killed
// here; what it does then does not reach the copy.
type crashPoint struct {
	disk    *vfs.MemFS
	after   int
	percent int
	seed    uint64

	mu    sync.Mutex
	clone *vfs.MemFS
}

func (c *crashPoint) MaybeError(errorfs.Op) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.after--; c.after == 0 {
		c.clone = crashClone(c.disk, c.percent, c.seed)
	}
	return nil
}

func (c *crashPoint) String() string { return "crash point" }

func (c *crashPoint) crashed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clone != nil
}

// take returns the disk after the crash, which happens now if it has not yet.
func (c *crashPoint) take() *vfs.MemFS {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clone == nil {
		c.clone = crashClone(c.disk, c.percent, c.seed)
	}
	return c.clone
}

// runUntil opens the store, checks what survived earlier crashes, and commits
// until the disk has crashed. What is acknowledged after that instant is not
// promised.
func (w *workload) runUntil(t *testing.T, c *crashPoint, most int) {
	t.Helper()
	s, err := OpenPebble(testDir, smallOptions(errorfs.Wrap(c.disk, c)))
	if err != nil {
		t.Fatal(err)
	}
	n := w.check(t, s)
	// What is read now may still be in no synced log of this run: only what was
	// acknowledged binds.
	w.restart(t, n)
	for range most {
		if c.crashed() {
			break
		}
		acked := w.synced
		if err := w.step(t, s); err != nil {
			t.Fatal(err)
		}
		if c.crashed() {
			w.synced = acked // the acknowledgement came after the crash
		}
	}
	mustClose(t, s)
}

// restart makes the model go on from the state after n commits.
func (w *workload) restart(t testing.TB, n int) {
	synced := w.synced
	w.resume(t, n)
	w.synced = synced
}

// A crash while the directory is made leaves one that can be opened.
func TestCrashWhileCreating(t *testing.T) {
	for _, percent := range crashPercents {
		for at := 1; ; at++ {
			c := &crashPoint{disk: vfs.NewCrashableMem(), after: at, percent: percent, seed: uint64(at)}
			s := mustOpen(t, smallOptions(errorfs.Wrap(c.disk, c)))
			done := !c.crashed()
			mustClose(t, s)
			again := mustOpen(t, smallOptions(c.take()))
			mustClose(t, again)
			if done {
				break
			}
		}
	}
}
