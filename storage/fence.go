package storage

import (
	"fmt"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fence is the file system Pebble sees. It does two things that Pebble leaves to
// the exit of the process, which it expects after a fatal error:
//
//   - A failed write or sync of a log or manifest makes the engine failed at
//     once, before Pebble's own reaction, a panic with a lock held.
//   - Once failed, nothing changes on the disk any more. Otherwise background
//     work could go on, sync again, and this time be told that all is well:
//     kernels report lost pages once. It would then delete the log of writes
//     that never reached the disk.
//
// So the directory stays as a crash at the moment of the failure leaves it.
//
// It also makes the name of a new manifest durable with its first sync. Pebble
// does so only together with the marker that points to it, and a crash in between
// may keep the marker and lose the manifest: the order of two names in one
// directory is up to the file system.
type fence struct {
	vfs.FS
	failure *failure
}

func (f *fence) wrap(name string, file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	base := f.PathBase(name)
	manifest := strings.HasPrefix(base, "MANIFEST-")
	return &fencedFile{
		File: file, fence: f, name: name,
		fatal:   manifest || strings.HasSuffix(base, ".log"),
		unnamed: manifest,
	}, nil
}

func (f *fence) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.failure.err(); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(name, category)
	return f.wrap(name, file, err)
}

func (f *fence) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	if err := f.failure.err(); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenReadWrite(name, category, opts...)
	return f.wrap(name, file, err)
}

func (f *fence) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.failure.err(); err != nil {
		return nil, err
	}
	file, err := f.FS.ReuseForWrite(oldname, newname, category)
	return f.wrap(newname, file, err)
}

func (f *fence) Link(oldname, newname string) error {
	if err := f.failure.err(); err != nil {
		return err
	}
	return f.FS.Link(oldname, newname)
}

func (f *fence) Remove(name string) error {
	if err := f.failure.err(); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

func (f *fence) RemoveAll(name string) error {
	if err := f.failure.err(); err != nil {
		return err
	}
	return f.FS.RemoveAll(name)
}

func (f *fence) Rename(oldname, newname string) error {
	if err := f.failure.err(); err != nil {
		return err
	}
	return f.FS.Rename(oldname, newname)
}

func (f *fence) MkdirAll(dir string, perm os.FileMode) error {
	if err := f.failure.err(); err != nil {
		return err
	}
	return f.FS.MkdirAll(dir, perm)
}

func (f *fence) Unwrap() vfs.FS { return f.FS }

// fencedFile is a file open for writing. Reads and Close always pass.
type fencedFile struct {
	vfs.File
	fence   *fence
	name    string
	fatal   bool // Pebble cannot take back a write of it
	unnamed bool // its name is not durable yet; touched by its one writer only
}

func (f *fencedFile) Write(p []byte) (int, error) {
	if err := f.fence.failure.err(); err != nil {
		return 0, err
	}
	n, err := f.File.Write(p)
	return n, f.check("write", err)
}

func (f *fencedFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fence.failure.err(); err != nil {
		return 0, err
	}
	n, err := f.File.WriteAt(p, off)
	return n, f.check("write", err)
}

func (f *fencedFile) Sync() error {
	if err := f.fence.failure.err(); err != nil {
		return err
	}
	err := f.File.Sync()
	if err == nil && f.unnamed {
		err = syncDir(f.fence.FS, f.fence.PathDir(f.name))
		f.unnamed = false
	}
	return f.check("sync", err)
}

func (f *fencedFile) SyncData() error {
	if err := f.fence.failure.err(); err != nil {
		return err
	}
	return f.check("sync", f.File.SyncData())
}

func (f *fencedFile) SyncTo(length int64) (fullSync bool, err error) {
	if err := f.fence.failure.err(); err != nil {
		return false, err
	}
	fullSync, err = f.File.SyncTo(length)
	return fullSync, f.check("sync", err)
}

// check passes on the outcome of a write, and ends the engine when it cannot be
// taken back.
func (f *fencedFile) check(verb string, err error) error {
	if err != nil && f.fatal {
		f.fence.failure.set(fmt.Errorf("%s %s: %w", verb, f.name, err))
	}
	return err
}
