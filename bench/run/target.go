package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/openclaw/clawd/internal/proc"
)

// readyLimit is how long a server may take to start.
const readyLimit = 60 * time.Second

// target is a server that is loaded: one process, or several that do the work
// together.
type target struct {
	name  string
	label string // in tables
	url   string
	procs []*proc.Process // the first listens at url
	// answered is how many consume calls the server says it has answered.
	answered func(context.Context) (tally, error)
	load     wrkLoad
}

// tally counts the consume calls a server has answered. For clawd that is the
// tokens its agents consumed, since a call takes one.
type tally struct {
	total   uint64
	byAgent map[string]uint64 // nil when the server does not tell
}

// startBaseline starts one of the servers of bench/baseline.
func (b *bench) startBaseline(ctx context.Context, kind, label string) (*target, error) {
	bin, err := b.buildBaseline(ctx)
	if err != nil {
		return nil, err
	}
	addr, err := proc.FreeAddr()
	if err != nil {
		return nil, err
	}
	t := &target{name: kind, label: label, url: "http://" + addr, load: b.spread()}
	args := []string{bin, "-addr", addr, "-kind", kind}
	if kind == "redis" {
		r, redisAddr, err := b.startRedis(ctx)
		if err != nil {
			return nil, err
		}
		t.procs = append(t.procs, r)
		args = append(args, "-redis", redisAddr)
	}
	p, err := b.start(kind, args...)
	if err != nil {
		return nil, err
	}
	t.procs = append([]*proc.Process{p}, t.procs...)
	t.answered = func(ctx context.Context) (tally, error) {
		n, err := getNumber(ctx, t.url+"/answered")
		return tally{total: n}, err
	}
	b.say("%s is starting", label)
	return t, t.waitReady(ctx)
}

// startRedis starts Redis with the durability that is closest to clawd's
// default: what a crash forgets is bounded, and nobody waits for the disk.
func (b *bench) startRedis(ctx context.Context) (*proc.Process, string, error) {
	addr, err := proc.FreeAddr()
	if err != nil {
		return nil, "", err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, "", err
	}
	p, err := b.start("redis-server", "redis-server", "--bind", host, "--port", port, "--dir", filepath.Dir(b.dir("redis")),
		"--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--appenddirname", fmt.Sprintf("redis-%s", port))
	if err != nil {
		return nil, "", err
	}
	return p, addr, listens(ctx, p, addr)
}

// listens waits until somebody listens at addr.
func listens(ctx context.Context, p *proc.Process, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-tick.C:
		case <-p.Exited():
			return fmt.Errorf("%s: the server ended; it said:\n%s", addr, p.Log())
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", addr, err)
		}
	}
}

func (t *target) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	return t.procs[0].WaitReady(ctx, t.url)
}

func getNumber(ctx context.Context, url string) (uint64, error) {
	body, err := get(ctx, url)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(string(body), 10, 64)
}

// get fetches a small document.
func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return body, err
}
