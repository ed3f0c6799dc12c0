package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// wrkLoad is what wrk is to do. wrk has one thread, so that the server has at
// least the rest of the machine.
type wrkLoad struct {
	script      string // under bench/wrk
	connections int
	duration    time.Duration
	agents      int
	prefix      string
	checks      int  // decisions a request
	denied      bool // every answer is to be a denial
}

// spread is the usual load: one token a call, evenly from all agents.
func (b *bench) spread() wrkLoad {
	return wrkLoad{script: "consume", connections: b.connections, duration: b.duration, agents: b.agents, prefix: fullAgents, checks: 1}
}

// wrkResult is the line that bench/wrk/report.lua prints.
type wrkResult struct {
	Requests      uint64  `json:"requests"`
	DurationUS    uint64  `json:"duration_us"`
	Bytes         uint64  `json:"bytes"`
	P50US         float64 `json:"p50_us"`
	P90US         float64 `json:"p90_us"`
	P99US         float64 `json:"p99_us"`
	MaxUS         float64 `json:"max_us"`
	NotOK         uint64  `json:"not_ok"` // status of 400 or above
	ConnectErrors uint64  `json:"connect_errors"`
	ReadErrors    uint64  `json:"read_errors"`
	WriteErrors   uint64  `json:"write_errors"`
	Timeouts      uint64  `json:"timeouts"`
}

// failures are requests without an answer.
func (r wrkResult) failures() uint64 {
	return r.ConnectErrors + r.ReadErrors + r.WriteErrors + r.Timeouts
}

// run loads the server at url once and returns what wrk saw and what CPU time
// wrk used.
func (l wrkLoad) run(ctx context.Context, url string) (wrkResult, time.Duration, error) {
	cmd := exec.CommandContext(ctx, "wrk", "-t", "1", "-c", strconv.Itoa(l.connections),
		"-d", fmt.Sprintf("%ds", int(l.duration.Seconds())), "-s", "bench/wrk/"+l.script+".lua", url)
	cmd.Env = append(os.Environ(), "BENCH_AGENTS="+strconv.Itoa(l.agents), "BENCH_PREFIX="+l.prefix,
		"BENCH_TOKENS=1", "BENCH_BATCH="+strconv.Itoa(l.checks))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return wrkResult{}, 0, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	res, err := parseWrk(out)
	if err != nil {
		return wrkResult{}, 0, fmt.Errorf("%w\n%s", err, out)
	}
	return res, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

func parseWrk(out []byte) (wrkResult, error) {
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		line, found := strings.CutPrefix(lines.Text(), "RESULT ")
		if !found {
			continue
		}
		var r wrkResult
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return wrkResult{}, fmt.Errorf("the result line of wrk: %w", err)
		}
		if r.DurationUS == 0 {
			return wrkResult{}, errors.New("wrk reports a load without a duration")
		}
		return r, nil
	}
	return wrkResult{}, errors.New("wrk printed no result line: is bench/wrk/report.lua loaded?")
}
