package storage

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/record"
	"pgregory.net/rapid"
)

// drawRecords writes a file of records as Pebble does, some longer than a block,
// and returns where each ends.
func drawRecords(t *rapid.T) (file []byte, ends []int) {
	var buf bytes.Buffer
	w := record.NewWriter(&buf)
	sizes := rapid.SampledFrom([]int{1, 30, 600, 5000, recordBlock - recordHeader - 3, 40_000})
	for i := range rapid.IntRange(1, 8).Draw(t, "records") {
		payload := bytes.Repeat(fmt.Appendf(nil, "record %d ", i), 5000)[:sizes.Draw(t, "size")]
		if _, err := w.WriteRecord(payload); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, buf.Len())
	}
	return buf.Bytes(), ends
}

// Whatever a crash leaves of unsynced records passes: a shorter file, or sectors
// that are still zero.
func TestTornRecordsPass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file, ends := drawRecords(t)
		if off, ok := checkRecords(file); !ok || off != len(file) {
			t.Fatalf("a whole file of %d bytes: %d, %v", len(file), off, ok)
		}
		synced := 0
		if n := rapid.IntRange(0, len(ends)).Draw(t, "synced"); n > 0 {
			synced = ends[n-1]
		}
		cut := bytes.Clone(file[:rapid.IntRange(synced, len(file)).Draw(t, "cut")])
		if off, ok := checkRecords(cut); !ok {
			t.Fatalf("cut to %d of %d bytes: damaged at %d", len(cut), len(file), off)
		}
		holes := bytes.Clone(file)
		for at := synced; at < len(holes); {
			next := min(at+4096-at%4096, len(holes)) // blocks of a file system
			if rapid.Bool().Draw(t, "lost") {
				clear(holes[at:next])
			}
			at = next
		}
		if off, ok := checkRecords(holes); !ok {
			t.Fatalf("with holes after byte %d: damaged at %d", synced, off)
		}
	})
}

// A changed byte is found, wherever it is, the last record included.
func TestDamagedRecordsAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file, _ := drawRecords(t)
		at := rapid.IntRange(0, len(file)-1).Draw(t, "at")
		old := file[at]
		file[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		off, ok := checkRecords(file)
		padding := recordBlock-at%recordBlock < recordHeader && old == 0
		if ok && !padding {
			t.Fatalf("byte %d of %d was %#x and is %#x: %d, %v", at, len(file), old, file[at], off, ok)
		}
	})
}
