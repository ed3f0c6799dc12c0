package client_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/node"
	"github.com/openclaw/clawd/ratelimit"
)

// realNode opens a node on loopback and a client of it. It is closed with the
// test, if not earlier.
func realNode(t *testing.T, dir, addr string) (c *client.Client, at string, stop func()) {
	t.Helper()
	n, err := node.Open(t.Context(), node.Options{
		Name: "n1", DataDir: dir, HTTPAddr: addr, PeerAddr: "127.0.0.1:0", GossipAddr: "127.0.0.1:0",
		// A refill too slow for a test to see.
		DefaultPolicy: client.Policy{Name: "default", Capacity: 1000, RefillRate: ratelimit.Whole(1), IntervalSeconds: ratelimit.Whole(86400)},
	})
	if err != nil {
		t.Fatal(err)
	}
	stop = func() {
		if err := n.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop) // closing again does nothing
	select {
	case <-n.Ready():
	case <-time.After(20 * time.Second):
		t.Fatal("the node does not get ready")
	}
	if c, err = client.New(n.HTTPAddr(), client.Options{}); err != nil {
		t.Fatal(err)
	}
	return c, n.HTTPAddr(), stop
}

// eventually polls for what a node does in the background.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.After(10 * time.Second); ; {
		if holds() {
			return
		}
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("not in 10 s: %s", what)
		}
	}
}

