package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/faultnet"
	"github.com/openclaw/clawd/node"
	"github.com/openclaw/clawd/ratelimit"
)

const nodeCount = 3

// cluster is the three nodes and how to reach them.
type cluster struct {
	dir     string
	net     *faultnet.Net
	log     *slog.Logger
	nodes   []*node.Node
	metrics []*prometheus.Registry
	clients []*client.Client
}

func nodeName(i int) string { return fmt.Sprint("n", i+1) }

func openCluster(ctx context.Context, log *slog.Logger) (c *cluster, err error) {
	c = &cluster{net: faultnet.New(), log: log}
	if c.dir, err = os.MkdirTemp("", "clawd-demo-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	var join []string
	for i := range nodeCount {
		if err := c.openNode(ctx, i, join); err != nil {
			return c, err
		}
		join = []string{c.nodes[0].GossipAddr()}
	}
	return c, c.await(ctx, "three members", func() (bool, error) {
		for _, cl := range c.clients {
			view, err := cl.Cluster.Get(ctx)
			if err != nil || len(view.Members) != nodeCount {
				return false, nil //nolint:nilerr // not ready yet
			}
			for _, m := range view.Members {
				if m.State != "ready" {
					return false, nil
				}
			}
		}
		return true, nil
	})
}

func (c *cluster) openNode(ctx context.Context, i int, join []string) error {
	registry := prometheus.NewRegistry()
	n, err := node.Open(ctx, node.Options{
		Name: nodeName(i), DataDir: filepath.Join(c.dir, nodeName(i)), Cluster: "demo", Join: join,
		HTTPAddr: "127.0.0.1:0", PeerAddr: "127.0.0.1:0", GossipAddr: "127.0.0.1:0",
		DefaultPolicy: ratelimit.Policy{Capacity: 1000, RefillRate: ratelimit.Whole(1000), IntervalSeconds: ratelimit.Whole(3600)},
		Logger:        c.log, Registry: registry, Network: c.net.Host(nodeName(i)),
	})
	if err != nil {
		return err
	}
	cl, err := client.New("http://"+n.HTTPAddr(), client.Options{})
	if err != nil {
		return errors.Join(err, n.Close(ctx))
	}
	c.nodes, c.metrics, c.clients = append(c.nodes, n), append(c.metrics, registry), append(c.clients, cl)
	return nil
}

// isolate cuts the last node off from the others.
func (c *cluster) isolate() { c.net.Isolate(nodeName(nodeCount-1), nodeName(0), nodeName(1)) }

func (c *cluster) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var errs []error
	for _, n := range c.nodes {
		errs = append(errs, n.Close(ctx))
	}
	return errors.Join(append(errs, os.RemoveAll(c.dir))...)
}

// await polls until done says so.
func (c *cluster) await(ctx context.Context, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting for %s: %w", what, ctx.Err())
		}
	}
}

// sum adds a counter over all nodes.
func (c *cluster) sum(names ...string) float64 {
	var total float64
	for _, r := range c.metrics {
		families, err := r.Gather()
		if err != nil {
			continue
		}
		for _, f := range families {
			for _, name := range names {
				if f.GetName() != name {
					continue
				}
				for _, m := range f.GetMetric() {
					total += m.GetCounter().GetValue()
				}
			}
		}
	}
	return total
}
