package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/openclaw/clawd/internal/proc"
)

// bench is a run: its options, its scratch directory and what it has started.
type bench struct {
	options
	work     string
	baseline string // binary of bench/baseline, once built
	progress io.Writer
	began    time.Time
	started  []*proc.Process
	servers  int
}

func newBench(_ context.Context, o options, progress io.Writer) (*bench, error) {
	work, err := os.MkdirTemp("", "clawd-bench-")
	if err != nil {
		return nil, err
	}
	return &bench{options: o, work: work, progress: progress, began: time.Now()}, nil
}

func (b *bench) close() error { return errors.Join(b.stopAll(), os.RemoveAll(b.work)) }

// say tells whoever waits what is going on.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, "bench %5s  %s\n", time.Since(b.began).Round(time.Second), fmt.Sprintf(format, args...))
}

// stopAll stops the servers of a part, the last first.
func (b *bench) stopAll() (err error) {
	for len(b.started) > 0 {
		last := len(b.started) - 1
		err = errors.Join(err, b.started[last].Stop())
		b.started = b.started[:last]
	}
	return err
}

// dir is a new scratch directory.
func (b *bench) dir(name string) string {
	b.servers++
	return filepath.Join(b.work, fmt.Sprintf("%02d-%s", b.servers, name))
}

// start runs a command that stopAll will stop.
func (b *bench) start(name string, argv ...string) (*proc.Process, error) {
	p, err := proc.Start(proc.Command{Argv: argv, Log: b.dir(name) + ".log"})
	if err != nil {
		return nil, err
	}
	b.started = append(b.started, p)
	return p, nil
}

// buildBaseline builds the servers clawd is compared with.
func (b *bench) buildBaseline(ctx context.Context) (string, error) {
	if b.baseline != "" {
		return b.baseline, nil
	}
	b.say("building the servers to compare with (a minute, the first time)")
	bin := filepath.Join(b.work, "baseline")
	build := exec.CommandContext(ctx, "go", "build", "-C", "bench/baseline", "-trimpath", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the baseline: %w\n%s", err, out)
	}
	b.baseline = bin
	return bin, nil
}
