package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/internal/faultnet"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peered is the options of a node of the tests: loopback, free ports, a
// directory of its own, and the periods nobody sets shortened.
func peered(t *testing.T, name string, join ...*Node) Options {
	t.Helper()
	o := Options{
		Name: name, DataDir: t.TempDir(),
		HTTPAddr: "127.0.0.1:0", PeerAddr: "127.0.0.1:0", GossipAddr: "127.0.0.1:0",
		FlushInterval: 20 * time.Millisecond, PullInterval: 100 * time.Millisecond,
		DrainTimeout: 5 * time.Second,
		tuning: tuning{
			idleInterval: 50 * time.Millisecond, tickInterval: 50 * time.Millisecond,
			joinInterval: 100 * time.Millisecond, probeInterval: 200 * time.Millisecond,
			releaseAfter: 2 * time.Second,
			disk:         storage.DiskLimits{Low: 1e-9, Critical: 1e-9, BallastBytes: -1},
		},
	}
	if testing.Verbose() && os.Getenv("CLAWD_TEST_LOG") != "" {
		o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", name)
	}
	for _, n := range join {
		o.Join = append(o.Join, n.GossipAddr())
	}
	return o
}

// open starts a node and closes it with the test.
func open(t *testing.T, o Options) *Node {
	t.Helper()
	n, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(context.Background()); err != nil {
			t.Errorf("close %s: %v", n.Name(), err)
		}
	})
	return n
}

func closeNode(t *testing.T, n *Node) {
	t.Helper()
	if err := n.Close(context.Background()); err != nil {
		t.Fatalf("close %s: %v", n.Name(), err)
	}
}

// patience is how long a test waits for what must come; a loaded machine may
// need some of it.
const patience = 20 * time.Second

// eventually polls until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

func waitReady(t *testing.T, nodes ...*Node) {
	t.Helper()
	for _, n := range nodes {
		select {
		case <-n.Ready():
		case <-time.After(patience):
			t.Fatalf("%s is not ready", n.Name())
		}
	}
}

// trio is three nodes that see each other.
func trio(t *testing.T) []*Node {
	t.Helper()
	a := open(t, peered(t, "a"))
	b := open(t, peered(t, "b", a))
	c := open(t, peered(t, "c", a))
	nodes := []*Node{a, b, c}
	waitReady(t, nodes...)
	meet(t, nodes...)
	return nodes
}

// meet waits until each node sees all the others.
func meet(t *testing.T, nodes ...*Node) {
	t.Helper()
	for _, n := range nodes {
		eventually(t, n.Name()+" sees all the others", func() bool {
			alive, _ := n.peers.known()
			return alive == len(nodes)-1
		})
	}
}

// call makes one request of the API and decodes its answer.
func call[T any](t *testing.T, method, addr, path string, body any) (status int, answer T) {
	t.Helper()
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+path, content)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := testClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
	return resp.StatusCode, answer
}

// testClient keeps no connection, which would be a leak between tests.
var testClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

func consume(t *testing.T, n *Node, agent string, tokens int64) bool {
	t.Helper()
	status, d := call[wire.Decision](t, http.MethodPost, n.HTTPAddr(), "/v1/agents/"+agent+"/consume", map[string]int64{"tokens": tokens})
	if status != http.StatusOK && status != http.StatusTooManyRequests {
		t.Fatalf("consume on %s answered %d", n.Name(), status)
	}
	return d.Allowed
}

func consumed(t *testing.T, n *Node, agent string) uint64 {
	t.Helper()
	status, a := call[wire.Agent](t, http.MethodGet, n.HTTPAddr(), "/v1/agents/"+agent, nil)
	if status != http.StatusOK {
		t.Fatalf("explain on %s answered %d", n.Name(), status)
	}
	return a.Consumed
}

// settle waits until what a node has taken so far is on its disk.
func settle(t *testing.T, n *Node) {
	t.Helper()
	now := n.replica.Durable()
	eventually(t, n.Name()+" flushes", func() bool { return n.replica.Durable() >= now+2 })
}

// agree waits until all nodes know the same, and compares their digests.
func agree(t *testing.T, nodes ...*Node) {
	t.Helper()
	for _, n := range nodes {
		settle(t, n)
	}
	eventually(t, "equal vectors and digests", func() bool {
		var first string
		for i, n := range nodes {
			d, err := n.replica.Digest(n.now())
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprint(d.Vector, d.Buckets)
			if i == 0 {
				first = text
			} else if text != first {
				return false
			}
		}
		return true
	})
}

func TestConsumptionIsSeenByAllWithinASecond(t *testing.T) {
	nodes := trio(t)
	for i, n := range nodes {
		agent := fmt.Sprintf("agent-%d", i)
		if !consume(t, n, agent, 100) {
			t.Fatalf("%s denied the first call of an agent", n.Name())
		}
		began := time.Now()
		for _, other := range nodes {
			eventually(t, other.Name()+" sees it", func() bool { return consumed(t, other, agent) == 100 })
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("consumption on %s was seen by all after %v, want 1 s", n.Name(), took)
		}
	}
	for _, n := range nodes {
		if s := n.replica.Stats(n.now()); s.Rows < 2 {
			t.Errorf("%s merged %d rows: it did not learn by syncing", n.Name(), s.Rows)
		}
	}
}

