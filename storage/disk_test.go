package storage

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func TestDiskLevel(t *testing.T) {
	const total = 1000
	for _, c := range []struct {
		was  DiskLevel
		free uint64
		want DiskLevel
	}{
		{DiskOK, 1000, DiskOK},
		{DiskOK, 100, DiskOK},
		{DiskOK, 99, DiskLow},
		{DiskLow, 100, DiskLow}, // not back at once
		{DiskLow, 119, DiskLow},
		{DiskLow, 120, DiskOK},
		{DiskLow, 50, DiskLow},
		{DiskLow, 49, DiskCritical},
		{DiskOK, 49, DiskCritical},
		{DiskCritical, 59, DiskCritical},
		{DiskCritical, 60, DiskLow},
		{DiskCritical, 1000, DiskOK},
		{DiskCritical, 0, DiskCritical},
	} {
		if got := (DiskLimits{}).Level(c.was, c.free, total); got != c.want {
			t.Errorf("%v with %d of %d free: %v, want %v", c.was, c.free, total, got, c.want)
		}
	}
	if got := (DiskLimits{}).Level(DiskCritical, 0, 0); got != DiskOK {
		t.Errorf("a disk of unknown size: %v", got)
	}
	if got := (DiskLimits{Low: 0.5, Critical: 0.4}).Level(DiskOK, 450, total); got != DiskLow {
		t.Errorf("own watermarks: %v", got)
	}
}

func TestWatchKeepsTheBallast(t *testing.T) {
	const mb = 1 << 20
	fsys := vfs.NewMem()
	if err := fsys.MkdirAll(testDir, 0o755); err != nil {
		t.Fatal(err)
	}
	w := NewWatch(testDir, DiskLimits{BallastBytes: 3 * mb})
	w.fs = fsys
	for i, c := range []struct {
		free    uint64 // MB of 1000
		level   DiskLevel
		ballast bool
	}{
		{500, DiskOK, true},       // made
		{90, DiskLow, true},       // kept
		{40, DiskCritical, false}, // given back
		{43, DiskCritical, false}, // which is no way out of it
		{62, DiskCritical, false}, // 59 with a ballast
		{70, DiskLow, false},      // not made on a low disk
		{125, DiskOK, true},       // made again
	} {
		fsys.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: c.free * mb, TotalBytes: 1000 * mb})
		got, err := w.Check()
		want := DiskState{Free: c.free * mb, Total: 1000 * mb, Level: c.level, Ballast: c.ballast}
		if err != nil || got != want {
			t.Errorf("check %d: %+v, %v, want %+v", i, got, err, want)
		}
		size, err := ballastSize(fsys)
		if (err == nil) != c.ballast || c.ballast && size != 3*mb {
			t.Errorf("check %d: a ballast of %d bytes, %v", i, size, err)
		}
	}
	if err := errors.Join(w.ReleaseBallast(), w.ReleaseBallast()); err != nil {
		t.Errorf("release: %v", err)
	}
	if _, err := ballastSize(fsys); err == nil {
		t.Error("the ballast is still there")
	}
}

func ballastSize(fsys vfs.FS) (int64, error) {
	info, err := fsys.Stat(fsys.PathJoin(testDir, ballastName))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func TestBallastIsSmallOnASmallDisk(t *testing.T) {
	if got := (DiskLimits{}).withDefaults().ballastBytes(100 << 20); got != 2<<20 {
		t.Errorf("a ballast of %d bytes on 100 MiB", got)
	}
	if got := (DiskLimits{BallastBytes: -1}).withDefaults().ballastBytes(1 << 40); got != 0 {
		t.Errorf("a ballast of %d bytes where none is wanted", got)
	}
}

func TestWatchOnABrokenDisk(t *testing.T) {
	mem := vfs.NewMem()
	mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 500 << 20, TotalBytes: 1000 << 20})
	if err := mem.MkdirAll(testDir, 0o755); err != nil {
		t.Fatal(err)
	}
	writes := &strike{err: syscall.ENOSPC, match: kinds(errorfs.OpFileWrite), times: 1}
	writes.from.Store(2)
	usage := &strike{err: syscall.EIO, match: kinds(errorfs.OpGetDiskUsage), times: 1}
	w := NewWatch(testDir, DiskLimits{BallastBytes: 3 << 20})
	w.fs = errorfs.Wrap(mem, errorfs.Any(writes, usage))
	if got, err := w.Check(); !errors.Is(err, syscall.ENOSPC) || got.Ballast || got.Level != DiskOK {
		t.Errorf("a ballast that cannot be written: %+v, %v", got, err)
	}
	if names, err := mem.List(testDir); err != nil || len(names) != 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
	if got, err := w.Check(); err != nil || !got.Ballast {
		t.Errorf("the next check: %+v, %v", got, err)
	}
	usage.from.Store(1)
	if _, err := w.Check(); !errors.Is(err, syscall.EIO) {
		t.Errorf("no usage: %v", err)
	}
}

func TestDiskUsageOfARealDisk(t *testing.T) {
	free, total, err := DiskUsage(t.TempDir())
	if err != nil || total == 0 || free > total {
		t.Errorf("%d of %d bytes, %v", free, total, err)
	}
	if _, _, err := DiskUsage(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a directory that is not there has a disk")
	}
}
