//go:build upgrade

package upgrade

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openclaw/clawd/client"
	"github.com/openclaw/clawd/internal/fleet"
	"github.com/openclaw/clawd/internal/witness"
	"github.com/openclaw/clawd/ratelimit"
)

// patience bounds waits for what takes moments on an idle machine.
const patience = 90 * time.Second

// phases are the upgrade, a step back, and the rest of it: which nodes run
// which version, and one node at a time in between.
var phases = []struct {
	node int
	new  bool
}{{0, true}, {1, true}, {1, false}, {1, true}, {2, true}}

func TestMain(m *testing.M) {
	code := m.Run()
	fleet.RemoveBinary()
	os.Exit(code)
}

// dwell is how long the cluster is under load between two steps: ten minutes
// altogether, or moments with -short.
func dwell() time.Duration {
	if testing.Short() {
		return 2 * time.Second
	}
	return 10 * time.Minute / time.Duration(len(phases)+1)
}

func TestRollingUpgradeUnderLoadForgetsNothing(t *testing.T) {
	before, now := binaries(t)
	f := fleet.New(now, t.TempDir())
	t.Cleanup(func() { end(t, f) })
	var nodes []*fleet.Node
	for _, name := range []string{"a", "b", "c"} {
		n, err := f.Add(name)
		must(t, err)
		n.SetBinary(before)
		nodes = append(nodes, n)
	}
	must(t, f.StartAll(within(t)))
	agents := map[string]ratelimit.Durability{"async-1": ratelimit.Async, "reserve-1": ratelimit.Reserve, "sync-1": ratelimit.Sync}
	for agent, durability := range agents {
		putPolicy(t, agent, durability, nodes)
	}
	must(t, putKey(t, nodes[0], "written", "by the old"))

	c := startCallers(t, f, nodes, agents)
	rest(t, dwell())
	for _, p := range phases {
		n := nodes[p.node]
		must(t, n.Stop())
		n.SetBinary(before)
		if p.new {
			n.SetBinary(now)
		}
		must(t, n.Start(within(t)))
		must(t, f.Assembled(within(t), nodes...))
		checkBinary(t, n, p.new, now)
		rest(t, dwell())
	}
	c.stop()

	for agent := range agents {
		total, err := fleet.Totals(within(t), agent, nodes...)
		must(t, err)
		account := witness.AccountOf(f.Book.Answers(witness.Of(agent)), total)
		if err := account.Check(0, 0); err != nil {
			t.Errorf("%s: %v", agent, err)
		}
		if account.Acknowledged == 0 {
			t.Errorf("%s: nothing was admitted, so nothing was proven", agent)
		}
	}
	for _, n := range nodes {
		value, err := n.Client.KV.Get(t.Context(), "written")
		must(t, err)
		if string(value.Value) != "by the old" {
			t.Errorf("%s has %q", n.Name, value.Value)
		}
	}
	if failed := c.failed.Load(); failed > 0 {
		t.Errorf("%d of %d calls failed at every node they were made at", failed, c.calls.Load())
	}
	t.Logf("%d calls, %d of them made again at another node; %d failed", c.calls.Load(), c.again.Load(), c.failed.Load())
}

// callers are clients behind a load balancer that knows nothing: what a node
// does not answer is asked of the next.
type callers struct {
	cancel               context.CancelFunc
	wg                   sync.WaitGroup
	calls, again, failed atomic.Int64
}

// pace is the time between two calls of a caller.
const pace = 25 * time.Millisecond

func startCallers(t *testing.T, f *fleet.Fleet, nodes []*fleet.Node, agents map[string]ratelimit.Durability) *callers {
	ctx, cancel := context.WithCancel(t.Context())
	c := &callers{cancel: cancel}
	t.Cleanup(c.stop)
	first := 0
	for agent := range agents {
		at := first
		first++
		c.wg.Go(func() {
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for ; ; at++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					c.call(t.Context(), f, nodes, at, agent)
				}
			}
		})
	}
	return c
}

// call asks one node after the other until one decides: at most each twice.
func (c *callers) call(ctx context.Context, f *fleet.Fleet, nodes []*fleet.Node, at int, agent string) {
	c.calls.Add(1)
	for try := range 2 * len(nodes) {
		a := f.Ask(ctx, nodes[(at+try)%len(nodes)], agent, 1)
		if a.Verdict == witness.Admitted || a.Verdict == witness.Denied {
			return
		}
		if try == 0 {
			c.again.Add(1)
		}
	}
	c.failed.Add(1)
}

func (c *callers) stop() {
	c.cancel()
	c.wg.Wait()
}

func binaries(t *testing.T) (before, now string) {
	t.Helper()
	before = os.Getenv("UPGRADE_FROM")
	if before == "" {
		t.Fatal("UPGRADE_FROM does not name the binary of the version before: run make upgrade-test")
	}
	now, err := fleet.Binary()
	must(t, err)
	t.Logf("from %s to %s", version(t, before), version(t, now))
	return before, now
}

func version(t *testing.T, binary string) string {
	t.Helper()
	out, err := exec.Command(binary, "version").Output()
	must(t, err)
	return strings.TrimSpace(string(out))
}

// checkBinary makes sure that the step was one: the process runs what it is
// said to run.
func checkBinary(t *testing.T, stepped *fleet.Node, isNew bool, now string) {
	t.Helper()
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", stepped.Process().PID()))
	must(t, err)
	if (exe == now) != isNew {
		t.Errorf("%s runs %s", stepped.Name, exe)
	}
}

func putPolicy(t *testing.T, agent string, d ratelimit.Durability, nodes []*fleet.Node) {
	t.Helper()
	_, err := nodes[0].Client.Policies.Put(t.Context(), client.Policy{
		Name: agent, Match: agent, Capacity: 1_000_000, RefillRate: ratelimit.Whole(1), IntervalSeconds: ratelimit.Whole(3600), Durability: d,
	})
	must(t, err)
	for _, n := range nodes {
		must(t, fleet.Until(within(t), func(ctx context.Context) error {
			_, err := n.Client.Policies.Get(ctx, agent)
			return err
		}))
	}
}

func putKey(t *testing.T, n *fleet.Node, key, value string) error {
	t.Helper()
	_, err := n.Client.KV.Put(t.Context(), key, []byte(value), client.PutOptions{})
	return err
}

// rest lets the load go on for a while.
func rest(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

func end(t *testing.T, f *fleet.Fleet) {
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		for _, n := range f.Nodes() {
			t.Logf("%s said:\n%s", n.Name, n.Log())
		}
	}
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
