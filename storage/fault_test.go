package storage

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/openclaw/clawd/crdt"
)

// strike fails file operations of the chosen kinds, from the n-th one on.
type strike struct {
	err   error
	match func(errorfs.Op) bool
	times int64

	from      atomic.Int64 // 0 = never
	seen, hit atomic.Int64
}

func (s *strike) MaybeError(op errorfs.Op) error {
	from := s.from.Load()
	if from == 0 || !s.match(op) {
		return nil
	}
	n := s.seen.Add(1)
	if n < from || n-from >= s.times {
		return nil
	}
	s.hit.Add(1)
	return s.err
}

func (s *strike) String() string { return "strike" }

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

var errBoom error = syscall.EIO

// Whatever operation fails, once or for good: no commit is lost that was
// acknowledged, none is there by half, and no call panics or hangs. A store that
// cannot go on says so to every caller and to OnFatal.
func TestFaultAtEachKindOfOperation(t *testing.T) {
	cases := map[string]func(errorfs.Op) bool{
		"create":  kinds(errorfs.OpCreate, errorfs.OpReuseForWrite),
		"write":   kinds(errorfs.OpFileWrite, errorfs.OpFileWriteAt),
		"sync":    kinds(errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo, errorfs.OpFileFlush),
		"close":   kinds(errorfs.OpFileClose),
		"name":    kinds(errorfs.OpRename, errorfs.OpLink, errorfs.OpMkdirAll, errorfs.OpOpenDir),
		"remove":  kinds(errorfs.OpRemove, errorfs.OpRemoveAll),
		"read":    kinds(errorfs.OpFileRead, errorfs.OpFileReadAt),
		"open":    kinds(errorfs.OpOpen),
		"inspect": kinds(errorfs.OpStat, errorfs.OpFileStat, errorfs.OpList, errorfs.OpGetDiskUsage, errorfs.OpFilePreallocate, errorfs.OpLock),
	}
	for name, match := range cases {
		t.Run(name, func(t *testing.T) {
			failed := 0
			factor := int64(3)
			if testing.Short() {
				factor = 6
			}
			for _, times := range []int64{1, 1 << 40} {
				for from := int64(1); from <= 200; from = from*factor/2 + 1 {
					s := &strike{err: errBoom, match: match, times: times}
					s.from.Store(from)
					if runStruck(t, s, uint64(from)) {
						failed++
					}
				}
			}
			if must := name == "create" || name == "write" || name == "sync"; must && failed == 0 {
				t.Error("no run noticed its fault: the test does not strike anything")
			}
		})
	}
}

// runStruck runs a workload under a fault, then opens what a crash would leave.
// It reports whether the store could not go on.
func runStruck(t *testing.T, fault *strike, seed uint64) (failed bool) {
	t.Helper()
	disk := vfs.NewCrashableMem()
	o := smallOptions(errorfs.Wrap(disk, fault))
	var fatal atomic.Int64
	o.OnFatal = func(err error) {
		if !errors.Is(err, ErrFailed) {
			t.Errorf("OnFatal is told %v", err)
		}
		fatal.Add(1)
	}
	w := newWorkload(t, seed)
	s, err := OpenPebble(testDir, o)
	if err != nil {
		if !errors.Is(err, ErrUnreadable) && !errors.Is(err, ErrLocked) {
			t.Errorf("open under %v: %v", errBoom, err)
		}
		failed = true
	} else {
		failed = workUntilFailed(t, w, s)
		if told := fatal.Load(); failed != (told == 1) || told > 1 {
			t.Errorf("failed: %v, OnFatal was called %d times", failed, told)
		}
		_ = s.Close() // may report the fault; must not hang
	}
	for i, percent := range crashPercents {
		clone := crashClone(disk, percent, seed+uint64(i))
		after, err := OpenPebble(testDir, smallOptions(clone))
		if err != nil {
			t.Fatalf("fault at %d for %d: the disk cannot be opened any more: %v", fault.from.Load(), fault.times, err)
		}
		w.check(t, after)
		mustClose(t, after)
	}
	return failed
}

