package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTableComparesWithinRounds(t *testing.T) {
	noop := &shape{name: "no-op server", binary: "x", nodes: 1, rounds: []round{{perSecond: 100, cpu: 10}, {perSecond: 50, cpu: 20}, {perSecond: 100, cpu: 10}}}
	one := &shape{name: "one node", nodes: 1, rounds: []round{{perSecond: 200, cpu: 20}, {perSecond: 100, cpu: 40}, {perSecond: 50, cpu: 20}}}
	table := tableOf([]*shape{noop, one}, 3, time.Second)
	if want := "| one node | 100 | 0.0 ms | 0 ms | 20.0 | 2.00 (0.50–2.00) | 2.00 (2.00–2.00) | 100000/s |"; !strings.Contains(table, want) {
		t.Errorf("got\n%s\nwant a line with %s", table, want)
	}
}

func TestUpdateWritesBetweenTheMarkers(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("a\n"+begin+"old\n"+end+"\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := update(page, "new\n"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if want := "a\n" + begin + "new\n" + end + "\nb\n"; string(text) != want {
		t.Errorf("got %q, want %q", text, want)
	}
	if err := os.WriteFile(page, []byte("no markers"), 0o600); err != nil {
		t.Fatal(err)
	}
	if update(page, "new\n") == nil {
		t.Error("a page without markers was written")
	}
}
