package crashtest

import (
	"errors"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

const forever = 1 << 40

// Whatever file operation fails, once, a few times or for good: the replica
// answers, promises nothing that the disk does not hold, and a restart finds
// everything that was promised.
func TestFaultAtEachKindOfOperation(t *testing.T) {
	t.Parallel()
	for name, match := range map[string]func(errorfs.Op) bool{
		"create":  kinds(errorfs.OpCreate, errorfs.OpReuseForWrite),
		"write":   kinds(errorfs.OpFileWrite, errorfs.OpFileWriteAt),
		"sync":    kinds(errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo, errorfs.OpFileFlush),
		"close":   kinds(errorfs.OpFileClose),
		"name":    kinds(errorfs.OpRename, errorfs.OpLink, errorfs.OpMkdirAll, errorfs.OpOpenDir),
		"remove":  kinds(errorfs.OpRemove, errorfs.OpRemoveAll),
		"read":    kinds(errorfs.OpFileRead, errorfs.OpFileReadAt),
		"open":    kinds(errorfs.OpOpen),
		"inspect": kinds(errorfs.OpStat, errorfs.OpFileStat, errorfs.OpList, errorfs.OpGetDiskUsage, errorfs.OpFilePreallocate),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sum tally
			eachSeed(t, 2, func(t *testing.T, seed uint64) {
				w := newWorld(t, seed, newConfig(seed))
				w.strikes(match, syscall.EIO, 6)
				w.settle()
				sum.add(w)
			})
			switch name {
			case "write", "sync":
				sum.need(t, map[string]int{"failed commits": sum.faults, "crashes": sum.crashes})
			case "create", "read":
				sum.need(t, map[string]int{"faults": sum.struck})
			}
		})
	}
}

// strikes plays with faults that come and go.
func (w *world) strikes(match func(errorfs.Op) bool, cause error, rounds int) {
	for range rounds {
		for _, n := range w.nodes {
			n.faults.err, n.faults.match = cause, match
			n.faults.arm(1+w.rng.Int64N([]int64{1, 4, 40}[w.rng.IntN(3)]), []int64{1, 3, forever}[w.rng.IntN(3)])
		}
		w.play(60)
		for _, n := range w.nodes {
			w.count.struck += int(n.faults.hit.Swap(0))
		}
		w.quiet()
	}
}

// A disk that is full for the file system ends the store; what was promised is
// there once there is room.
func TestDiskWithoutRoom(t *testing.T) {
	t.Parallel()
	var sum tally
	eachSeed(t, 3, func(t *testing.T, seed uint64) {
		w := newWorld(t, seed, newConfig(seed))
		w.strikes(kinds(errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpCreate, errorfs.OpReuseForWrite), syscall.ENOSPC, 6)
		w.settle()
		sum.add(w)
	})
	sum.need(t, map[string]int{"failed commits": sum.faults, "crashes": sum.crashes})
}

// A store that refuses writes before the disk is full: the replica goes on in
// memory, promises nothing, and writes everything down once there is room. A
// crash meanwhile loses what nobody was promised.
func TestStoreThatRefusesWrites(t *testing.T) {
	t.Parallel()
	var sum tally
	eachSeed(t, 3, func(t *testing.T, seed uint64) {
		w := newWorld(t, seed, newConfig(seed))
		for range 6 {
			full := w.nodes[w.rng.IntN(len(w.nodes))]
			full.proc.store.SetFull(true)
			w.play(60)
			if w.chance(50) && full.alive() {
				full.crash(percents[w.rng.IntN(3)])
			}
			full.proc.store.SetFull(false)
			w.play(60)
		}
		w.settle()
		sum.add(w)
	})
	sum.need(t, map[string]int{"refused commits": sum.faults, "crashes": sum.crashes})
}

// A start that meets a fault once its store is open leaves what it found: the
// marks are charged by the first one that comes through, and by no other.
func TestFaultsAtTheStart(t *testing.T) {
	t.Parallel()
	starts, failed := 0, 0
	eachSeed(t, 1, func(t *testing.T, seed uint64) {
		w := newWorld(t, seed, newConfig(seed))
		for range 3 {
			w.play(60)
			w.quiet()
			n := w.nodes[w.rng.IntN(len(w.nodes))]
			for range 2 { // leave a mark
				_ = n.proc.consume(request{agents: []string{"r1"}, tokens: []int64{3}})
				n.proc.wholeFlush()
			}
			disk := n.clone(percents[w.rng.IntN(3)])
			n.shut()
			n.disk = disk
			for at := int64(1); ; at += 1 + w.rng.Int64N(30) {
				starts++
				if n.startUnderFault(at) == nil {
					break
				}
				failed++
			}
			w.must(n.start())
		}
		w.settle()
	})
	t.Logf("%d of %d starts failed", failed, starts)
	if failed == 0 {
		t.Error("no start met its fault")
	}
}

// startUnderFault tries to start on a disk that fails from the n-th operation
// of the run on, and leaves of it what a crash would.
func (n *node) startUnderFault(from int64) error {
	fault := &strike{err: syscall.EIO, match: func(op errorfs.Op) bool { return op.Kind != errorfs.OpFileClose }}
	n.w.opened = func() { fault.arm(from, forever) }
	p, err := n.open(errorfs.Wrap(n.disk, fault))
	n.w.opened = nil
	disk := n.clone(percents[n.w.rng.IntN(3)])
	if err == nil {
		_ = p.store.Close() // meets the fault, too
	} else if !errors.Is(err, syscall.EIO) {
		n.w.must(err)
	}
	n.disk = disk
	return err
}
