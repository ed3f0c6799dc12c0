package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
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

const (
	settleWindow = 250 * time.Millisecond
	settleLimit  = 10 * time.Second
	idleCPU      = 2 * clockTick // at most this much in a window is idling
)

// cpu is the time the server has used so far, in user and kernel mode.
func (t *target) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", t.proc.PID()))
	if err != nil {
		return 0, err
	}
	return parseCPU(string(stat))
}

// settle waits until t is idle, so that what one load left behind is not
// charged to the next. A server that never rests is an error: its numbers would
// mean nothing.
func settle(ctx context.Context, t *target) error {
	tick := time.NewTicker(settleWindow)
	defer tick.Stop()
	limit := time.After(settleLimit)
	last, err := t.cpu()
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
		now, err := t.cpu()
		if err != nil {
			return err
		}
		if now-last <= idleCPU {
			return nil
		}
		last = now
	}
}
