package storage

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/openclaw/clawd/crdt"
)

func TestSmoke(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s, err := OpenPebble("/data", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	b := NewBatch()
	c := Cell{Slots: []Slot{{Origin: 7, Row: crdt.Row{Birth: 1, Consumed: 5, Seq: 1}}}}
	b.PutCell(crdt.KindBucket, "t\x00a\x00\x00", &c)
	b.PutIndex(7, 1, crdt.KindBucket, "t\x00a\x00\x00")
	if err := s.Commit(b, true); err != nil {
		t.Fatal(err)
	}
	var got Cell
	if ok, err := s.Cell(crdt.KindBucket, "t\x00a\x00\x00", &got); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
