package storage

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"github.com/openclaw/clawd/crdt"
)

func TestLockedDirectory(t *testing.T) {
	for name, fsys := range map[string]vfs.FS{"memory": vfs.NewMem(), "disk": vfs.Default} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "store")
			s, err := OpenPebble(dir, Options{FS: fsys})
			if err != nil {
				t.Fatal(err)
			}
			_, err = OpenPebble(dir, Options{FS: fsys})
			if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
				t.Errorf("a second open: %v", err)
			}
			mustClose(t, s)
			again, err := OpenPebble(dir, Options{FS: fsys})
			if err != nil {
				t.Fatalf("after Close: %v", err)
			}
			mustClose(t, again)
		})
	}
}

func TestUnusableDirectory(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"a file": file, "below a file": filepath.Join(file, "store")} {
		if _, err := OpenPebble(path, Options{}); !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenPebble(filepath.Join(dir, "none"), Options{ReadOnly: true}); !errors.Is(err, ErrUnreadable) {
		t.Errorf("read-only where nothing is: %v", err)
	}
}

func TestNewerFileFormat(t *testing.T) {
	fsys := vfs.NewMem()
	mustClose(t, mustOpen(t, smallOptions(fsys)))
	names, err := fsys.List(testDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, "marker.format-version") {
			newer := strings.TrimSuffix(name, formatVersion.String()) + (formatVersion + 1).String()
			if err := fsys.Rename(fsys.PathJoin(testDir, name), fsys.PathJoin(testDir, newer)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := OpenPebble(testDir, smallOptions(fsys)); !errors.Is(err, ErrUnreadable) || errors.Is(err, ErrCorrupt) {
		t.Errorf("format %d: %v", formatVersion+1, err)
	}
}

func TestReadOnly(t *testing.T) {
	fsys := vfs.NewMem()
	s := mustOpen(t, smallOptions(fsys))
	commit(t, s, true, func(b *Batch) { b.PutVector(1, Vector{Seq: 5}) })
	mustClose(t, s)
	o := smallOptions(fsys)
	o.ReadOnly = true
	s = mustOpen(t, o)
	if v, _, err := s.Vector(1); v.Seq != 5 || err != nil {
		t.Errorf("seq %d, %v", v.Seq, err)
	}
	b := NewBatch()
	b.PutVector(1, Vector{Seq: 6})
	if err := s.Commit(b, true); err == nil {
		t.Error("a read-only store took a commit")
	}
	_ = s.Close()
	s = mustOpen(t, smallOptions(fsys))
	if v, _, err := s.Vector(1); v.Seq != 5 || err != nil {
		t.Errorf("seq %d, %v after the refused commit", v.Seq, err)
	}
	mustClose(t, s)
}

// One changed byte anywhere: the store says so, or has lost nothing. After a
// crash, damage at the end of the log may pass for a torn write: then a prefix of
// the commits is there.
func TestDamagedFiles(t *testing.T) {
	tries := 150
	if testing.Short() {
		tries = 30
	}
	for _, clean := range []bool{true, false} {
		t.Run(map[bool]string{true: "closed", false: "crashed"}[clean], func(t *testing.T) {
			disk := vfs.NewCrashableMem()
			s := mustOpen(t, smallOptions(disk))
			w := newWorkload(t, 11)
			for range 120 {
				if err := w.step(t, s); err != nil {
					t.Fatal(err)
				}
			}
			if clean {
				mustClose(t, s)
				w.synced = w.commits()
			} else {
				defer mustClose(t, s)
				w.synced = 0
			}
			rng := rand.New(rand.NewPCG(12, 12))
			found := map[string]int{}
			for range tries {
				clone := crashClone(disk, 100, rng.Uint64())
				name := damage(t, clone, rng)
				if w.openDamaged(t, clone, name) {
					found[name[:3]]++
				}
			}
			if found["MAN"] == 0 || found["000"] == 0 {
				t.Errorf("damage was found in %v only: the test changes nothing", found)
			}
		})
	}
}

// damage flips some bits of one byte of one file.
func damage(t *testing.T, fsys *vfs.MemFS, rng *rand.Rand) (name string) {
	t.Helper()
	names, err := fsys.List(testDir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	for {
		name = names[rng.IntN(len(names))]
		data, err := fsys.UnsafeGetFileDataBuffer(fsys.PathJoin(testDir, name))
		if err == nil && len(data) > 0 {
			data[rng.IntN(len(data))] ^= byte(1 + rng.IntN(255))
			return name
		}
	}
}

// openDamaged reads everything and reports whether the damage was found.
func (w *workload) openDamaged(t *testing.T, fsys *vfs.MemFS, name string) (found bool) {
	t.Helper()
	s, err := OpenPebble(testDir, smallOptions(fsys))
	if err != nil {
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		return true
	}
	defer func() { _ = s.Close() }()
	err = s.Cells(crdt.KindBucket, "", "", func(string, *Cell) bool { return true })
	if err == nil {
		err = s.engine.Scan(nil, nil, func(_, _ []byte) bool { return true })
	}
	if err != nil {
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		return true
	}
	w.check(t, s)
	return false
}

// A file that is missing, or a table that is cut, is corruption and not a new
// store.
func TestMissingAndCutFiles(t *testing.T) {
	remove := func(fsys vfs.FS, path string) error { return fsys.Remove(path) }
	for _, c := range []struct {
		part   string
		damage func(fsys vfs.FS, path string) error
	}{
		{".sst", remove}, {".sst", cutFile}, {"marker.manifest", remove}, {"/MANIFEST-", remove},
	} {
		fsys := vfs.NewMem()
		s := mustOpen(t, smallOptions(fsys))
		w := newWorkload(t, 13)
		for range 60 {
			if err := w.step(t, s); err != nil {
				t.Fatal(err)
			}
		}
		mustClose(t, s)
		path := lastFile(t, fsys, c.part)
		if err := c.damage(fsys, path); err != nil {
			t.Fatal(err)
		}
		s, err := OpenPebble(testDir, smallOptions(fsys))
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", path, err)
		}
		if err == nil {
			mustClose(t, s)
		}
	}
}

// lastFile returns the greatest path with part in it.
func lastFile(t *testing.T, fsys vfs.FS, part string) (last string) {
	t.Helper()
	names, err := fsys.List(testDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if path := fsys.PathJoin(testDir, n); strings.Contains(path, part) {
			last = max(last, path)
		}
	}
	if last == "" {
		t.Fatalf("no file has %q in its name", part)
	}
	return last
}

func cutFile(fsys vfs.FS, path string) error {
	b, err := readFile(fsys, path)
	if err != nil {
		return err
	}
	return writeFile(fsys, path, b[:len(b)/2])
}

// The identity survives, and a store is what its last commit made it, on a real
// file system too.
func TestReopenOnDisk(t *testing.T) {
	dir := t.TempDir()
	w := newWorkload(t, 14)
	for range 3 {
		s, err := OpenPebble(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, found, err := s.Self(); err != nil || found != (w.commits() > 0) {
			t.Fatalf("identity found: %v, %v", found, err)
		}
		self := Self{Node: 8, Cluster: "main"}
		if err := errors.Join(s.InitSelf(self), w.model.InitSelf(self)); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if err := w.step(t, s); err != nil {
				t.Fatal(err)
			}
		}
		w.check(t, s)
		if m := s.Metrics(); m.DiskBytes == 0 || m.WALWritten == 0 || m.Failed {
			t.Errorf("metrics %+v", m)
		}
		mustClose(t, s)
	}
}

func TestMetricsWithoutFiles(t *testing.T) {
	if m := mustNew(t, NewMemory()).Metrics(); m != (Metrics{}) {
		t.Errorf("metrics of memory: %+v", m)
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	s, err := OpenPebble(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorkload(t, 15)
	for range 5 {
		if err := w.step(t, s); err != nil {
			t.Fatal(err)
		}
	}
	view, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, view)
	mustClose(t, s)
	goleak.VerifyNone(t, ignore)
}
