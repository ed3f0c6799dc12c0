//go:build aws

package awsjoin

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/internal/proc"
)

// patience bounds waits for what takes moments on an idle machine.
const patience = 90 * time.Second

func TestMain(m *testing.M) {
	code := m.Run()
	fleet.RemoveBinary()
	os.Exit(code)
}

// Three nodes that know only a tag become a cluster. The first finds nobody
// yet; the second's credentials have run out; the third is throttled. An
// instance of another cluster is not called.
func TestNodesFindEachOtherByTag(t *testing.T) {
	c := startCloud(t)
	if status := c.callWithWrongKey(t); status != http.StatusForbidden && status != http.StatusUnauthorized {
		t.Fatalf("moto answers a wrong signature with %d: nothing below would prove anything", status)
	}

	c.runInstance(t, "127.0.77.10", "prod")
	nodes := []*node{c.start(t, "127.0.77.10")}
	nodes[0].awaitMembers(t, 1)

	c.runInstance(t, "127.0.77.66", "other")
	c.runInstance(t, "127.0.77.11", "prod")
	c.front.expired.Store(1)
	nodes = append(nodes, c.start(t, "127.0.77.11"))
	c.front.throttled.Store(3)
	c.runInstance(t, "127.0.77.12", "prod")
	nodes = append(nodes, c.start(t, "127.0.77.12"))
	for _, n := range nodes {
		n.awaitMembers(t, 3)
	}
	if c.front.expired.Load() > 0 || c.front.throttled.Load() > 0 {
		t.Errorf("refusals that were never met: %d for expired credentials, %d for too many calls",
			c.front.expired.Load(), c.front.throttled.Load())
	}
	if c.front.keysAsked.Load() < 2 || c.front.answered.Load() == 0 {
		t.Errorf("credentials were fetched %d times, EC2 answered %d calls", c.front.keysAsked.Load(), c.front.answered.Load())
	}

	// What one counts, the others learn.
	if _, err := nodes[0].client.Agents.Consume(t.Context(), "a", 7); err != nil {
		t.Fatal(err)
	}
	nodes[2].until(t, func(ctx context.Context) error {
		a, err := nodes[2].client.Agents.Get(ctx, "a")
		if err == nil && a.Consumed != 7 {
			err = fmt.Errorf("counts %v of what the first consumed", a.Consumed)
		}
		return err
	})
}

// node is a clawd process with the default gossip port on an address of its own.
type node struct {
	process *proc.Process
	client  *client.Client
}

func (c *cloud) start(t *testing.T, ip string) *node {
	t.Helper()
	bin, err := fleet.Binary()
	must(t, err)
	public, err := proc.FreeAddr()
	must(t, err)
	dir := t.TempDir()
	p, err := proc.Start(proc.Command{
		Argv: []string{
			bin, "serve", "--name", "node-" + ip, "--data-dir", filepath.Join(dir, "data"), "--sync-wait", "1s",
			"--http-addr", public, "--peer-addr", ip + ":0", "--gossip-addr", ip + ":7946", "--join", "aws:tag=clawd-cluster:prod",
		},
		Env: []string{
			"AWS_ENDPOINT_URL_EC2=" + c.front.url, "AWS_EC2_METADATA_SERVICE_ENDPOINT=" + c.front.url,
			"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_REGION=", "AWS_DEFAULT_REGION=",
		},
		Dir: dir, Log: filepath.Join(dir, "log"),
	})
	must(t, err)
	t.Cleanup(func() {
		must(t, p.Kill())
		if t.Failed() {
			t.Logf("%s said:\n%s", ip, p.Log())
		}
	})
	must(t, p.WaitReady(within(t), "http://"+public))
	cl, err := client.New("http://"+public, client.Options{})
	must(t, err)
	return &node{p, cl}
}

func (n *node) awaitMembers(t *testing.T, want int) {
	t.Helper()
	n.until(t, func(ctx context.Context) error {
		info, err := n.client.Cluster.Get(ctx)
		if err != nil {
			return err
		}
		ready := 0
		for _, m := range info.Members {
			if m.State == client.StateReady {
				ready++
			}
		}
		if ready != want || len(info.Members) != want {
			return fmt.Errorf("%d of %d members are ready, want %d", ready, len(info.Members), want)
		}
		return nil
	})
}

func (n *node) until(t *testing.T, holds func(context.Context) error) {
	t.Helper()
	must(t, fleet.Until(within(t), holds))
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
