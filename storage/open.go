package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// formatVersion is the layout of the files, explicit because Pebble's default is
// its oldest. It is the newest stable one of v2.1.7: it has the log chunks by
// which a torn tail and damage are told apart, and checksums in table footers.
// Older directories are brought up to it when they are opened; there is no way
// back, so raising it is a release note.
const formatVersion = pebble.FormatValueSeparation

// Sizes of Pebble's parts. A flush of 5 000 agents is about 1 MB; a batch over
// half a memory table would skip it and become a table of its own.
const (
	memTableBytes  = 16 << 20
	memTablesStop  = 4  // memory tables before writes stall
	l0Stop         = 24 // sublevels before writes stall
	bloomBits      = 10 // 1 % of lookups of an unknown agent touch a table
	maxCompactions = 2
	walSyncPause   = 500 * time.Microsecond // lets `sync` consumers share an fsync
	dirMode        = 0o750
)

// OpenPebble opens or creates the store in dir. The error is ErrLocked,
// ErrCorrupt or ErrUnreadable, and names dir.
func OpenPebble(dir string, o Options) (*Store, error) {
	e, err := openEngine(dir, o.withDefaults())
	if err != nil {
		return nil, err
	}
	s, err := New(e)
	if err != nil {
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnreadable) {
			err = fmt.Errorf("%w: %w", ErrUnreadable, err) // the first look at the data met an I/O error
		}
		return nil, errors.Join(err, e.Close())
	}
	return s, nil
}

func openEngine(dir string, o Options) (*pebbleEngine, error) {
	if dir = o.FS.PathJoin(dir); dir == "" { // cleaned, for the fence compares names
		dir = "."
	}
	lock, err := lockDir(dir, o)
	if err != nil {
		return nil, err
	}
	e := &pebbleEngine{
		dir:      dir,
		fs:       o.FS,
		lock:     lock,
		readOnly: o.ReadOnly,
		failure:  &failure{onFatal: o.OnFatal},
		events:   new(events),
	}
	if err := e.open(o); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return e, nil
}

// lockDir makes the directory and takes its lock.
func lockDir(dir string, o Options) (*pebble.Lock, error) {
	if !o.ReadOnly {
		if err := makeDir(o.FS, dir); err != nil {
			return nil, fmt.Errorf("storage: %s: %w: %w", dir, ErrUnreadable, err)
		}
	}
	lock, err := pebble.LockDirectory(dir, o.FS)
	var path *fs.PathError
	switch {
	case err == nil:
		return lock, nil
	case errors.As(err, &path): // the lock file could not even be created
		return nil, fmt.Errorf("storage: %s: %w: %w", dir, ErrUnreadable, err)
	default:
		return nil, fmt.Errorf("storage: %s: %w: %w", dir, ErrLocked, err)
	}
}

func (e *pebbleEngine) open(o Options) (err error) {
	if err := firstError(checkFormat(o.FS, e.dir), checkFiles(o.FS, e.dir)); err != nil {
		return err
	}
	opts := e.pebbleOptions(o)
	defer opts.Cache.Unref()
	defer func() {
		// Pebble panics on some damaged files.
		if r := recover(); r != nil {
			err = fmt.Errorf("storage: %s: %w: %v", e.dir, ErrCorrupt, r)
		}
	}()
	if e.db, err = pebble.Open(e.dir, opts); err != nil {
		return openError(e.dir, err)
	}
	if err := e.failure.arm(); err != nil {
		return errors.Join(openError(e.dir, err), e.db.Close())
	}
	return nil
}

// checkFormat refuses files of a Pebble newer than this one, which Pebble itself
// reports in a way that cannot be told from damage.
func checkFormat(fsys vfs.FS, dir string) error {
	text, err := atomicfs.ReadMarker(fsys, dir, "format-version")
	if err != nil {
		return fmt.Errorf("storage: %s: %w: %w", dir, ErrUnreadable, err)
	}
	version, err := strconv.ParseUint(text, 10, 32)
	if err == nil && version > uint64(formatVersion) {
		return fmt.Errorf("storage: %s: %w: it has file format %d, written by a newer version; this one knows up to %d",
			dir, ErrUnreadable, version, formatVersion)
	}
	return nil // a marker that is missing or damaged is for Pebble to judge
}

// openError gives an error of pebble.Open its kind. What comes from the system
// (permissions, I/O, too many files) may pass; anything else says that the files
// do not fit together, a missing one included.
func openError(dir string, err error) error {
	kind := ErrCorrupt
	var errno syscall.Errno
	if !pebble.IsCorruptionError(err) && errors.As(err, &errno) && errno != syscall.ENOENT {
		kind = ErrUnreadable
	}
	return fmt.Errorf("storage: %s: %w: %w", dir, kind, err)
}

// compactions is how many may run: none before the engine is open, unless there
// is a backlog. An Open that fails late lets go of the caches that a compaction
// it has begun reads through, and the process dies of that.
func (e *pebbleEngine) compactions() (least, most int) {
	if e.failure.opening() {
		return 0, maxCompactions
	}
	return 1, maxCompactions
}

func (e *pebbleEngine) pebbleOptions(o Options) *pebble.Options {
	onFull := o.OnDiskFull
	if onFull == nil {
		onFull = func() {}
	}
	opts := &pebble.Options{
		Cache:                       pebble.NewCache(o.CacheBytes),
		CompactionConcurrencyRange:  e.compactions,
		EventListener:               e.events.listener(o.Logger, e.failure, e.dir),
		FS:                          &fence{FS: vfs.OnDiskFull(o.FS, onFull), dir: e.dir, failure: e.failure, events: e.events},
		FormatMajorVersion:          formatVersion,
		L0StopWritesThreshold:       l0Stop,
		Lock:                        e.lock,
		Logger:                      pebbleLog{logger: o.Logger, failure: e.failure},
		MemTableSize:                o.MemTableBytes,
		MemTableStopWritesThreshold: memTablesStop,
		ReadOnly:                    o.ReadOnly,
		WALMinSyncInterval:          func() time.Duration { return walSyncPause },
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
	}
	opts.WithFSDefaults() // reports a slow disk
	if o.tune != nil {
		o.tune(opts)
	}
	return opts
}
