package storage

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func TestBackupAndRestore(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenPebble(filepath.Join(dir, "store"), smallOptions(vfs.Default))
	if err != nil {
		t.Fatal(err)
	}
	self := Self{Node: 8, Cluster: "main", CreatedMS: 1}
	w := newWorkload(t, 20)
	if err := errors.Join(s.InitSelf(self), w.model.InitSelf(self)); err != nil {
		t.Fatal(err)
	}
	for range 60 {
		if err := w.step(t, s); err != nil {
			t.Fatal(err)
		}
	}
	backup := filepath.Join(dir, "backups", "1")
	m, err := s.Backup(backup)
	if err != nil {
		t.Fatal(err)
	}
	if m.Node != self.Node.String() || m.Cluster != "main" || m.Bytes() == 0 {
		t.Errorf("manifest %+v", m)
	}
	want := dump(t, s.engine)
	for range 60 { // what comes later is not in it
		if err := w.step(t, s); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, s)

	if _, err := Restore(backup, filepath.Join(dir, "store")); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("restore over a store: %v", err)
	}
	restored := filepath.Join(dir, "restored") + "/"
	if _, err := Restore(backup, restored); err != nil {
		t.Fatal(err)
	}
	r, err := OpenPebble(restored, smallOptions(vfs.Default))
	if err != nil {
		t.Fatal(err)
	}
	if got := dump(t, r.engine); !slices.Equal(got, want) {
		t.Errorf("restored %d records, want %d", len(got), len(want))
	}
	commit(t, r, true, func(b *Batch) { b.PutVector(1, Vector{Seq: 1}) })
	mustClose(t, r)
	// Links or not: the restored store must not have changed the backup.
	if _, err := Restore(backup, filepath.Join(dir, "again")); err != nil {
		t.Errorf("a second restore: %v", err)
	}
}

// backedUp returns a file system with a backup in /backup.
func backedUp(t *testing.T) *vfs.MemFS {
	t.Helper()
	fsys := vfs.NewCrashableMem() // so that it can be copied
	s := mustOpen(t, smallOptions(fsys))
	w := newWorkload(t, 21)
	for range 40 {
		if err := w.step(t, s); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Backup("/backup"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	return fsys
}

func TestRestoreRefusesADamagedBackup(t *testing.T) {
	whole := backedUp(t)
	names, err := whole.List("/backup/data")
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"/backup/" + backupManifest, "/backup/" + backupSum}
	for _, n := range names {
		paths = append(paths, "/backup/data/"+n)
	}
	for _, path := range paths {
		fsys := crashClone(whole, 100, 0)
		b, err := fsys.UnsafeGetFileDataBuffer(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 0 {
			b[len(b)/2] ^= 1
			refused(t, fsys, path, "damaged")
		}
		fsys = crashClone(whole, 100, 0)
		if err := fsys.Remove(path); err != nil {
			t.Fatal(err)
		}
		refused(t, fsys, path, "missing")
	}
}

// refused checks that a restore fails and leaves nothing.
func refused(t *testing.T, fsys vfs.FS, path, why string) {
	t.Helper()
	_, err := restore(fsys, "/backup", "/restored")
	if !errors.Is(err, ErrCorrupt) && !(strings.HasSuffix(path, backupManifest) && errors.Is(err, ErrUnreadable)) {
		t.Errorf("%s %s: %v", path, why, err)
	}
	for _, left := range []string{"/restored", "/restored.restoring"} {
		if _, err := fsys.Stat(left); err == nil {
			t.Errorf("%s %s: %s is left behind", path, why, left)
		}
	}
}

func TestBackupManifestCannotLeadOut(t *testing.T) {
	fsys := backedUp(t)
	m, err := readManifest(fsys, "/backup")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../backup.json", "..", ".", "", "/etc/passwd", "a/b"} {
		m.Files[0].Name = name
		if err := writeManifest(fsys, "/backup", m); err != nil {
			t.Fatal(err)
		}
		if _, err := restore(fsys, "/backup", "/restored"); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a file named %q: %v", name, err)
		}
	}
}

func TestBackupTargets(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenPebble(filepath.Join(dir, "store"), smallOptions(vfs.Default))
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, s)
	empty, used := filepath.Join(dir, "empty"), filepath.Join(dir, "used")
	if err := errors.Join(os.Mkdir(empty, 0o700), os.Mkdir(used, 0o700), os.WriteFile(filepath.Join(used, "f"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Backup(empty); err != nil {
		t.Errorf("to an empty directory: %v", err)
	}
	if _, err := s.Backup(used); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("to a used directory: %v", err)
	}
	if _, err := s.Backup(empty); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("over a backup: %v", err)
	}
	if _, err := mustNew(t, NewMemory()).Backup(filepath.Join(dir, "m")); !errors.Is(err, ErrUnsupported) {
		t.Errorf("of memory: %v", err)
	}
	if _, err := Restore(filepath.Join(dir, "none"), filepath.Join(dir, "r")); !errors.Is(err, ErrUnreadable) {
		t.Errorf("restore of nothing: %v", err)
	}
}

// A target that cannot be written is the backup's problem, not the store's.
func TestFailedBackupLeavesTheStoreAlone(t *testing.T) {
	for from := int64(1); from < 40; from += 3 {
		fault := &strike{err: syscall.ENOSPC, times: 1 << 40, match: func(op errorfs.Op) bool {
			return strings.HasPrefix(op.Path, "/backup") && kinds(
				errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpMkdirAll, errorfs.OpRename)(op)
		}}
		s := mustOpen(t, smallOptions(errorfs.Wrap(vfs.NewMem(), fault)))
		w := newWorkload(t, 22)
		for range 20 {
			if err := w.step(t, s); err != nil {
				t.Fatal(err)
			}
		}
		fault.from.Store(from)
		if _, err := s.Backup("/backup"); err == nil {
			mustClose(t, s)
			return // past the last operation of a backup
		}
		for range 20 {
			if err := w.step(t, s); err != nil {
				t.Fatalf("fault %d: %v", from, err)
			}
		}
		fault.from.Store(0)
		if _, err := restore(s.engine.(*pebbleEngine).fs, "/backup", "/restored"); err == nil {
			t.Errorf("fault %d: an unfinished backup can be restored", from)
		}
		mustClose(t, s)
	}
	t.Error("the backup never succeeded")
}
