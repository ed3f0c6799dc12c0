package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/openclaw/clawd/internal/proc"
)

// agents the calls are spread over, evenly.
const agents = 10_000

// shape is servers under limits, and what they carried in each round.
type shape struct {
	name   string
	binary string // empty: clawd
	nodes  int
	quota  float64 // processors of each; 0 = as many as it wants of two

	urls    []string
	running []*proc.Process
	held    []*limits
	rounds  []round
}

// round is one load of all servers of a shape at once.
type round struct {
	perSecond float64
	cpu       float64 // µs of the servers for a decision
	p50, p99  float64 // ms, of the slowest server
}

func (s *shape) String() string { return fmt.Sprintf("%s at %v processors", s.name, s.quota) }

func (s *shape) start(ctx context.Context, dir string) error {
	var gossip string
	for i := range s.nodes {
		name := fmt.Sprintf("%s-%v-%d", strings.ReplaceAll(s.name, " ", "-"), s.quota, i)
		var addr [3]string
		for j := range addr {
			var err error
			if addr[j], err = proc.FreeAddr(); err != nil {
				return err
			}
		}
		argv := []string{s.binary, "-addr", addr[0], "-kind", "mux"}
		if s.binary == "" {
			argv = []string{
				"bin/clawd", "serve", "--name", name, "--data-dir", filepath.Join(dir, name), "--http-addr", addr[0],
				"--peer-addr", addr[1], "--gossip-addr", addr[2], "--default-policy", "1000000000/1h", "--log-level", "warn",
			}
			if gossip != "" {
				argv = append(argv, "--join", gossip)
			}
			gossip = addr[2]
		}
		p, err := proc.Start(proc.Command{Argv: argv, Env: []string{"GOMAXPROCS=2", "GOMEMLIMIT=3GiB"}, Log: filepath.Join(dir, name+".log")})
		if err != nil {
			return err
		}
		s.running, s.urls = append(s.running, p), append(s.urls, "http://"+addr[0])
		if err := p.WaitReady(ctx, "http://"+addr[0]); err != nil {
			return err
		}
		held, err := limit(name, p.PID(), s.quota)
		s.held = append(s.held, held)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *shape) stop() error {
	var errs []error
	for _, p := range s.running {
		errs = append(errs, p.Kill())
	}
	for _, h := range s.held {
		errs = append(errs, h.remove())
	}
	return errors.Join(errs...)
}

// answered is the line that bench/wrk/report.lua prints.
type answered struct {
	Requests      float64 `json:"requests"`
	DurationUS    float64 `json:"duration_us"`
	P50US         float64 `json:"p50_us"`
	P99US         float64 `json:"p99_us"`
	NotOK         int     `json:"not_ok"`
	ConnectErrors int     `json:"connect_errors"`
	ReadErrors    int     `json:"read_errors"`
	Timeouts      int     `json:"timeouts"`
}

// settle is how long servers go on working for what they were asked: flushes
// and pushes come after the answers.
const settle = 500 * time.Millisecond

// load asks all servers at once for d, and notes the round.
func (s *shape) load(ctx context.Context, d time.Duration) error {
	before, err := s.cpuTime()
	if err != nil {
		return err
	}
	results, errs := make([]answered, len(s.urls)), make([]error, len(s.urls))
	var wg sync.WaitGroup
	for i, url := range s.urls {
		wg.Go(func() { results[i], errs[i] = wrk(ctx, url, d) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := s.cpuTime()
	if err != nil {
		return err
	}
	var r round
	total := 0.0
	for _, a := range results {
		total += a.Requests
		r.perSecond += a.Requests / (a.DurationUS / 1e6)
		r.p50, r.p99 = max(r.p50, a.P50US/1000), max(r.p99, a.P99US/1000)
	}
	r.cpu = float64((after - before).Microseconds()) / total
	s.rounds = append(s.rounds, r)
	return nil
}

func wrk(ctx context.Context, url string, d time.Duration) (answered, error) {
	cmd := exec.CommandContext(ctx, "wrk", "-t", "1", "-c", "32", "-d", fmt.Sprintf("%ds", int(d.Seconds())), "-s", "bench/wrk/consume.lua", url)
	cmd.Env = append(os.Environ(), "BENCH_AGENTS="+strconv.Itoa(agents))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return answered{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	var a answered
	_, line, found := strings.Cut(string(out), "RESULT ")
	line, _, _ = strings.Cut(line, "\n")
	if err := json.Unmarshal([]byte(line), &a); err != nil || !found {
		return a, fmt.Errorf("wrk printed no result: %w: %s", err, out)
	}
	if bad := a.NotOK + a.ConnectErrors + a.ReadErrors + a.Timeouts; bad > 0 || a.Requests == 0 {
		return a, fmt.Errorf("%d of %.0f answers were none: %s", bad, a.Requests, line)
	}
	return a, nil
}

// cpuTime is what the servers have used so far.
func (s *shape) cpuTime() (sum time.Duration, err error) {
	for _, p := range s.running {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
		if err != nil {
			return 0, err
		}
		// The name in brackets may hold anything; after it come the third field and so on. Times are in 1/100 s.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, field := range []int{14 - 3, 15 - 3} {
			ticks, err := strconv.ParseInt(fields[field], 10, 64)
			if err != nil {
				return 0, err
			}
			sum += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return sum, nil
}

// buildBaseline builds the no-op server, which is a module of its own.
func buildBaseline(ctx context.Context, dir string) (string, error) {
	bin := filepath.Join(dir, "baseline")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", bin, ".")
	cmd.Dir = "bench/baseline"
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the no-op server: %w: %s", err, out)
	}
	return bin, nil
}
