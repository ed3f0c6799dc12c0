package node

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/ratelimit"
)

func check(agent string, tokens int64) api.Check {
	return api.Check{Tenant: api.DefaultTenant, Agent: agent, Tokens: tokens}
}

func inline(capacity int64) api.Inline {
	return api.Inline{Given: true, Policy: wire.InlinePolicy{
		Capacity: capacity, RefillRate: ratelimit.Whole(1), IntervalSeconds: ratelimit.Whole(3600),
	}}
}

func TestErrorsNameWhatIsWrong(t *testing.T) {
	t.Parallel()
	p := public{open(t, peered(t, "a"))}
	ctx := t.Context()
	bad := check("x", 1)
	bad.Inline = inline(0)
	for _, c := range []struct {
		name  string
		err   error
		kind  error
		field string
	}{
		{"more than the capacity", second(p.Consume(ctx, check("x", 1001))), api.ErrInvalid, "tokens"},
		{"a bad inline policy", second(p.Consume(ctx, bad)), api.ErrInvalid, "policy.capacity"},
		{"in a batch", batch(ctx, p, check("x", 1), check("y", 2000)), api.ErrInvalid, "checks[1].tokens"},
		{"in an atomic batch", atomicBatch(ctx, p, check("x", 1), check("x", 1000)), api.ErrInvalid, "checks[0].tokens"},
		{"a bad inline policy in a batch", batch(ctx, p, check("x", 1), bad), api.ErrInvalid, "checks[1].policy.capacity"},
	} {
		var field *api.FieldError
		if !errors.Is(c.err, c.kind) || !errors.As(c.err, &field) || field.Field != c.field {
			t.Errorf("%s: %v", c.name, c.err)
		}
	}
	if a, err := p.Explain(ctx, check("x", 0)); err != nil || a.Consumed != 0 {
		t.Errorf("refused calls consumed %d, %v", a.Consumed, err)
	}
}

func second[T any](_ T, err error) error { return err }

func batch(ctx context.Context, p public, checks ...api.Check) error {
	return second(p.ConsumeBatch(ctx, checks, false, make([]api.Decision, len(checks))))
}

func atomicBatch(ctx context.Context, p public, checks ...api.Check) error {
	return second(p.ConsumeBatch(ctx, checks, true, make([]api.Decision, len(checks))))
}

// TestBatchesOfAllDurabilities mixes buckets that are answered at once, after
// the fsync, and after a mark.
func TestBatchesOfAllDurabilities(t *testing.T) {
	t.Parallel()
	p := public{open(t, peered(t, "a"))}
	ctx := t.Context()
	for _, d := range []ratelimit.Durability{ratelimit.Async, ratelimit.Reserve, ratelimit.Sync} {
		_, err := p.PutPolicy(ctx, api.DefaultTenant, ratelimit.Policy{
			Name: string(d), Match: string(d) + "-*", Capacity: 10,
			RefillRate: ratelimit.Whole(1), IntervalSeconds: ratelimit.Whole(3600), Durability: d,
		}, api.Condition{})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, atomic := range []bool{false, true} {
		checks := []api.Check{check("async-1", 4), check("reserve-1", 4), check("sync-1", 4), check("reserve-2", 4)}
		out := make([]api.Decision, len(checks))
		binding, err := p.ConsumeBatch(ctx, checks, atomic, out)
		if err != nil || binding != -1 {
			t.Fatalf("atomic %v: binding %d, %v", atomic, binding, err)
		}
		for i := range out {
			if !out[i].Allowed {
				t.Errorf("atomic %v: %s is denied", atomic, checks[i].Agent)
			}
		}
	}
	// 8 of 10 are gone everywhere.
	checks := []api.Check{check("async-1", 1), check("reserve-1", 3)}
	out := make([]api.Decision, 2)
	if binding, err := p.ConsumeBatch(ctx, checks, true, out); err != nil || binding != 1 || out[0].Allowed || out[1].Allowed {
		t.Errorf("an atomic batch over the limit: binding %d, %+v, %v", binding, out, err)
	}
	for agent, want := range map[string]uint64{"async-1": 8, "reserve-1": 8, "sync-1": 8, "reserve-2": 8} {
		if a, err := p.Explain(ctx, check(agent, 0)); err != nil || a.Consumed != want {
			t.Errorf("%s consumed %d, %v; want %d", agent, a.Consumed, err, want)
		}
	}
}

func TestExplainAndListTellOfInlineBuckets(t *testing.T) {
	t.Parallel()
	n := open(t, peered(t, "a"))
	p, ctx := public{n}, t.Context()
	c := check("x", 3)
	c.Inline = inline(5)
	for _, c := range []api.Check{c, check("x", 2), check("y", 1)} {
		if d, err := p.Consume(ctx, c); err != nil || !d.Allowed {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	a, err := p.Explain(ctx, check("x", 0))
	if err != nil || a.Consumed != 5 || len(a.Buckets) != 2 || a.PolicySource != "default" || a.Level != 998 || len(a.Origins) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	list, more, err := p.ListAgents(ctx, api.Page{Tenant: api.DefaultTenant, Limit: 1})
	if err != nil || !more || len(list) != 1 || list[0].Agent != "x" || list[0].Consumed != 5 || list[0].Policy != "default" {
		t.Errorf("%+v, %v, %v", list, more, err)
	}
	settle(t, n) // the ranking is counted at the flush
	top, err := p.TopAgents(ctx, api.DefaultTenant, 1)
	if err != nil || len(top) != 1 || top[0].Agent != "x" || top[0].Admitted != 5 {
		t.Errorf("%+v, %v", top, err)
	}
	back, err := p.Refund(ctx, check("x", 50))
	if err != nil || back.Refunded != 2 {
		t.Errorf("a refund of the default bucket gave %+v, %v; want the 2 tokens consumed there", back, err)
	}
}

func TestListingsEndByCountAndBySize(t *testing.T) {
	t.Parallel()
	p := public{open(t, peered(t, "a"))}
	ctx := t.Context()
	for _, key := range []string{"a", "b", "c"} {
		put := api.Put{Tenant: api.DefaultTenant, Key: key, Value: make([]byte, 100)}
		if _, err := p.PutKey(ctx, put); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		page api.Page
		keys int
		more bool
	}{
		{api.Page{Limit: 3}, 3, false},
		{api.Page{Limit: 2}, 2, true},
		{api.Page{Limit: 3, After: "a"}, 2, false},
		{api.Page{Limit: 3, MaxBytes: 150}, 2, true},
		{api.Page{Limit: 3, MaxBytes: 250}, 3, false},
		{api.Page{Limit: 3, Prefix: "x"}, 0, false},
	} {
		c.page.Tenant = api.DefaultTenant
		keys, more, err := p.ListKeys(ctx, c.page, true)
		if err != nil || len(keys) != c.keys || more != c.more {
			t.Errorf("%+v: %d keys, more %v, %v; want %d, %v", c.page, len(keys), more, err, c.keys, c.more)
		}
	}
}

func BenchmarkConsume(b *testing.B) {
	n, err := Open(b.Context(), Options{
		DataDir: b.TempDir(), HTTPAddr: "127.0.0.1:0", PeerAddr: "127.0.0.1:0", GossipAddr: "127.0.0.1:0",
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = n.Close(context.Background()) }()
	p := public{n}
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf("agent-%d", i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := p.Consume(b.Context(), check(names[i%len(names)], 1)); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
