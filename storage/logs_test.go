package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/openclaw/clawd/crdt"
)

// A changed byte in the log of a node that was killed is found, unless it is in
// what was written last: no later chunk tells that that was durable.
func TestADamagedLogForgetsNothingButItsEnd(t *testing.T) {
	for _, first := range []bool{true, false} {
		t.Run(map[bool]string{true: "first log", false: "later log"}[first], func(t *testing.T) { damageLog(t, first) })
	}
}

func damageLog(t *testing.T, first bool) {
	const commits = 300 // more than one block
	disk := vfs.NewCrashableMem()
	options := smallOptions(disk)
	options.MemTableBytes = 1 << 20 // no other log meanwhile
	s := mustOpen(t, options)
	if !first {
		mustClose(t, s)
		s = mustOpen(t, options)
	}
	defer mustClose(t, s)
	for i := range commits {
		b := NewBatch()
		b.PutRegister(fmt.Sprintf("key %d", i), crdt.Register{Value: make([]byte, i%200), Version: crdt.HLC(i + 1)})
		if err := s.Commit(b, true); err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	found := 0
	for range 200 {
		clone := crashClone(disk, 100, rng.Uint64())
		log := lastFile(t, clone, ".log")
		data, err := clone.UnsafeGetFileDataBuffer(log)
		if err != nil {
			t.Fatal(err)
		}
		at := rng.IntN(len(data))
		data[at] ^= byte(1 + rng.IntN(255))
		options.FS = clone
		damaged, err := OpenPebble(testDir, options)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), ".log") {
				t.Errorf("byte %d: %v", at, err)
			}
			found++
			continue
		}
		left := 0
		defer mustClose(t, damaged)
		if err := damaged.Registers("", "", func(string, crdt.Register) bool { left++; return true }); err != nil {
			t.Fatal(err)
		}
		// The last chunk, and the one before it: a commit returns a moment before
		// the log knows it as durable, so the next chunk may not vouch for it yet.
		if left < commits-2 {
			t.Errorf("byte %d of %d: %d of %d commits are left, and nobody says so", at, len(data), left, commits)
		}
	}
	if found == 0 {
		t.Error("no damage was found: the test changes nothing")
	}
}
