package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// DiskLevel says how near the end of the disk is.
type DiskLevel byte

// The levels, from good to bad.
const (
	DiskOK       DiskLevel = iota
	DiskLow                // tell the operator
	DiskCritical           // stop writing: Store.SetFull(true)
)

// String names the level for logs and metrics.
func (l DiskLevel) String() string {
	switch l {
	case DiskLow:
		return "low"
	case DiskCritical:
		return "critical"
	}
	return "ok"
}

// DiskLimits are the watermarks of a disk. Zero fields take the defaults.
type DiskLimits struct {
	Low      float64 // share of the disk free, 0..1, below which the level is low; default 0.10
	Critical float64 // the same for critical; default 0.05
	// BallastBytes is held in a file and given back when it gets critical, so
	// that Pebble can finish what it is doing; default 64 MiB, at most 2 % of
	// the disk. Negative = none.
	BallastBytes int64
}

const (
	defaultLow      = 0.10
	defaultCritical = 0.05
	defaultBallast  = 64 << 20
	ballastShare    = 50 // at most 1/50 of the disk
	// leaveFactor is how much above a watermark the free share must rise to
	// leave its level, so that the level does not flap.
	leaveFactor = 1.2
)

func (l DiskLimits) withDefaults() DiskLimits {
	if l.Low <= 0 {
		l.Low = defaultLow
	}
	if l.Critical <= 0 {
		l.Critical = defaultCritical
	}
	if l.BallastBytes == 0 {
		l.BallastBytes = defaultBallast
	}
	return l
}

// Level decides from numbers alone: the level a disk with free of total bytes is
// at, given the level it had. A disk of unknown size is OK.
func (l DiskLimits) Level(was DiskLevel, free, total uint64) DiskLevel {
	if total == 0 {
		return DiskOK
	}
	l = l.withDefaults()
	share := float64(free) / float64(total)
	below := func(watermark float64, level DiskLevel) bool {
		if was >= level {
			watermark *= leaveFactor
		}
		return share < watermark
	}
	switch {
	case below(l.Critical, DiskCritical):
		return DiskCritical
	case below(l.Low, DiskLow):
		return DiskLow
	}
	return DiskOK
}

// ballastBytes is the size of the ballast on a disk of total bytes.
func (l DiskLimits) ballastBytes(total uint64) uint64 {
	if l.BallastBytes <= 0 {
		return 0
	}
	return min(uint64(l.BallastBytes), total/ballastShare)
}

// DiskUsage returns the bytes this process may still write to the disk of dir,
// and the size of the disk.
func DiskUsage(dir string) (free, total uint64, err error) { return diskUsage(vfs.Default, dir) }

func diskUsage(fsys vfs.FS, dir string) (free, total uint64, err error) {
	u, err := fsys.GetDiskUsage(dir)
	if err != nil {
		return 0, 0, fmt.Errorf("storage: disk usage of %s: %w", dir, err)
	}
	return u.AvailBytes, u.TotalBytes, nil
}

// DiskState is the outcome of one check.
type DiskState struct {
	Free, Total uint64
	Level       DiskLevel
	Ballast     bool // the ballast is in place
}

// Watch follows the free space of a data directory and keeps its ballast. It has
// no ticker: the owner calls Check every few seconds. Safe for concurrent use.
type Watch struct {
	dir    string
	fs     vfs.FS
	limits DiskLimits

	mu    sync.Mutex
	level DiskLevel
}

// NewWatch returns a Watch of the directory of a store.
func NewWatch(dir string, limits DiskLimits) *Watch {
	return &Watch{dir: dir, fs: vfs.Default, limits: limits.withDefaults()}
}

// Check reads the free space, decides the level, and keeps the ballast: made
// while the level is OK, given back when it is critical. The level is reckoned
// as if the ballast were there, so that giving it back does not look like space.
//
// An error leaves the level of the last check in the state.
func (w *Watch) Check() (DiskState, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	free, total, err := diskUsage(w.fs, w.dir)
	if err != nil {
		return DiskState{Level: w.level}, err
	}
	want := w.limits.ballastBytes(total)
	have := w.ballastLocked()
	usable := free
	if !have {
		usable -= min(usable, want)
	}
	w.level = w.limits.Level(w.level, usable, total)
	switch {
	case w.level == DiskCritical && have:
		err = w.releaseLocked()
		have = err != nil
	case w.level == DiskOK && !have && want > 0:
		err = w.createLocked(want)
		have = err == nil
	}
	return DiskState{Free: free, Total: total, Level: w.level, Ballast: have}, err
}

// ReleaseBallast gives the ballast back at once. It is made for
// Options.OnDiskFull.
func (w *Watch) ReleaseBallast() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.releaseLocked()
}

// ballastName is a file of the data directory that Pebble does not know.
const ballastName = "BALLAST"

func (w *Watch) ballastPath() string { return w.fs.PathJoin(w.dir, ballastName) }

func (w *Watch) ballastLocked() bool {
	_, err := w.fs.Stat(w.ballastPath())
	return err == nil
}

func (w *Watch) releaseLocked() error {
	if err := w.fs.Remove(w.ballastPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("storage: release the ballast: %w", err)
	}
	return nil
}

// createLocked writes the ballast under another name first: half of one would
// pass for a whole.
func (w *Watch) createLocked(size uint64) (err error) {
	part := w.ballastPath() + ".part"
	defer func() {
		if err != nil {
			err = fmt.Errorf("storage: make the ballast: %w", errors.Join(err, w.removeIfThere(part)))
		}
	}()
	if err := writeZeros(w.fs, part, size); err != nil {
		return err
	}
	return w.fs.Rename(part, w.ballastPath())
}

func (w *Watch) removeIfThere(path string) error {
	if err := w.fs.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func writeZeros(fsys vfs.FS, path string, size uint64) (err error) {
	f, err := fsys.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for left := size; left > 0; {
		zeros := make([]byte, min(left, 1<<20)) // fresh each time: Write may change what it is given
		if _, err := f.Write(zeros); err != nil {
			return err
		}
		left -= uint64(len(zeros))
	}
	return f.Sync()
}
