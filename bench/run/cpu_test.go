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

func TestUsageOfTheMachine(t *testing.T) {
	before, err := parseUsage("cpu  100 0 50 900 5 0 10 3 0 0\ncpu0 1 2 3\n")
	if err != nil {
		t.Fatal(err)
	}
	after, err := parseUsage("cpu  250 0 100 1000 5 0 30 8 0 0\n")
	if err != nil {
		t.Fatal(err)
	}
	// 2 s were used by processes and 50 ms stolen; interrupts serve everybody.
	if got := others(before, after, 1500*time.Millisecond); got != 550*time.Millisecond {
		t.Errorf("others used %v", got)
	}
	if got := others(before, after, time.Minute); got != 0 {
		t.Errorf("ticks that do not add up gave %v", got)
	}
	for _, bad := range []string{"", "cpu 1 2", "intr 1 2 3 4 5 6 7 8", "cpu a b c d e f g h"} {
		if _, err := parseUsage(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	if _, err := machineUsage(); err != nil {
		t.Error(err)
	}
}

func TestResidentMemoryOfThisProcess(t *testing.T) {
	if rss, err := residentBytes(os.Getpid()); err != nil || rss < 1e6 {
		t.Errorf("%v bytes, %v", rss, err)
	}
	if _, err := parseResident([]byte("Name: x\n")); err == nil {
		t.Error("a process without memory")
	}
}