// TestAgainstNode asks a real node once what each resource offers: the recorded
// answers of the other tests are only as good as this.
func TestAgainstNode(t *testing.T) {
	ctx := t.Context()
	c, _, _ := realNode(t, t.TempDir(), "127.0.0.1:0")

	t.Run("agents", func(t *testing.T) {
		for _, agent := range []string{"agent:42:tokens", "a/b", "..", "ü %"} {
			d, err := c.Agents.Consume(ctx, agent, 10)
			if err != nil || !d.Allowed || d.Remaining != 990 {
				t.Fatalf("%q: got %+v, %v", agent, d, err)
			}
			a, err := c.Agents.Peek(ctx, agent, 991)
			if err != nil || a.Consumed != 10 || a.WouldAllow == nil || *a.WouldAllow {
				t.Errorf("%q: got %+v, %v", agent, a, err)
			}
		}
		d, err := c.Agents.Consume(ctx, "a/b", 991)
		if err != nil || d.Allowed || d.RetryAfter() <= 0 || len(d.Violated) != 1 || !errors.Is(d.Err(), client.ErrDenied) {
			t.Errorf("denial: got %+v, %v", d, err)
		}
		_, err = c.Agents.Consume(ctx, "a/b", 0)
		var e *client.Error
		if !errors.As(err, &e) || !errors.Is(err, client.ErrInvalid) || e.Problem.Field != "tokens" {
			t.Errorf("zero tokens: got %#v", err)
		}
		r, err := c.Agents.Refund(ctx, "a/b", 50)
		if err != nil || r.Refunded != 10 {
			t.Errorf("refund: got %+v, %v", r, err)
		}
		eventually(t, "the busiest agents are known after a flush", func() bool {
			top, err := c.Agents.Top(ctx, 3)
			return err == nil && len(top) == 3
		})
		if err := c.Agents.Delete(ctx, "a/b"); err != nil {
			t.Error(err)
		}
		if a, err := c.Agents.Get(ctx, "a/b"); err != nil || a.Consumed != 0 {
			t.Errorf("deleted: got %+v, %v", a, err)
		}
	})

	t.Run("batch", func(t *testing.T) {
		five, six := int64(5), int64(6)
		inline := &client.InlinePolicy{Capacity: 10, RefillRate: ratelimit.Whole(10), IntervalSeconds: ratelimit.Whole(3600)}
		b := client.BatchRequest{Checks: []client.BatchCheck{{Agent: "x", Tokens: &five, Policy: inline}, {Agent: "x", Tokens: &six, Policy: inline}}}
		got, err := c.Agents.ConsumeBatch(ctx, b)
		if err != nil || got.Allowed || !got.Results[0].Allowed || got.Results[1].Allowed || got.Binding == nil || *got.Binding != 1 {
			t.Errorf("each on its own: got %+v, %v", got, err)
		}
		b.Atomic, b.Checks[1].Tokens = true, &five
		got, err = c.Agents.ConsumeBatch(ctx, b)
		if err != nil || got.Allowed || got.Results[0].Allowed {
			t.Errorf("atomic: got %+v, %v", got, err)
		}
		if d, err := c.Agents.ConsumeInline(ctx, "x", 5, *inline); err != nil || !d.Allowed {
			t.Errorf("a denied batch took something: %+v, %v", d, err)
		}
	})

	t.Run("policies", func(t *testing.T) {
		paid := client.Policy{Name: "paid", Match: "paid:*", Capacity: 7, RefillRate: 500_000, IntervalSeconds: ratelimit.Whole(1)}
		if got, err := c.Policies.Put(ctx, paid); err != nil || got != paid {
			t.Errorf("put: got %+v, %v", got, err)
		}
		if got, err := c.Policies.Get(ctx, "paid"); err != nil || got != paid {
			t.Errorf("get: got %+v, %v", got, err)
		}
		if d, err := c.Agents.Consume(ctx, "paid:1", 1); err != nil || d.Limit != 7 {
			t.Errorf("consume: got %+v, %v", d, err)
		}
		n := 0
		for _, err := range c.Policies.All(ctx) {
			if err != nil {
				t.Error(err)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%d policies, want 1", n)
		}
		if err := c.Policies.Delete(ctx, "paid"); err != nil {
			t.Error(err)
		}
		if _, err := c.Policies.Get(ctx, "paid"); !errors.Is(err, client.ErrNotFound) {
			t.Errorf("deleted: got %v", err)
		}
	})

	t.Run("keys", func(t *testing.T) { testKeys(t, c) })

	t.Run("cluster", func(t *testing.T) {
		info, err := c.Cluster.Get(ctx)
		if err != nil || info.Self != "n1" || len(info.Members) != 1 || info.Members[0].State != client.StateReady {
			t.Errorf("got %+v, %v", info, err)
		}
		if h, err := c.Health.Check(ctx); err != nil || h.Status == client.HealthFailed || len(h.Checks) == 0 {
			t.Errorf("health: got %+v, %v", h, err)
		}
		if b, err := c.Backup(ctx, t.TempDir()+"/b"); err != nil || b.Files == 0 {
			t.Errorf("backup: got %+v, %v", b, err)
		}
		if _, err := c.Backup(ctx, "relative"); !errors.Is(err, client.ErrInvalid) {
			t.Errorf("backup to a relative path: got %v", err)
		}
	})
}

func testKeys(t *testing.T, c *client.Client) {
	ctx := t.Context()
	// A document that looks like a counter's answer is still a register.
	value := []byte(`{"key":"k/1","value":7}`)
	etag, err := c.KV.Put(ctx, "k/1", value, client.PutOptions{ContentType: "application/json", TTL: time.Hour, IfNoneMatch: "*"})
	if err != nil || etag == "" {
		t.Fatalf("put: %q, %v", etag, err)
	}
	e, err := c.KV.Get(ctx, "k/1")
	if err != nil || string(e.Value) != string(value) || e.Counter != nil || e.ETag != etag || e.ContentType != "application/json" {
		t.Errorf("get: %+v, %v", e, err)
	}
	if left := time.Until(e.ExpiresAt); left < 59*time.Minute || left > time.Hour+time.Second {
		t.Errorf("expires in %v, want about an hour", left)
	}
	if _, err := c.KV.Put(ctx, "k/1", nil, client.PutOptions{IfNoneMatch: "*"}); !errors.Is(err, client.ErrPrecondition) {
		t.Errorf("put over it: %v", err)
	}
	if err := c.KV.Delete(ctx, "k/1", `"other"`); !errors.Is(err, client.ErrPrecondition) {
		t.Errorf("delete another version: %v", err)
	}
	if n, err := c.KV.Increment(ctx, "k/n", -4); err != nil || n.Value != -4 {
		t.Errorf("increment: %+v, %v", n, err)
	}
	if _, err := c.KV.Increment(ctx, "k/1", 1); !errors.Is(err, client.ErrConflict) {
		t.Errorf("increment of a register: %v", err)
	}
	if e, err := c.KV.Get(ctx, "k/n"); err != nil || e.Counter == nil || *e.Counter != -4 {
		t.Errorf("get counter: %+v, %v", e, err)
	}
	l, err := c.KV.List(ctx, client.KeyListOptions{ListOptions: client.ListOptions{Prefix: "k/"}, Values: true})
	if err != nil || len(l.Keys) != 2 || l.Keys[0].Text == nil || l.Keys[1].Kind != client.KindCounter {
		t.Errorf("list: %+v, %v", l, err)
	}
	one := int64(1)
	results, err := c.KV.Batch(ctx, []client.KVOperation{{Op: "get", Key: "k/1"}, {Op: "increment", Key: "k/n", By: &one}, {Op: "get", Key: "none"}})
	if err != nil || len(results) != 3 || results[0].Status != 200 || *results[1].Counter != -3 || results[2].Problem == nil {
		t.Errorf("batch: %+v, %v", results, err)
	}
	if err := c.KV.Delete(ctx, "k/1", etag); err != nil {
		t.Error(err)
	}
	if _, err := c.KV.Get(ctx, "k/1"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
}

// TestWatchAcrossRestart stops the node under a watch and starts it again on
// the same port: what was written on the way is told afterwards.
func TestWatchAcrossRestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	dir := t.TempDir()
	c, addr, stop := realNode(t, dir, "127.0.0.1:0")

	opened := make(chan struct{}, 16)
	events := make(chan client.Event)
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		o := client.WatchOptions{Prefix: "w/", Opened: func(string) { opened <- struct{}{} }}
		for e, err := range c.KV.Watch(ctx, o) {
			if err != nil {
				ended <- err
				return
			}
			events <- e
		}
	}()
	next := func(key string) {
		t.Helper()
		for {
			select {
			case e := <-events:
				if e.Key == key {
					return
				}
			case err := <-ended:
				t.Fatalf("the watch ended before %s: %v", key, err)
			case <-ctx.Done():
				t.Fatalf("nothing of %s", key)
			}
		}
	}
	put := func(c *client.Client, key string) {
		t.Helper()
		if _, err := c.KV.Put(ctx, key, []byte(key), client.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	<-opened
	put(c, "w/1")
	next("w/1")
	stop()
	again, _, _ := realNode(t, dir, addr)
	put(again, "w/2")
	next("w/2")
	cancel()
	for {
		select {
		case <-events: // a replayed one
		case err := <-ended:
			if err != nil {
				t.Errorf("the end of the context is an error: %v", err)
			}
			return
		}
	}
}
