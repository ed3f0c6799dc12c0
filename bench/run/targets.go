package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/openclaw/clawd/internal/proc"
)

// readyLimit is how long a server may take to start.
const readyLimit = 30 * time.Second

// target is a server that is measured.
type target struct {
	name string
	url  string
	proc *proc.Process
	// answered is how many consume calls the server says it has answered.
	answered func(context.Context) (tally, error)
}

// tally counts the consume calls a server has answered. For clawd that is the
// tokens its agents consumed, since a call takes one.
type tally struct {
	total   uint64
	byAgent map[string]uint64 // nil when the server does not tell
}

// startTargets starts the servers o names, in that order. On an error it returns
// those that run already, for the caller to stop.
func startTargets(ctx context.Context, o options, work string, progress io.Writer) ([]*target, error) {
	baseline := filepath.Join(work, "baseline")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", baseline, "./bench/baseline")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the baseline: %w\n%s", err, out)
	}

	var started []*target
	for _, name := range o.targets {
		t, err := startTarget(ctx, o, work, name, baseline)
		if err != nil {
			return started, err
		}
		started = append(started, t)
		fmt.Fprintf(progress, "bench: %s is ready at %s\n", name, t.url)
	}
	return started, nil
}

func startTarget(ctx context.Context, o options, work, name, baseline string) (*target, error) {
	switch name {
	case "nethttp", "mux":
		return startBaseline(ctx, work, name, baseline)
	case "clawd":
		return startClawd(ctx, o, work)
	default:
		return nil, fmt.Errorf("unknown target %q: nethttp, mux or clawd", name)
	}
}

func startBaseline(ctx context.Context, work, name, baseline string) (*target, error) {
	addr, err := proc.FreeAddr()
	if err != nil {
		return nil, err
	}
	t, err := start(ctx, work, name, addr, baseline, "-addr", addr, "-router", name)
	if err != nil {
		return nil, err
	}
	t.answered = func(ctx context.Context) (tally, error) {
		n, err := getNumber(ctx, t.url+"/answered")
		return tally{total: n}, err
	}
	return t, nil
}

// start runs a server that will listen on addr and waits until it is ready.
func start(ctx context.Context, work, name, addr string, argv ...string) (*target, error) {
	p, err := proc.Start(proc.Command{Argv: argv, Log: filepath.Join(work, name+".log")})
	if err != nil {
		return nil, err
	}
	t := &target{name: name, url: "http://" + addr, proc: p}
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	if err := p.WaitReady(ctx, t.url); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), p.Stop())
	}
	return t, nil
}

func getNumber(ctx context.Context, url string) (n uint64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(string(body), 10, 64)
}