func workUntilFailed(t *testing.T, w *workload, s *Store) (failed bool) {
	t.Helper()
	for range 120 {
		err := w.step(t, s)
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrFailed) {
			t.Errorf("a failed commit answers %v", err)
		}
		_, _, getErr := s.Vector(1)
		_, viewErr := s.View()
		_, scanErr := s.Vectors()
		for _, err := range []error{getErr, viewErr, scanErr, s.Commit(NewBatch(), true), s.Commit(w.batch, false)} {
			if !errors.Is(err, ErrFailed) {
				t.Errorf("a failed store answers %v", err)
			}
		}
		return true
	}
	// Compactions may still fail it.
	return s.engine.(*pebbleEngine).failure.err() != nil
}

// After a failed sync of the log nothing more reaches the disk, though the disk
// works again.
func TestFailedStoreLeavesTheDiskAlone(t *testing.T) {
	disk := vfs.NewCrashableMem()
	isLog := func(op errorfs.Op) bool { return strings.HasSuffix(op.Path, ".log") }
	fault := &strike{err: errBoom, times: 1, match: func(op errorfs.Op) bool {
		return isLog(op) && kinds(errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo)(op)
	}}
	changes := &strike{err: nil, times: 1 << 40, match: func(op errorfs.Op) bool {
		return op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose
	}}
	changes.from.Store(1)
	s, err := OpenPebble("store//", smallOptions(errorfs.Wrap(disk, errorfs.Any(fault, changes)))) // a name Pebble would clean
	if err != nil {
		t.Fatal(err)
	}
	w := newWorkload(t, 5)
	for range 20 {
		if err := w.step(t, s); err != nil {
			t.Fatal(err)
		}
	}
	fault.from.Store(1)
	b := NewBatch()
	b.PutVector(1, Vector{Seq: 1})
	if err := s.Commit(b, true); !errors.Is(err, ErrFailed) || !errors.Is(err, errBoom) {
		t.Fatalf("commit: %v", err)
	}
	before := changes.seen.Load()
	if err := s.Close(); !errors.Is(err, ErrFailed) {
		t.Fatalf("close: %v", err)
	}
	if after := changes.seen.Load(); after != before {
		t.Errorf("%d operations changed the disk after the failure", after-before)
	}
}

