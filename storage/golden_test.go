package storage

import (
	"encoding/hex"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openclaw/clawd/crdt"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files; read the difference before committing it")

// golden compares lines with a file of testdata. A difference means that stores
// written so far cannot be read any more.
func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	got := strings.Join(lines, "\n") + "\n"
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Fatalf("%s: the format has changed:\n%s\nwant:\n%s", path, got, want)
	}
}

func hexLine(name string, b []byte) string {
	return fmt.Sprintf("%-22s %s", name, hex.EncodeToString(b))
}

func TestKeysGolden(t *testing.T) {
	bucket := crdt.BucketKey{Tenant: "default", Agent: "agent:42", Epoch: 300}.Encode()
	register := crdt.RegisterKey{Space: crdt.SpaceKV, Tenant: "default", Name: "a/b"}.Encode()
	golden(t, "keys.golden", []string{
		hexLine("cell", appendCellKey(nil, crdt.KindBucket, bucket)),
		hexLine("cell, counter", appendCellKey(nil, crdt.KindCounter, "x")),
		hexLine("cell, zero bytes", appendCellKey(nil, crdt.KindBucket, "\x00a\x00\x00")),
		hexLine("high-water", appendNamedKey(nil, highWaterSpace, bucket)),
		hexLine("register", appendNamedKey(nil, registerSpace, register)),
		hexLine("index", appendIndexKey(nil, 0x0102030405060708, 9)),
		hexLine("index, last", appendIndexKey(nil, math.MaxUint64, math.MaxUint64)),
		hexLine("vector", appendNumberedKey(nil, vectorSpace, 0x0102030405060708)),
		hexLine("run", appendNumberedKey(nil, runSpace, 0x0102030405060708)),
		hexLine("self", []byte(selfKey)),
		hexLine("current run", []byte(currentRunKey)),
		hexLine("forgotten", appendNumberedKey(nil, forgottenSpace, 0x0102030405060708)),
	})
}

func TestValuesGolden(t *testing.T) {
	run := crdt.Run{Origin: 7, Node: 8, Name: "n1", Started: crdt.NewHLC(1000, 1), SealedAt: 2000, Final: 33}
	register := crdt.Register{
		Value: []byte("v"), Meta: "text/plain", Version: crdt.NewHLC(1000, 2), Writer: 8,
		ExpiresAt: 5000, Origin: 7, Gen: 1, Seq: 12,
	}
	golden(t, "values.golden", []string{
		hexLine("cell", fullCell().append(nil)),
		hexLine("cell, empty", new(Cell).append(nil)),
		hexLine("register", appendRegister(nil, register)),
		hexLine("run", appendRun(nil, run)),
		hexLine("vector", Vector{Seq: 300, Stable: 1_700_000_000_000}.append(nil)),
		hexLine("high-water", HighWater{Birth: 3, Mark: 1_000_000}.append(nil)),
		hexLine("self", Self{Node: 8, Cluster: "main", CreatedMS: 1000}.append(nil)),
		hexLine("forgotten", appendMarker(nil)),
	})
}

// The records of a batch are handed to Pebble as they are.
func TestBatchGolden(t *testing.T) {
	b := NewBatch()
	b.PutIndex(7, 1, crdt.KindBucket, "k")
	b.DeleteIndex(7, 2)
	b.DeleteIndexRange(7)
	repr, err := b.sealed()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "batch.golden", []string{hexLine("batch", repr)})
}

// fullCell has something in every field.
func fullCell() *Cell {
	return &Cell{
		Total: crdt.Total{Consumed: crdt.Uint128{Hi: 1, Lo: 2}, Refunded: crdt.Uint128{Lo: 3}},
		Check: Checkpoint{
			Present: true, Level: -5_000_000, WallMS: 1_700_000_000_000, Forfeited: 77,
			Marks: []Mark{{Node: 8, Mark: 70}, {Node: 9, Mark: 0}}, Reset: crdt.NewHLC(1000, 0),
		},
		Slots: []Slot{
			{Origin: 7, Row: crdt.Row{Birth: 1, Consumed: 9_000_000, Refunded: 1, TS: 1_700_000_000_000, Seq: 20}},
			{Origin: 6, Row: crdt.Row{Birth: 2, Consumed: crdt.MaxCounter, TS: 1, Seq: math.MaxUint64}},
		},
	}
}
