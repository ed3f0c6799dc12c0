package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestCPUTimeIsUserAndSystemTicks(t *testing.T) {
	const after = " S 1 2 3 0 -1 4194304 203 432 0 2 150 50 7 7 20 0 1 0 109979 1 1"
	for _, name := range []string{"clawd", "a b", "tricky) (name"} {
		got, err := parseCPU("4711 (" + name + ")" + after)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got != 2*time.Second {
			t.Errorf("%s: %v, want 2s", name, got)
		}
	}
}

func TestTheLineOfThisProcessIsRead(t *testing.T) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseCPU(string(stat)); err != nil {
		t.Fatal(err)
	}
}

func TestABrokenStatLineIsAnError(t *testing.T) {
	for _, line := range []string{"", "4711 (x", "4711 (x) S 1", "4711 (x) " + strings.Repeat("a ", 20)} {
		if d, err := parseCPU(line); err == nil {
			t.Errorf("%q: read as %v", line, d)
		}
	}
}
