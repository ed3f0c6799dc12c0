package node

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/ratelimit"
)

func TestMetricsFollowTheConventions(t *testing.T) {
	t.Parallel()
	o := peered(t, "a")
	o.Registry = prometheus.NewRegistry()
	a := open(t, o)
	b := open(t, peered(t, "b", a))
	waitReady(t, a, b)
	meet(t, a, b)
	consume(t, a, "agent:1", 7)
	agree(t, a, b)
	problems, err := testutil.GatherAndLint(o.Registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "go_") || strings.HasPrefix(p.Metric, "process_") {
			continue
		}
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := o.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := testutil.GatherAndCount(o.Registry, "go_goroutines"); err != nil || n != 1 {
		t.Errorf("Go's own metrics: %d, %v", n, err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetValue() == "agent:1" && f.GetName() != "openclaw_tokens_used_total" {
					t.Errorf("%s has an agent as a label", f.GetName())
				}
			}
		}
	}
	err = testutil.GatherAndCompare(o.Registry, strings.NewReader(`
# HELP clawd_limiter_decisions_total Answers of the limiter, by result.
# TYPE clawd_limiter_decisions_total counter
clawd_limiter_decisions_total{result="allowed"} 1
clawd_limiter_decisions_total{result="denied"} 0
# HELP clawd_limiter_tokens_total Tokens asked for, by the result of the request.
# TYPE clawd_limiter_tokens_total counter
clawd_limiter_tokens_total{result="allowed"} 7
clawd_limiter_tokens_total{result="denied"} 0
# HELP clawd_peers_alive Other members in reach.
# TYPE clawd_peers_alive gauge
clawd_peers_alive 1
# HELP openclaw_tokens_used_total Tokens this node admitted, for its busiest agents; all others are summed as other.
# TYPE openclaw_tokens_used_total counter
openclaw_tokens_used_total{agent_id="agent:1"} 7
openclaw_tokens_used_total{agent_id="other"} 0
`), "clawd_limiter_decisions_total", "clawd_limiter_tokens_total", "clawd_peers_alive", "openclaw_tokens_used_total")
	if err != nil {
		t.Error(err)
	}
}

func TestARegistryServesANodeAndItsSuccessor(t *testing.T) {
	t.Parallel()
	o := peered(t, "a")
	o.Registry = prometheus.NewRegistry()
	for range 2 {
		n, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		waitReady(t, n)
		closeNode(t, n)
	}
}

func TestTheAdminListenerTakesOperationsAway(t *testing.T) {
	t.Parallel()
	o := peered(t, "a")
	o.AdminAddr = "127.0.0.1:0"
	a := open(t, o)
	waitReady(t, a)
	for _, c := range []struct {
		addr, path string
		status     int
	}{
		{a.AdminAddr(), "/metrics", http.StatusOK},
		{a.AdminAddr(), "/readyz", http.StatusOK},
		{a.AdminAddr(), "/debug/pprof/cmdline", http.StatusOK},
		{a.HTTPAddr(), "/metrics", http.StatusNotFound},
		{a.HTTPAddr(), "/debug/pprof/cmdline", http.StatusNotFound},
	} {
		resp, err := testClient.Get("http://" + c.addr + c.path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s answered %d, want %d", c.path, resp.StatusCode, c.status)
		}
	}
}

func TestTheClusterIsShownByEveryMember(t *testing.T) {
	t.Parallel()
	a := open(t, peered(t, "a"))
	b := open(t, peered(t, "b", a))
	waitReady(t, a, b)
	meet(t, a, b)
	for _, n := range []*Node{a, b} {
		eventually(t, n.Name()+" shows two ready members", func() bool {
			_, c := call[wire.Cluster](t, http.MethodGet, n.HTTPAddr(), "/v1/cluster", nil)
			ready := 0
			for _, m := range c.Members {
				if m.State == wire.StateReady && m.HTTPAddr != "" && m.PeerAddr != "" && m.GossipAddr != "" {
					ready++
				}
			}
			return c.Self == n.Name() && len(c.Members) == 2 && ready == 2
		})
	}
}

