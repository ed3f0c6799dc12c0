package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// target is a server that is measured.
type target struct {
	name string
	proc *process
	// answered is how many consume calls the server says it has answered: for
	// clawd, the tokens consumed over all agents, since a call takes one.
	answered func(context.Context) (uint64, error)
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
		fmt.Fprintf(progress, "bench: %s is ready at %s\n", name, t.proc.url)
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
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	p, err := start(ctx, work, name, "http://"+addr, baseline, "-addr", addr, "-router", name)
	if err != nil {
		return nil, err
	}
	return &target{name: name, proc: p, answered: func(ctx context.Context) (uint64, error) {
		return getNumber(ctx, p.url+"/answered")
	}}, nil
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
	defer resp.Body.Close() //nolint:errcheck // read to its end below
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(string(body), 10, 64)
}
