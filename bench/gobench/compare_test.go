package main

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
)

// BenchmarkCalibration is a fixed amount of work of the kinds a decision is made
// of: arithmetic and looking things up in memory that does not fit into the
// first cache.
func BenchmarkCalibration(b *testing.B) {
	known := make(map[string]uint64, 10_000)
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf("agent-%05d", i)
		known[names[i]] = uint64(i)
	}
	block := make([]byte, 512)
	for i := 0; b.Loop(); i++ {
		for k := range 16 {
			known[names[(i*16+k)*6173%len(names)]]++
		}
		block[0] = sha256.Sum256(block)[0]
	}
}

// output is that of two packages, on a machine of a given slowness.
func output(slowness, decide, merge float64, allocs int) string {
	var b strings.Builder
	unit := func() {
		fmt.Fprintf(&b, "pkg: github.com/openclaw/clawd/bench/gobench\nBenchmarkCalibration-2 \t 100 \t %.1f ns/op \t 0 B/op \t 0 allocs/op\nPASS\n", 1000*slowness)
	}
	unit()
	fmt.Fprintf(&b, "pkg: github.com/openclaw/clawd/node/replica\nBenchmarkDecide/full-2 \t 100 \t %.1f ns/op \t 5.0 ns/check \t 0 B/op \t %d allocs/op\nok \t x\n", decide*slowness, allocs)
	unit()
	unit()
	fmt.Fprintf(&b, "pkg: github.com/openclaw/clawd/crdt\nBenchmarkMerge-2 \t 100 \t %.1f ns/op \t 0 B/op \t 7 allocs/op\nok \t x\n", merge*slowness)
	unit()
	return b.String()
}

func TestASlowerMachineIsNoSlowerCode(t *testing.T) {
	rows := compare(parse(output(1, 200, 300, 0)), parse(output(3, 200, 450, 0)))
	if len(rows) != 2 || rows[0].name != "crdt.Merge" || rows[1].name != "replica.Decide/full" {
		t.Fatalf("%+v", rows)
	}
	if !rows[0].slowed() || rows[1].slowed() {
		t.Errorf("%+v", rows)
	}
	if err := verdict(rows); err != nil {
		t.Errorf("times are a hint: %v", err)
	}
}

func TestOneMoreAllocationIsAnError(t *testing.T) {
	rows := compare(parse(output(1, 200, 300, 0)), parse(output(1, 200, 300, 1)))
	if err := verdict(rows); err == nil || !strings.Contains(err.Error(), "replica.Decide/full") {
		t.Errorf("%v", err)
	}
	if text := table(rows); !strings.Contains(text, "ALLOCATES MORE") {
		t.Error(text)
	}
}

func TestABenchmarkThatIsNewHasNothingToCompareWith(t *testing.T) {
	if rows := compare(map[string]*figures{}, parse(output(1, 1, 1, 1))); len(rows) != 0 {
		t.Errorf("%+v", rows)
	}
}
