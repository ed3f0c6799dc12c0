package e2e

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/ratelimit"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		os.Exit(serveAhead(os.Args[2:]))
	}
	code := m.Run()
	fleet.RemoveBinary()
	os.Exit(code)
}

// patience bounds waits for what takes moments on an idle machine.
const patience = 60 * time.Second

// within returns a context that ends after d, or with the test.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newFleet returns a fleet without nodes that ends with the test. A test that
// fails shows what the nodes said.
func newFleet(t *testing.T) *fleet.Fleet {
	t.Helper()
	bin, err := fleet.Binary()
	must(t, err)
	f := fleet.New(bin, t.TempDir())
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			for _, n := range f.Nodes() {
				t.Logf("%s said:\n%s", n.Name, n.Log())
			}
		}
	})
	return f
}

// add makes a node on loopback.
func add(t *testing.T, f *fleet.Fleet, name string, flags ...string) *fleet.Node {
	t.Helper()
	n, err := f.Add(name, flags...)
	must(t, err)
	return n
}

// started returns a fleet of running nodes that know each other.
func started(t *testing.T, names ...string) (*fleet.Fleet, []*fleet.Node) {
	t.Helper()
	f := newFleet(t)
	for _, name := range names {
		add(t, f, name)
	}
	must(t, f.StartAll(within(t, patience)))
	return f, f.Nodes()
}

// putPolicy stores a policy at one node and waits until all have it.
func putPolicy(t *testing.T, p client.Policy, nodes ...*fleet.Node) {
	t.Helper()
	ctx := within(t, patience)
	_, err := nodes[0].Client.Policies.Put(ctx, p)
	must(t, err)
	must(t, fleet.Until(ctx, func(ctx context.Context) error {
		for _, n := range nodes {
			if _, err := n.Client.Policies.Get(ctx, p.Name); err != nil {
				return err
			}
		}
		return nil
	}))
}

// roomy never denies, so that every request is counted.
func roomy(name, match string, d ratelimit.Durability) client.Policy {
	return client.Policy{
		Name: name, Match: match, Capacity: 1_000_000_000,
		RefillRate: ratelimit.Whole(1), IntervalSeconds: ratelimit.Whole(3600), Durability: d,
	}
}

// tight refills capacity tokens a second.
func tight(name, match string, capacity, perSecond int64) client.Policy {
	return client.Policy{
		Name: name, Match: match, Capacity: capacity,
		RefillRate: ratelimit.Whole(perSecond), IntervalSeconds: ratelimit.Whole(1),
	}
}

// shortly is n, or the smaller number of a short run.
func shortly(n, short int) int {
	if testing.Short() {
		return short
	}
	return n
}
