package storage

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The map and its snapshots against plain maps.
func TestOrderedAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type pair struct {
			fast ordered
			slow map[string]string
		}
		worlds := []*pair{{slow: map[string]string{}}}
		key := func() []byte { return fmt.Appendf(nil, "%03d", rapid.IntRange(0, 200).Draw(t, "key")) }
		for i := range rapid.IntRange(1, 300).Draw(t, "steps") {
			w := worlds[rapid.IntRange(0, len(worlds)-1).Draw(t, "world")]
			switch rapid.SampledFrom([]string{"set", "set", "set", "delete", "range", "snapshot"}).Draw(t, "op") {
			case "set":
				k, v := key(), fmt.Appendf(nil, "%d", i)
				w.fast.set(k, v)
				w.slow[string(k)] = string(v)
			case "delete":
				k := key()
				w.fast.delete(k)
				delete(w.slow, string(k))
			case "range":
				a, b := key(), key()
				w.fast.deleteRange(a, b)
				maps.DeleteFunc(w.slow, func(k, _ string) bool { return k >= string(a) && k < string(b) })
			case "snapshot":
				if len(worlds) < 4 {
					worlds = append(worlds, &pair{w.fast.snapshot(), maps.Clone(w.slow)})
				}
			}
		}
		for _, w := range worlds {
			checkOrdered(t, &w.fast, w.slow, key(), key())
		}
	})
}

func checkOrdered(t *rapid.T, fast *ordered, slow map[string]string, lower, upper []byte) {
	var got, want []string
	fast.scan(lower, upper, func(k, v []byte) bool {
		got = append(got, string(k)+"="+string(v))
		return true
	})
	for _, k := range slices.Sorted(maps.Keys(slow)) {
		if k >= string(lower) && k < string(upper) {
			want = append(want, k+"="+slow[k])
		}
		if v, found := fast.get([]byte(k)); !found || string(v) != slow[k] {
			t.Fatalf("get(%s) = %s, %v, want %s", k, v, found, slow[k])
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("scan(%s, %s) = %v, want %v", lower, upper, got, want)
	}
	n := 0
	fast.scan(nil, nil, func(k, _ []byte) bool { n++; return true })
	if n != len(slow) {
		t.Fatalf("%d keys, want %d", n, len(slow))
	}
	for _, c := range fast.chunks {
		if len(c.entries) == 0 || len(c.entries) > chunkLen {
			t.Fatalf("a chunk of %d", len(c.entries))
		}
	}
	if _, found := fast.get(bytes.Repeat([]byte("9"), 4)); found {
		t.Fatal("found a key that never was")
	}
}
