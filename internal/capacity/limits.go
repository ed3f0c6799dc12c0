package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

const (
	memory = 4 << 30
	// credit is the CPU-credit baseline of a t3.medium: 20 % of each of two
	// processors.
	credit = 0.4
)

// limits is a pair of control groups of the first version that hold one process.
type limits struct{ dirs []string }

// limit puts a process into groups with 4 GiB and, if quota is above 0, that
// many processors.
func limit(name string, pid int, quota float64) (*limits, error) {
	l := &limits{}
	settings := []struct{ controller, file, value string }{
		{"memory", "memory.limit_in_bytes", strconv.Itoa(memory)},
	}
	if quota > 0 {
		const period = 100_000 // µs, the kernel's default
		settings = append(settings, struct{ controller, file, value string }{
			"cpu", "cpu.cfs_quota_us", strconv.Itoa(int(quota * period)),
		})
	}
	for _, s := range settings {
		dir := filepath.Join("/sys/fs/cgroup", s.controller, "clawd-capacity-"+name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return l, fmt.Errorf("control groups are needed (root, cgroup v1): %w", err)
		}
		l.dirs = append(l.dirs, dir)
		for file, value := range map[string]string{s.file: s.value, "cgroup.procs": strconv.Itoa(pid)} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0o600); err != nil {
				return l, err
			}
		}
	}
	return l, nil
}

// remove takes the groups away; their process must have ended.
func (l *limits) remove() error {
	var errs []error
	for _, dir := range l.dirs {
		errs = append(errs, os.Remove(dir))
	}
	return errors.Join(errs...)
}