func TestQuietNodesHaveEqualTotalsAndDigests(t *testing.T) {
	t.Parallel()
	nodes := trio(t)
	const agents = 50
	want := make(map[string]uint64)
	for i := range 600 {
		agent := fmt.Sprintf("agent-%d", i%agents)
		if consume(t, nodes[i%3], agent, int64(i%7+1)) {
			want[agent] += uint64(i%7 + 1)
		}
	}
	agree(t, nodes...)
	for agent, sum := range want {
		for _, n := range nodes {
			if got := consumed(t, n, agent); got != sum {
				t.Errorf("%s says %s consumed %d, want %d", n.Name(), agent, got, sum)
			}
		}
	}
}

func TestAFourthNodeJoinsEmptyAndServesTheSameTotals(t *testing.T) {
	t.Parallel()
	nodes := trio(t)
	for i, n := range nodes {
		consume(t, n, "early", int64(10*(i+1)))
	}
	agree(t, nodes...)
	d := open(t, peered(t, "d", nodes[1]))
	waitReady(t, d)
	if got := consumed(t, d, "early"); got != 60 {
		t.Errorf("a node that is ready says %d were consumed, want 60", got)
	}
	consume(t, d, "early", 5)
	nodes = append(nodes, d)
	meet(t, nodes...)
	agree(t, nodes...)
	for _, n := range nodes {
		if got := consumed(t, n, "early"); got != 65 {
			t.Errorf("%s says %d, want 65", n.Name(), got)
		}
	}
}

func TestANodeThatLeavesReleasesItsShareAtOnce(t *testing.T) {
	t.Parallel()
	nodes := trio(t)
	consume(t, nodes[2], "x", 1)
	agree(t, nodes...)
	closeNode(t, nodes[2])
	for _, n := range nodes[:2] {
		eventually(t, n.Name()+" releases the share", func() bool {
			m := memberNamed(t, n, "c")
			return m.State == replica.PeerLeft && m.Released
		})
	}
}

func memberNamed(t *testing.T, n *Node, name string) replica.MemberInfo {
	t.Helper()
	for _, m := range n.replica.Members(n.now()) {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("%s does not know %s", n.Name(), name)
	return replica.MemberInfo{}
}

func TestAFailedNodesShareIsReleasedByTheMajorityOnly(t *testing.T) {
	t.Parallel()
	world := faultnet.New()
	var nodes []*Node
	for _, name := range []string{"a", "b", "c"} {
		o := peered(t, name, nodes...)
		o.Network = world.Host(name)
		nodes = append(nodes, open(t, o))
	}
	waitReady(t, nodes...)
	meet(t, nodes...)
	world.Isolate("c", "a", "b")
	for _, n := range nodes[:2] {
		eventually(t, n.Name()+" releases the share", func() bool {
			m := memberNamed(t, n, "c")
			return m.State == replica.PeerFailed && m.Released
		})
	}
	eventually(t, "c sees that it is alone", func() bool { return nodes[2].health.isDegraded(reasonAlone) })
	for _, name := range []string{"a", "b"} {
		if memberNamed(t, nodes[2], name).Released {
			t.Errorf("the minority released the share of %s", name)
		}
	}
	if !consume(t, nodes[2], "lonely", 3) || !consume(t, nodes[0], "many", 4) {
		t.Error("a node denied although there was enough on either side")
	}
	world.Heal()
	agree(t, nodes...)
	for _, n := range nodes {
		if l, m := consumed(t, n, "lonely"), consumed(t, n, "many"); l != 3 || m != 4 {
			t.Errorf("%s says %d and %d after the heal, want 3 and 4", n.Name(), l, m)
		}
	}
	meet(t, nodes...)
	eventually(t, "c is no longer degraded", func() bool { return !nodes[2].health.isDegraded(reasonAlone) })
}

func TestARestartKeepsTotals(t *testing.T) {
	t.Parallel()
	a := open(t, peered(t, "a"))
	o := peered(t, "b", a)
	b := open(t, o)
	waitReady(t, a, b)
	consume(t, b, "x", 7)
	consume(t, a, "x", 1)
	closeNode(t, b)
	consume(t, a, "x", 2)
	settle(t, a)

	b = open(t, o)
	waitReady(t, b)
	if got := consumed(t, b, "x"); got != 10 {
		t.Errorf("a node that came back and is ready says %d, want 10", got)
	}
	consume(t, b, "x", 5)
	meet(t, a, b)
	agree(t, a, b)
	if got := consumed(t, a, "x"); got != 15 {
		t.Errorf("its peer says %d, want 15", got)
	}
}

func TestANodeOfAnotherClusterIsRefused(t *testing.T) {
	t.Parallel()
	a := open(t, peered(t, "a"))
	o := peered(t, "b", a)
	o.Cluster = "other"
	o.SyncWait = 300 * time.Millisecond
	b := open(t, o)
	waitReady(t, a, b)
	consume(t, a, "x", 3)
	if alive, _ := b.peers.known(); alive != 0 {
		t.Error("a node of another cluster was taken as a peer")
	}
	page := b.replica.IdlePage(b.now())
	if _, err := a.client.merge(t.Context(), a.PeerAddr(), frame([]*antientropy.Page{page})[0]); err == nil {
		t.Error("a page of another cluster was taken")
	}
	if got := consumed(t, b, "x"); got != 0 {
		t.Errorf("a node of another cluster learnt of %d tokens", got)
	}
}
