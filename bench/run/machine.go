package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// machine says where and on what a table was measured.
type machine struct {
	commit, date      string
	cpu, kernel, goes string
	load              string // average over the minute before the run: what else went on
	cores             int
}

func describeMachine() machine {
	return machine{
		commit: commit(),
		date:   time.Now().UTC().Format(time.DateOnly),
		cpu:    cpuModel(),
		kernel: firstLine("/proc/sys/kernel/osrelease"),
		goes:   runtime.Version(),
		load:   firstWord(firstLine("/proc/loadavg")),
		cores:  runtime.NumCPU(),
	}
}

func (m machine) String() string {
	return fmt.Sprintf("%d cores of %s, Linux %s, %s, load average %s before the run", m.cores, m.cpu, m.kernel, m.goes, m.load)
}

// commit names the tree that was measured, and says so when it had changes
// beyond it.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	defer f.Close() //nolint:errcheck // opened for reading
	return modelName(f)
}

func modelName(cpuinfo io.Reader) string {
	lines := bufio.NewScanner(cpuinfo)
	for lines.Scan() {
		if key, value, found := strings.Cut(lines.Text(), ":"); found && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}

func firstWord(line string) string {
	word, _, _ := strings.Cut(line, " ")
	return word
}

func firstLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}
