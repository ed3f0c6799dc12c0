package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/openclaw/clawd/internal/proc"
)

// clockTick is the unit of CPU times in /proc; Linux fixes it at 1/100 s for programs.
const clockTick = 10 * time.Millisecond

// parseCPU reads user and system time out of a /proc/PID/stat line.
func parseCPU(stat string) (time.Duration, error) {
	// The second field is the name in brackets, and a name may contain both spaces and brackets.
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, fmt.Errorf("not a stat line: %q", stat)
	}
	fields := strings.Fields(stat[end+1:])
	const utime, stime = 14 - 3, 15 - 3 // numbered from 1 in proc(5); the first here is its third
	if len(fields) <= stime {
		return 0, fmt.Errorf("a stat line of %d fields", len(fields))
	}
	user, err := strconv.ParseInt(fields[utime], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[stime], 10, 64)
	if err != nil {
		return 0, err
	}
	return time.Duration(user+system) * clockTick, nil
}

// cpuOf is the time that processes have used so far, in user and kernel mode.
func cpuOf(procs []*proc.Process) (sum time.Duration, err error) {
	for _, p := range procs {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
		if err != nil {
			return 0, err
		}
		used, err := parseCPU(string(stat))
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// usage is what the whole machine has used so far: by processes, and by
// interrupts, which serve everybody.
type usage struct {
	processes, interrupts, stolen time.Duration
}

// parseUsage reads the first line of /proc/stat.
func parseUsage(stat string) (usage, error) {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return usage{}, errors.New("/proc/stat does not begin with the sum of all processors")
	}
	var ticks [8]time.Duration // user nice system idle iowait irq softirq steal
	for i := range ticks {
		n, err := strconv.ParseInt(fields[i+1], 10, 64)
		if err != nil {
			return usage{}, fmt.Errorf("/proc/stat: %w", err)
		}
		ticks[i] = time.Duration(n) * clockTick
	}
	return usage{processes: ticks[0] + ticks[1] + ticks[2], interrupts: ticks[5] + ticks[6], stolen: ticks[7]}, nil
}

func machineUsage() (usage, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return usage{}, err
	}
	return parseUsage(string(stat))
}

// others is what the machine used from before to after beyond what is
// accounted for, together with what its host took away.
func others(before, after usage, accounted time.Duration) time.Duration {
	return max(0, after.processes-before.processes+after.stolen-before.stolen-accounted)
}

const (
	settleWindow = 250 * time.Millisecond
	settleLimit  = time.Minute
	idleCPU      = 2 * clockTick // at most this much in a window is idling, for each process
)

// settle waits until the processes are idle, so that what one load left behind
// is not charged to the next. A server that never rests is an error: its
// numbers would mean nothing.
func settle(ctx context.Context, procs []*proc.Process) error {
	tick := time.NewTicker(settleWindow)
	defer tick.Stop()
	limit := time.After(settleLimit)
	last, err := cpuOf(procs)
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit:
			return fmt.Errorf("still busy %s after the load", settleLimit)
		case <-tick.C:
		}
		now, err := cpuOf(procs)
		if err != nil {
			return err
		}
		if now-last <= idleCPU*time.Duration(len(procs)) {
			return nil
		}
		last = now
	}
}
