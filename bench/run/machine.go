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
	Commit string `json:"commit"`
	Date   string `json:"date"`
	CPU    string `json:"cpu"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Load   string `json:"load"` // average over the minute before: what else went on
	Cores  int    `json:"cores"`
}

func describeMachine() machine {
	return machine{
		Commit: commit(),
		Date:   time.Now().UTC().Format(time.DateOnly),
		CPU:    cpuModel(),
		Kernel: firstLine("/proc/sys/kernel/osrelease"),
		Go:     runtime.Version(),
		Load:   firstWord(firstLine("/proc/loadavg")),
		Cores:  runtime.NumCPU(),
	}
}

func (m machine) String() string {
	return fmt.Sprintf("%d cores of %s, Linux %s, %s, load average %s", m.Cores, m.CPU, m.Kernel, m.Go, m.Load)
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
