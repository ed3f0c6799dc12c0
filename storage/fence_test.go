package storage

import (
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// The name of a manifest is durable before a marker points to it. A crash shows
// the difference only once in a thousand times, so the order is checked.
func TestManifestIsNamedBeforeItsMarker(t *testing.T) {
	var ops []errorfs.Op
	record := errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpCreate, errorfs.OpFileSync:
			ops = append(ops, op)
		}
		return nil
	})
	mustClose(t, mustOpen(t, smallOptions(errorfs.Wrap(vfs.NewMem(), record))))
	written, named := false, false
	for _, op := range ops {
		switch {
		case op.Kind == errorfs.OpFileSync && strings.Contains(op.Path, "/MANIFEST-"):
			written = true
		case op.Kind == errorfs.OpFileSync && op.Path == testDir:
			named = named || written
		case op.Kind == errorfs.OpCreate && strings.Contains(op.Path, "marker.manifest"):
			if !named {
				t.Fatalf("the marker is made before the manifest has a durable name: %v", ops)
			}
			return
		}
	}
	t.Fatalf("no marker was made: %v", ops)
}

// What is not vital is reported to Pebble, and what is elsewhere is not vital.
func TestVitalFiles(t *testing.T) {
	f := &fence{FS: vfs.NewMem(), dir: testDir}
	for name, want := range map[string]bool{
		testDir + "/000004.log":                             true,
		testDir + "/MANIFEST-000001":                        true,
		testDir + "/marker.manifest.000001.MANIFEST-000001": true,
		testDir + "/000005.sst":                             false,
		testDir + "/OPTIONS-000003":                         false,
		"/backup/data/000004.log":                           false,
		"/backup/MANIFEST-000001":                           false,
	} {
		if got := f.vital(name); got != want {
			t.Errorf("vital(%s) = %v", name, got)
		}
	}
}