// An unsynced commit whose log write fails in the background is reported by the
// next commit, not by a panic.
func TestUnsyncedCommitsOnABrokenLog(t *testing.T) {
	fault := &strike{err: errBoom, times: 1 << 40, match: func(op errorfs.Op) bool {
		return strings.HasSuffix(op.Path, ".log") && op.Kind == errorfs.OpFileWrite
	}}
	o := smallOptions(errorfs.Wrap(vfs.NewMem(), fault))
	failed := make(chan error, 1)
	o.OnFatal = func(err error) { failed <- err }
	s := mustOpen(t, o)
	fault.from.Store(1)
	var wg sync.WaitGroup
	for g := range uint64(4) {
		wg.Go(func() {
			b := NewBatch()
			for i := uint64(0); ; i++ {
				b.Reset()
				b.PutVector(crdt.Origin(g), Vector{Seq: i})
				if err := s.Commit(b, false); err != nil {
					if !errors.Is(err, ErrFailed) {
						t.Errorf("commit: %v", err)
					}
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		if !errors.Is(err, errBoom) {
			t.Errorf("OnFatal: %v", err)
		}
	default:
		t.Error("OnFatal was not told")
	}
	_ = s.Close()
}

// A new log that cannot be made, or made to last, would end the process: Pebble
// panics with its mutex released, and unlocks it again on the way out.
func TestLogThatCannotBeMade(t *testing.T) {
	isLog := func(op errorfs.Op) bool { return strings.HasSuffix(op.Path, ".log") }
	for name, match := range map[string]func(errorfs.Op) bool{
		"create":   func(op errorfs.Op) bool { return isLog(op) && kinds(errorfs.OpCreate, errorfs.OpReuseForWrite)(op) },
		"name":     func(op errorfs.Op) bool { return op.Path == testDir && op.Kind == errorfs.OpFileSync },
		"look at":  func(op errorfs.Op) bool { return isLog(op) && op.Kind == errorfs.OpFileStat },
		"allocate": func(op errorfs.Op) bool { return isLog(op) && op.Kind == errorfs.OpFilePreallocate },
	} {
		t.Run(name, func(t *testing.T) {
			disk := vfs.NewCrashableMem()
			fault := &strike{err: errBoom, times: 1 << 40, match: match}
			s := mustOpen(t, smallOptions(errorfs.Wrap(disk, fault)))
			w := newWorkload(t, 9)
			for range 20 {
				if err := w.step(t, s); err != nil {
					t.Fatal(err)
				}
			}
			fault.from.Store(1)
			if !workUntilFailed(t, w, s) && fault.hit.Load() > 0 {
				t.Error("the fault was not noticed")
			}
			_ = s.Close()
			after := mustOpen(t, smallOptions(crashClone(disk, 0, 1)))
			w.check(t, after)
			mustClose(t, after)
		})
	}
}

// A full disk: the ballast goes, the write is tried again, and no commit notices.
func TestBallastSavesAFullDisk(t *testing.T) {
	disk := vfs.NewCrashableMem()
	writes := &strike{err: syscall.ENOSPC, times: 1 << 40, match: kinds(errorfs.OpFileWrite, errorfs.OpCreate)}
	writes.from.Store(1)
	full := errorfs.Toggle{Injector: writes}
	released := 0
	o := smallOptions(errorfs.Wrap(disk, &full))
	o.OnDiskFull = func() {
		released++
		full.Off()
	}
	s := mustOpen(t, o)
	w := newWorkload(t, 6)
	for i := range 200 {
		if i == 100 {
			full.On()
		}
		if err := w.step(t, s); err != nil {
			t.Fatal(err)
		}
	}
	if released != 1 {
		t.Fatalf("OnDiskFull was called %d times", released)
	}
	w.check(t, s)
	mustClose(t, s)
	after := mustOpen(t, smallOptions(crashClone(disk, 0, 1)))
	w.check(t, after)
	mustClose(t, after)
}

// A disk that stays full ends the store, and what was acknowledged is still there.
func TestDiskThatStaysFull(t *testing.T) {
	disk := vfs.NewCrashableMem()
	full := &strike{err: syscall.ENOSPC, times: 1 << 40, match: kinds(errorfs.OpFileWrite, errorfs.OpCreate, errorfs.OpReuseForWrite)}
	s := mustOpen(t, smallOptions(errorfs.Wrap(disk, full)))
	w := newWorkload(t, 7)
	for range 50 {
		if err := w.step(t, s); err != nil {
			t.Fatal(err)
		}
	}
	full.from.Store(1)
	if !workUntilFailed(t, w, s) {
		t.Fatal("a full disk was not noticed")
	}
	_ = s.Close()
	after := mustOpen(t, smallOptions(crashClone(disk, 100, 1)))
	w.check(t, after)
	mustClose(t, after)
}

// Close does not wait for a flush that cannot succeed.
func TestCloseOnADiskThatRefusesTables(t *testing.T) {
	disk := vfs.NewCrashableMem()
	fault := &strike{err: syscall.ENOSPC, times: 1 << 40, match: func(op errorfs.Op) bool {
		return strings.HasSuffix(op.Path, ".sst")
	}}
	s := mustOpen(t, smallOptions(errorfs.Wrap(disk, fault)))
	w := newWorkload(t, 8)
	for range 10 {
		if err := w.step(t, s); err != nil {
			t.Fatal(err)
		}
	}
	fault.from.Store(1)
	done := make(chan error)
	go func() { done <- s.Close() }()
	select {
	case err := <-done:
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("close: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Close hangs")
	}
	w.synced = w.commits() // Close synced the log
	after := mustOpen(t, smallOptions(crashClone(disk, 0, 1)))
	w.check(t, after)
	mustClose(t, after)
}

// Open neither hangs nor changes anything when what it reads from the log cannot
// be written out: on a full disk a service would otherwise start for ever.
func TestOpenOnADiskThatRefusesTables(t *testing.T) {
	for name, match := range map[string]func(errorfs.Op) bool{
		"create": kinds(errorfs.OpCreate),
		"write":  kinds(errorfs.OpFileWrite),
		"sync":   kinds(errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo),
	} {
		t.Run(name, func(t *testing.T) {
			disk := vfs.NewCrashableMem()
			s := mustOpen(t, smallOptions(disk))
			w := newWorkload(t, 11)
			for range 20 {
				if err := w.step(t, s); err != nil {
					t.Fatal(err)
				}
			}
			disk = crashClone(disk, 100, 1)
			mustClose(t, s)
			fault := &strike{err: syscall.ENOSPC, times: 1 << 40, match: func(op errorfs.Op) bool {
				return isTable(op.Path) && match(op)
			}}
			fault.from.Store(1)
			o := smallOptions(errorfs.Wrap(disk, fault))
			o.OnFatal = func(err error) { t.Errorf("OnFatal is told %v, and so is the caller of Open", err) }
			opened := make(chan error)
			go func() {
				_, err := OpenPebble(testDir, o)
				opened <- err
			}()
			select {
			case err := <-opened:
				if !errors.Is(err, ErrUnreadable) || !errors.Is(err, syscall.ENOSPC) {
					t.Errorf("open: %v", err)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("Open hangs")
			}
			if fault.hit.Load() == 0 {
				t.Error("the fault was never met")
			}
			after := mustOpen(t, smallOptions(disk))
			if n := w.check(t, after); n != w.commits() {
				t.Errorf("%d of %d commits are left", n, w.commits())
			}
			mustClose(t, after)
		})
	}
}

// An Open that fails at any of its operations says so in one of its kinds of
// error, loses nothing, and leaves no compaction that works on.
func TestOpenThatFailsAnywhere(t *testing.T) {
	disk := vfs.NewCrashableMem()
	s := mustOpen(t, smallOptions(disk))
	w := newWorkload(t, 12)
	for range 60 {
		if err := w.step(t, s); err != nil {
			t.Fatal(err)
		}
	}
	disk = crashClone(disk, 100, 1)
	mustClose(t, s)
	failed := 0
	for from := int64(1); ; from++ {
		clone := crashClone(disk, 100, 1)
		fault := &strike{err: errBoom, times: 1 << 40, match: func(op errorfs.Op) bool { return op.Kind != errorfs.OpFileClose }}
		fault.from.Store(from)
		s, err := OpenPebble(testDir, smallOptions(errorfs.Wrap(clone, fault)))
		if err == nil {
			_ = s.Close() // meets the fault
			break
		}
		failed++
		if !errors.Is(err, ErrUnreadable) && !errors.Is(err, ErrLocked) {
			t.Errorf("failing from operation %d: %v", from, err)
		}
		after := mustOpen(t, smallOptions(clone))
		w.check(t, after)
		mustClose(t, after)
	}
	if failed < 50 {
		t.Errorf("only %d operations failed", failed)
	}
}

func ExampleErrFailed() {
	fatal := make(chan error, 1)
	o := Options{FS: vfs.NewMem(), OnFatal: func(err error) { fatal <- err }}
	s, err := OpenPebble("/data", o)
	if err != nil {
		fmt.Println(err)
		return
	}
	// … on <-fatal the process says why and exits; the next start recovers.
	fmt.Println(s.Close())
	// Output: <nil>
}