func TestKeysAndPoliciesReachEveryNode(t *testing.T) {
	t.Parallel()
	a := open(t, peered(t, "a"))
	b := open(t, peered(t, "b", a))
	waitReady(t, a, b)
	meet(t, a, b)
	if status, _ := call[struct{}](t, http.MethodPut, a.HTTPAddr(), "/v1/kv/greeting", "hello"); status/100 != 2 {
		t.Fatalf("PUT answered %d", status)
	}
	large := strings.Repeat("x", wire.MaxValueBytes-2) // and its quotes
	for _, key := range []string{"large", "larger", "largest"} {
		if status, _ := call[struct{}](t, http.MethodPut, b.HTTPAddr(), "/v1/kv/"+key, large); status/100 != 2 {
			t.Fatalf("PUT of a large value answered %d", status)
		}
	}
	for _, n := range []*Node{a, b, a} {
		if status, _ := call[wire.Counter](t, http.MethodPost, n.HTTPAddr(), "/v1/kv/hits/increment", map[string]int{"by": 2}); status != http.StatusOK {
			t.Fatalf("increment answered %d", status)
		}
	}
	putPolicy(t, a, ratelimit.Async)
	agree(t, a, b)
	for _, n := range []*Node{a, b} {
		if _, text := call[string](t, http.MethodGet, n.HTTPAddr(), "/v1/kv/greeting", nil); text != "hello" {
			t.Errorf("%s has %q", n.Name(), text)
		}
		if _, text := call[string](t, http.MethodGet, n.HTTPAddr(), "/v1/kv/largest", nil); text != large {
			t.Errorf("%s has %d bytes of a large value", n.Name(), len(text))
		}
		if _, hits := call[wire.Counter](t, http.MethodGet, n.HTTPAddr(), "/v1/kv/hits", nil); hits.Value != 6 {
			t.Errorf("%s counts %d, want 6", n.Name(), hits.Value)
		}
		if status, p := call[ratelimit.Policy](t, http.MethodGet, n.HTTPAddr(), "/v1/policies/all", nil); status != http.StatusOK || p.Capacity != 1_000_000 {
			t.Errorf("%s answered %d with %+v", n.Name(), status, p)
		}
		if !consume(t, n, "anybody", 5000) {
			t.Errorf("%s does not follow the policy", n.Name())
		}
	}
}

// events reads server-sent events until the stream ends.
func events(t *testing.T, ctx context.Context, n *Node, token string) <-chan [2]string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.HTTPAddr()+"/v1/kv?watch=1&prefix=w/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	if token != "" {
		req.Header.Set("Last-Event-ID", token)
	}
	resp, err := testClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("watch answered %d", resp.StatusCode)
	}
	out := make(chan [2]string, 100)
	go func() {
		defer close(out)
		defer func() { _ = resp.Body.Close() }()
		var id string
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			if v, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				id = v
			}
			if v, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				select {
				case out <- [2]string{id, v}:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out
}

func nextAbout(t *testing.T, from <-chan [2]string, key string) (token string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case e, ok := <-from:
			if !ok {
				t.Fatalf("the stream ended before %s", key)
			}
			if strings.Contains(e[1], `"`+key+`"`) {
				return e[0]
			}
		case <-deadline:
			t.Fatalf("nothing was told of %s", key)
		}
	}
}

func TestAWatchResumesOnAnotherNode(t *testing.T) {
	t.Parallel()
	a := open(t, peered(t, "a"))
	b := open(t, peered(t, "b", a))
	waitReady(t, a, b)
	meet(t, a, b)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := events(t, ctx, a, "")
	put := func(n *Node, key string) {
		if status, _ := call[struct{}](t, http.MethodPut, n.HTTPAddr(), "/v1/kv/"+key, "v"); status/100 != 2 {
			t.Fatalf("PUT answered %d", status)
		}
	}
	put(b, "w%2Fone")
	token := nextAbout(t, first, "w/one")
	cancel()
	put(a, "w%2Ftwo")
	agree(t, a, b)
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	nextAbout(t, events(t, ctx, b, token), "w/two")
}

func TestClosingEndsOpenWatches(t *testing.T) {
	t.Parallel()
	o := peered(t, "a")
	n := open(t, o)
	waitReady(t, n)
	stream := events(t, t.Context(), n, "")
	began := time.Now()
	closeNode(t, n)
	if took := time.Since(began); took > o.DrainTimeout/2 {
		t.Errorf("close took %v with a watcher", took)
	}
	for range stream { // it must end
	}
}
