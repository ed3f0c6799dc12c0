package client

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/ratelimit"
)

// TestSurface drives every call once: the request it must make, the body a
// node answers with, and what the caller gets.
func TestSurface(t *testing.T) {
	ctx := context.Background()
	inline := InlinePolicy{Capacity: 10, RefillRate: ratelimit.Whole(10), IntervalSeconds: ratelimit.Whole(60)}
	paid := Policy{Name: "paid", Match: "paid:*", Capacity: 5000, RefillRate: 500_000, IntervalSeconds: ratelimit.Whole(1), Durability: ratelimit.Reserve}
	binding, yes, value := 1, true, "hello"

	cases := []struct {
		name   string
		call   func(c *Client) (any, error)
		line   string
		body   string
		header map[string]string
		status int
		answer string // golden file, or literal when it is none
		reply  []string
		want   any
	}{
		{
			name:   "consume allowed",
			call:   func(c *Client) (any, error) { return c.Agents.Consume(ctx, "agent:42:tokens", 5) },
			line:   "POST /v1/agents/agent:42:tokens/consume",
			body:   `{"tokens":5}`,
			header: map[string]string{"Content-Type": "application/json", "Authorization": "Bearer secret", "User-Agent": "clawd-go"},
			answer: "decision_allowed",
			want:   Decision{Decision: wire.Decision{Allowed: true, Agent: "agent:42:tokens", Tokens: 5, Limit: 1000, Remaining: 995, ResetMS: 18000}},
		},
		{
			name:   "consume denied",
			call:   func(c *Client) (any, error) { return c.Agents.Consume(ctx, "agent:42:tokens", 5) },
			line:   "POST /v1/agents/agent:42:tokens/consume",
			body:   `{"tokens":5}`,
			status: 429,
			answer: "decision_denied",
			want: Decision{
				Decision: wire.Decision{Agent: "agent:42:tokens", Tokens: 5, Limit: 1000, Remaining: 2, RetryAfterMS: 10800, ResetMS: 3592800},
				Violated: []string{"default"},
			},
		},
		{
			name:   "consume inline",
			call:   func(c *Client) (any, error) { return c.Agents.ConsumeInline(ctx, "agent:42:tokens", 5, inline) },
			line:   "POST /v1/agents/agent:42:tokens/consume",
			body:   `{"tokens":5,"policy":{"capacity":10,"refill_rate":10,"interval_seconds":60}}`,
			answer: "decision_allowed",
			want:   Decision{Decision: wire.Decision{Allowed: true, Agent: "agent:42:tokens", Tokens: 5, Limit: 1000, Remaining: 995, ResetMS: 18000}},
		},
		{
			name: "batch denied",
			call: func(c *Client) (any, error) {
				one := int64(1)
				return c.Agents.ConsumeBatch(ctx, BatchRequest{Atomic: true, Checks: []BatchCheck{{Agent: "a", Tokens: &one}, {Agent: "b"}}})
			},
			line:   "POST /v1/consume",
			body:   `{"atomic":true,"checks":[{"agent":"a","tokens":1},{"agent":"b"}]}`,
			status: 429,
			answer: "batch_denied",
			want: BatchResult{Results: []wire.Decision{
				{Agent: "a", Tokens: 1, Limit: 10, Remaining: 10},
				{Agent: "b", Tokens: 2, Limit: 10, RetryAfterMS: 2000, ResetMS: 10000},
			}, Binding: &binding},
		},
		{
			name:   "peek",
			call:   func(c *Client) (any, error) { return c.Agents.Peek(ctx, "a/b", 7) },
			line:   "GET /v1/agents/a%2Fb?tokens=7",
			answer: "agent",
			want: Agent{
				Agent: "a/b", Tenant: "default",
				Policy:       Policy{Name: "default", Capacity: 1000, RefillRate: ratelimit.Whole(1000), IntervalSeconds: ratelimit.Whole(3600)},
				PolicySource: "default", Level: 990, Limit: 1000, Consumed: 12, Refunded: 2, ResetMS: 36000, OvershootBound: 3, StalenessMS: 110,
				Origins: []wire.Origin{{Node: "n1", Run: "00000000000000a1", Consumed: 12, Refunded: 2}},
				Buckets: []wire.Bucket{}, Refill: wire.Refill{TokensPerSecond: 0.277778, Source: "policy"}, WouldAllow: &yes,
			},
		},
		{
			name: "list agents",
			call: func(c *Client) (any, error) {
				return c.Agents.List(ctx, ListOptions{Prefix: "a b", After: "x", Limit: 1})
			},
			line:   "GET /v1/agents?after=x&limit=1&prefix=a+b",
			answer: "agents",
			want:   AgentList{Agents: []AgentSummary{{Agent: "a", Tenant: "default", Policy: "default", Level: 1, Limit: 2, Consumed: 3}}, Next: "a"},
		},
		{
			name:   "top agents",
			call:   func(c *Client) (any, error) { return c.Agents.Top(ctx, 5) },
			line:   "GET /v1/agents?top=5",
			answer: "agents",
			want:   []AgentSummary{{Agent: "a", Tenant: "default", Policy: "default", Level: 1, Limit: 2, Consumed: 3}},
		},
		{
			name:   "refund",
			call:   func(c *Client) (any, error) { return c.Agents.Refund(ctx, "..", 5) },
			line:   "POST /v1/agents/%2E%2E/refund",
			body:   `{"tokens":5}`,
			answer: "refund",
			want:   Refund{Agent: "a", Tokens: 5, Refunded: 3, Limit: 1000, Remaining: 1000},
		},
		{
			name:   "reset",
			call:   func(c *Client) (any, error) { return nil, c.Agents.Reset(ctx, "a\xff%") },
			line:   "POST /v1/agents/a%FF%25/reset",
			answer: `{"agent":"a","reset":true}`,
		},
		{
			name:   "delete agent",
			call:   func(c *Client) (any, error) { return nil, c.Agents.Delete(ctx, "a") },
			line:   "DELETE /v1/agents/a",
			status: 204,
		},
		{
			name:   "get policy",
			call:   func(c *Client) (any, error) { return c.Policies.Get(ctx, "paid") },
			line:   "GET /v1/policies/paid",
			answer: "policy",
			want:   paid,
		},
		{
			name:   "put policy",
			call:   func(c *Client) (any, error) { return c.Policies.Put(ctx, paid) },
			line:   "PUT /v1/policies/paid",
			body:   golden(t, "policy"),
			status: 201,
			answer: "policy",
			want:   paid,
		},
		{
			name:   "list policies",
			call:   func(c *Client) (any, error) { return c.Policies.List(ctx, ListOptions{}) },
			line:   "GET /v1/policies",
			answer: "policies",
			want:   PolicyList{Policies: []Policy{paid}},
		},
		{
			name:   "delete policy",
			call:   func(c *Client) (any, error) { return nil, c.Policies.Delete(ctx, "paid") },
			line:   "DELETE /v1/policies/paid",
			status: 204,
		},
		{
			name:   "get register",
			call:   func(c *Client) (any, error) { return c.KV.Get(ctx, "x/y") },
			line:   "GET /v1/kv/x%2Fy",
			answer: "hello",
			reply:  []string{"Content-Type: text/plain", `ETag: "v1"`},
			want:   Entry{Value: []byte("hello"), ContentType: "text/plain", ETag: `"v1"`},
		},
		{
			name:   "get counter",
			call:   func(c *Client) (any, error) { e, err := c.KV.Get(ctx, "hits"); return *e.Counter, err },
			line:   "GET /v1/kv/hits",
			answer: `{"key":"hits","value":-7}`,
			want:   int64(-7),
		},
		{
			name:   "get document whose ETag a proxy took away",
			call:   func(c *Client) (any, error) { return c.KV.Get(ctx, "doc") },
			line:   "GET /v1/kv/doc",
			answer: `{"key":"another","value":1}`,
			want:   Entry{Value: []byte(`{"key":"another","value":1}`), ContentType: "application/json"},
		},
		{
			name: "put register",
			call: func(c *Client) (any, error) {
				return c.KV.Put(ctx, "x", []byte("hello"), PutOptions{ContentType: "text/plain", TTL: 1500 * time.Millisecond, IfNoneMatch: "*"})
			},
			line:   "PUT /v1/kv/x?ttl_seconds=2",
			body:   "hello",
			header: map[string]string{"Content-Type": "text/plain", "If-None-Match": "*"},
			status: 204,
			reply:  []string{`ETag: "v2"`},
			want:   `"v2"`,
		},
		{
			name:   "put nothing",
			call:   func(c *Client) (any, error) { return c.KV.Put(ctx, "x", nil, PutOptions{}) },
			line:   "PUT /v1/kv/x",
			header: map[string]string{"Content-Type": "application/octet-stream"},
			status: 204,
			want:   "",
		},
		{
			name:   "delete key",
			call:   func(c *Client) (any, error) { return nil, c.KV.Delete(ctx, "x", `"v1"`) },
			line:   "DELETE /v1/kv/x",
			header: map[string]string{"If-Match": `"v1"`},
			status: 204,
		},
		{
			name:   "increment",
			call:   func(c *Client) (any, error) { return c.KV.Increment(ctx, "hits", -3) },
			line:   "POST /v1/kv/hits/increment",
			body:   `{"by":-3}`,
			answer: `{"key":"hits","value":4}`,
			want:   Counter{Key: "hits", Value: 4},
		},
		{
			name:   "list keys",
			call:   func(c *Client) (any, error) { return c.KV.List(ctx, KeyListOptions{Values: true}) },
			line:   "GET /v1/kv?values=1",
			answer: "keys",
			want: KeyList{Keys: []KeyInfo{
				{Key: "hits", Kind: "counter"},
				{Key: "x/y", Kind: "register", ContentType: "text/plain", Size: 5, ETag: `"v1"`},
			}},
		},
		{
			name: "kv batch",
			call: func(c *Client) (any, error) {
				return c.KV.Batch(ctx, []KVOperation{{Op: wire.OpGet, Key: "x"}, {Op: wire.OpIncrement, Key: "n"}})
			},
			line:   "POST /v1/kv",
			body:   `{"operations":[{"op":"get","key":"x"},{"op":"increment","key":"n"}]}`,
			answer: "kv_batch",
			want: []KVResult{
				{Key: "x", Status: 200, ContentType: "text/plain", ETag: `"v1"`, Value: wire.Value{Text: &value}},
				{Key: "n", Status: 409, Problem: &wire.Problem{Type: "about:blank", Title: "Conflict", Status: 409, Detail: "the key is a register"}},
			},
		},
		{
			name:   "cluster",
			call:   func(c *Client) (any, error) { return c.Cluster.Get(ctx) },
			line:   "GET /v1/cluster",
			answer: "cluster",
			want: ClusterInfo{Name: "clawd", Self: "n1", Members: []Member{{
				Name: "n1", Node: "0000000000000001", Run: "00000000000000a1", State: wire.StateReady,
				HTTPAddr: "127.0.0.1:8080", PeerAddr: "127.0.0.1:8081",
			}}},
		},
		{
			name:   "join",
			call:   func(c *Client) (any, error) { return c.Cluster.Join(ctx, "a:7946", "b:7946") },
			line:   "POST /v1/cluster/join",
			body:   `{"addresses":["a:7946","b:7946"]}`,
			answer: `{"joined":2}`,
			want:   2,
		},
		{
			name:   "leave",
			call:   func(c *Client) (any, error) { return nil, c.Cluster.Leave(ctx) },
			line:   "POST /v1/cluster/leave",
			status: 202,
			answer: `{"state":"leaving"}`,
		},
		{
			name:   "forget",
			call:   func(c *Client) (any, error) { return c.Cluster.Forget(ctx, "n9") },
			line:   "POST /v1/cluster/forget",
			body:   `{"member":"n9"}`,
			answer: `{"member":"n9","node":"0000000000000009"}`,
			want:   Forgotten{Member: "n9", Node: "0000000000000009"},
		},
		{
			name:   "backup",
			call:   func(c *Client) (any, error) { return c.Backup(ctx, "/b") },
			line:   "POST /v1/backup",
			body:   `{"directory":"/b"}`,
			answer: `{"directory":"/b","bytes":10,"files":2}`,
			want:   BackupInfo{Directory: "/b", Bytes: 10, Files: 2},
		},
		{
			name:   "live",
			call:   func(c *Client) (any, error) { return nil, c.Health.Live(ctx) },
			line:   "GET /livez",
			answer: `{"status":"ok"}`,
		},
		{
			name:   "ready",
			call:   func(c *Client) (any, error) { return nil, c.Health.Ready(ctx) },
			line:   "GET /readyz",
			answer: `{"status":"ok"}`,
		},
		{
			name:   "check of a node that is not ready",
			call:   func(c *Client) (any, error) { return c.Health.Check(ctx) },
			line:   "GET /readyz?verbose=1",
			status: 503,
			answer: "unready",
			want: HealthInfo{Status: wire.HealthFailed, Checks: []wire.HealthCheck{
				{Name: "sync", Status: wire.HealthFailed, Detail: "waiting for a peer"},
			}},
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if tc.status == 0 {
				tc.status = http.StatusOK
			}
			if isGoldenName(tc.answer) {
				tc.answer = golden(t, tc.answer)
			}
			node := (&fakeNode{t: t}).then(reply(tc.status, tc.answer, tc.reply...))
			got, err := tc.call(node.client(Options{APIKey: "secret"}))
			if err != nil {
				t.Fatal(err)
			}
			seen := node.asked[0]
			if seen.line != tc.line {
				t.Errorf("asked %q, want %q", seen.line, tc.line)
			}
			if seen.body != tc.body && !sameJSON(seen.body, tc.body) {
				t.Errorf("sent %s, want %s", seen.body, tc.body)
			}
			for name, want := range tc.header {
				if got := seen.header.Get(name); got != want {
					t.Errorf("sent %s: %q, want %q", name, got, want)
				}
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

// isGoldenName tells a file of testdata from a literal body.
func isGoldenName(s string) bool {
	return s != "" && s[0] != '{' && s != "hello"
}

func sameJSON(a, b string) bool {
	var va, vb any
	return json.Unmarshal([]byte(a), &va) == nil && json.Unmarshal([]byte(b), &vb) == nil && reflect.DeepEqual(va, vb)
}

// TestAllFollowsPages walks two pages and stops where the caller stops.
func TestAllFollowsPages(t *testing.T) {
	node := (&fakeNode{t: t}).
		then(reply(200, `{"agents":[{"agent":"a"},{"agent":"b"}],"next":"b"}`)).
		then(reply(200, `{"agents":[{"agent":"c"}]}`))
	var names []string
	for a, err := range node.client(Options{}).Agents.All(context.Background(), "p") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, a.Agent)
	}
	if want := []string{"a", "b", "c"}; !reflect.DeepEqual(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	if got, want := node.asked[1].line, "GET /v1/agents?after=b&limit=1000&prefix=p"; got != want {
		t.Errorf("second page asked %q, want %q", got, want)
	}

	node = (&fakeNode{t: t}).then(reply(200, `{"policies":[{"name":"a"},{"name":"b"}],"next":"b"}`))
	for _, err := range node.client(Options{}).Policies.All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}

	node = (&fakeNode{t: t}).then(reply(400, golden(t, "problem_invalid")))
	var errs int
	for _, err := range node.client(Options{}).KV.All(context.Background(), "") {
		if err == nil {
			t.Error("a key came from a failed call")
		}
		errs++
	}
	if errs != 1 {
		t.Errorf("got %d errors, want 1", errs)
	}
}

// TestNewRefusesWhatIsNoAddress lists addresses people mistype.
func TestNewRefusesWhatIsNoAddress(t *testing.T) {
	for _, bad := range []string{"", "http://", "ftp://host", "http://host?x=1", "http://host#f", "http://:8080", "://", "http://a b"} {
		if _, err := New(bad, Options{}); err == nil {
			t.Errorf("New(%q) succeeded", bad)
		}
	}
	for in, want := range map[string]string{
		"127.0.0.1:8080":         "http://127.0.0.1:8080",
		"localhost:1":            "http://localhost:1",
		"https://lb.test/clawd/": "https://lb.test/clawd",
		"http://[::1]:8080":      "http://[::1]:8080",
	} {
		c, err := New(in, Options{})
		if err != nil {
			t.Errorf("New(%q): %v", in, err)
		} else if c.BaseURL() != want {
			t.Errorf("New(%q) asks %q, want %q", in, c.BaseURL(), want)
		}
	}
}
