package storage

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fence is the file system Pebble sees. Pebble cannot go on after a failed write
// of its log or manifest, and leaves the consequences to the exit of the
// process: it panics with locks held, or dies of a mutex unlocked twice. The
// fence lets the process live and decide for itself:
//
//   - Pebble never hears of such a failure. The fence turns the engine failed,
//     and the engine, which asks after every call, tells the caller.
//   - From then on nothing changes on the disk, though Pebble is told it does.
//     Otherwise background work could sync again and be told that all is well
//     (kernels report lost pages once), and delete the log of writes that never
//     reached the disk.
//   - While the engine is opened, that goes for tables, too: Pebble writes out
//     what it read from the log, and tries that again until it succeeds.
//
// So the directory stays as a crash at the moment of the failure leaves it.
//
// The fence also makes the name of a new manifest durable with its first sync.
// Pebble does so only together with the marker that points to it, and a crash in
// between may keep the marker and lose the manifest: the order of two names in
// one directory is up to the file system.
type fence struct {
	vfs.FS
	dir     string // of the store; what is written elsewhere, by a backup, is not vital
	failure *failure
	events  *events
}

// retryPause slows down what Pebble tries again without a pause of its own: the
// writing of a table that failed.
const retryPause = 100 * time.Millisecond

// vital reports whether Pebble cannot take back a write of this file.
func (f *fence) vital(name string) bool {
	base := f.PathBase(name)
	return f.PathDir(name) == f.dir &&
		(strings.HasSuffix(base, ".log") || strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "marker."))
}

func isTable(name string) bool {
	return strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob")
}

// open opens a file for writing.
func (f *fence) open(name string, open func() (vfs.File, error)) (vfs.File, error) {
	vital := f.vital(name)
	failed := f.failure.err()
	if isTable(name) && (failed != nil || f.events.failing()) {
		time.Sleep(retryPause)
	}
	if failed != nil {
		if !vital && !(isTable(name) && f.failure.opening()) {
			return nil, failed
		}
		return &fencedFile{File: voidFile{}, fence: f, name: name, vital: true}, nil
	}
	file, err := open()
	if err != nil {
		if !vital {
			return nil, err
		}
		f.failure.set(fmt.Errorf("create %s: %w", name, err))
		file = voidFile{}
	}
	unnamed := vital && strings.HasPrefix(f.PathBase(name), "MANIFEST-")
	return &fencedFile{File: file, fence: f, name: name, vital: vital, unnamed: unnamed}, nil
}

func (f *fence) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open(name, func() (vfs.File, error) { return f.FS.Create(name, category) })
}

func (f *fence) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.open(name, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, category, opts...) })
}

func (f *fence) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open(newname, func() (vfs.File, error) { return f.FS.ReuseForWrite(oldname, newname, category) })
}

// OpenDir serves the syncs by which the names of logs and manifests last.
func (f *fence) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &fencedFile{File: file, fence: f, name: name, vital: name == f.dir}, nil
}

func (f *fence) Link(oldname, newname string) error {
	return f.change(func() error { return f.FS.Link(oldname, newname) })
}

func (f *fence) Remove(name string) error {
	return f.change(func() error { return f.FS.Remove(name) })
}

func (f *fence) RemoveAll(name string) error {
	return f.change(func() error { return f.FS.RemoveAll(name) })
}

func (f *fence) Rename(oldname, newname string) error {
	return f.change(func() error { return f.FS.Rename(oldname, newname) })
}

func (f *fence) MkdirAll(dir string, perm os.FileMode) error {
	return f.change(func() error { return f.FS.MkdirAll(dir, perm) })
}

// change does what can fail without harm to Pebble.
func (f *fence) change(do func() error) error {
	if err := f.failure.err(); err != nil {
		return err
	}
	return do()
}

func (f *fence) Unwrap() vfs.FS { return f.FS }

// fencedFile is a file open for writing, or a directory.
type fencedFile struct {
	vfs.File
	fence   *fence
	name    string
	vital   bool // Pebble is not told of its failures
	unnamed bool // its name is not durable yet; only its one writer touches this
}

func (f *fencedFile) Write(p []byte) (int, error) {
	return written(p, f.do("write", func() error { _, err := f.File.Write(p); return err }))
}

func (f *fencedFile) WriteAt(p []byte, off int64) (int, error) {
	return written(p, f.do("write", func() error { _, err := f.File.WriteAt(p, off); return err }))
}

// written is the outcome of a write: all or nothing, as far as Pebble is told.
func written(p []byte, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *fencedFile) Preallocate(offset, length int64) error {
	return f.do("preallocate", func() error { return f.File.Preallocate(offset, length) })
}

func (f *fencedFile) Sync() error {
	return f.do("sync", func() error {
		if err := f.File.Sync(); err != nil || !f.unnamed {
			return err
		}
		f.unnamed = false
		return syncDir(f.fence.FS, f.fence.dir)
	})
}

func (f *fencedFile) SyncData() error { return f.do("sync", f.File.SyncData) }

func (f *fencedFile) SyncTo(length int64) (fullSync bool, err error) {
	err = f.do("sync", func() error { fullSync, err = f.File.SyncTo(length); return err })
	return fullSync, err
}

func (f *fencedFile) Stat() (info vfs.FileInfo, err error) {
	info = voidInfo{}
	err = f.do("stat", func() error { info, err = f.File.Stat(); return err })
	return info, err
}

// Close passes also when nothing else does, or files would be leaked.
func (f *fencedFile) Close() error { return f.verdict("close", f.File.Close()) }

// do lets an operation pass to the disk unless the engine has failed.
func (f *fencedFile) do(verb string, op func() error) error {
	if err := f.fence.failure.err(); err != nil {
		return f.verdict(verb, err)
	}
	return f.verdict(verb, op())
}

// verdict is what Pebble is told.
func (f *fencedFile) verdict(verb string, err error) error {
	if err == nil || !f.vital {
		return err
	}
	f.fence.failure.set(fmt.Errorf("%s %s: %w", verb, f.name, err))
	return nil
}

// voidFile stands for a vital file that could not be made.
type voidFile struct{ vfs.File }

func (voidFile) Write(p []byte) (int, error)            { return len(p), nil }
func (voidFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (voidFile) Preallocate(int64, int64) error         { return nil }
func (voidFile) Sync() error                            { return nil }
func (voidFile) SyncData() error                        { return nil }
func (voidFile) SyncTo(int64) (bool, error)             { return true, nil }
func (voidFile) Stat() (vfs.FileInfo, error)            { return voidInfo{}, nil }
func (voidFile) Close() error                           { return nil }
func (voidFile) Fd() uintptr                            { return vfs.InvalidFd }

// voidInfo describes a file of which nothing is known.
type voidInfo struct{}

func (voidInfo) Name() string           { return "" }
func (voidInfo) Size() int64            { return 0 }
func (voidInfo) Mode() fs.FileMode      { return 0 }
func (voidInfo) ModTime() time.Time     { return time.Time{} }
func (voidInfo) IsDir() bool            { return false }
func (voidInfo) Sys() any               { return nil }
func (voidInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }
