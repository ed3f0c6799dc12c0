package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/storage"
)

// refused opens a node that must not start, and returns why it does not.
func refused(t *testing.T, o Options) error {
	t.Helper()
	n, err := Open(t.Context(), o)
	if err == nil {
		closeNode(t, n)
		t.Fatal("the node started")
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("not one sentence: %v", err)
	}
	return err
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	taken := l.Addr().String()
	for what, set := range map[string]func(*Options){
		"http":   func(o *Options) { o.HTTPAddr = taken },
		"peer":   func(o *Options) { o.PeerAddr = taken },
		"gossip": func(o *Options) { o.GossipAddr = taken },
		"admin":  func(o *Options) { o.AdminAddr = taken },
	} {
		o := peered(t, "a")
		set(&o)
		err := refused(t, o)
		if !errors.Is(err, ErrAddressInUse) || !strings.Contains(err.Error(), what+" address "+taken) {
			t.Errorf("%s: %v", what, err)
		}
		o.HTTPAddr, o.PeerAddr, o.GossipAddr, o.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", ""
		closeNode(t, open(t, o)) // nothing was left behind that would be in the way
	}
}

func TestADataDirectoryInUseIsRefused(t *testing.T) {
	t.Parallel()
	o := peered(t, "a")
	open(t, o)
	if err := refused(t, o); !errors.Is(err, storage.ErrLocked) || !strings.Contains(err.Error(), o.DataDir) {
		t.Errorf("%v", err)
	}
}

func TestADataDirectoryThatCannotBeMadeIsRefused(t *testing.T) {
	t.Parallel()
	o := peered(t, "a")
	o.DataDir = filepath.Join(o.DataDir, "file")
	if err := os.WriteFile(o.DataDir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := refused(t, o); !strings.Contains(err.Error(), o.DataDir) {
		t.Errorf("%v does not name the directory", err)
	}
}

func TestADataDirectoryOfAnotherClusterIsRefused(t *testing.T) {
	t.Parallel()
	o := peered(t, "a")
	closeNode(t, open(t, o))
	o.Cluster = "other"
	if err := refused(t, o); !errors.Is(err, ErrOtherCluster) {
		t.Errorf("%v", err)
	}
}

// corrupt damages every table and log of a closed store.
func corrupt(t *testing.T, dataDir string) {
	t.Helper()
	hit := 0
	for _, pattern := range []string{"*.sst", "*.log"} {
		files, err := filepath.Glob(filepath.Join(storeDir(dataDir), pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if len(b) == 0 {
				continue
			}
			for i := range b {
				b[i] ^= 0x5a
			}
			if err := os.WriteFile(f, b, 0o600); err != nil {
				t.Fatal(err)
			}
			hit++
		}
	}
	if hit == 0 {
		t.Fatal("there was nothing to damage")
	}
}

func TestACorruptStoreIsRefusedOrRebuiltFromAPeer(t *testing.T) {
	t.Parallel()
	a := open(t, peered(t, "a"))
	o := peered(t, "b", a)
	b := open(t, o)
	waitReady(t, a, b)
	meet(t, a, b)
	consume(t, a, "x", 4)
	consume(t, b, "x", 5)
	agree(t, a, b)
	old := b.ID()
	closeNode(t, b)
	corrupt(t, o.DataDir)
	if err := refused(t, o); !errors.Is(err, storage.ErrCorrupt) {
		t.Fatalf("%v", err)
	}
	o.AutoRebuild = true
	b = open(t, o)
	waitReady(t, b)
	if b.ID() == old {
		t.Error("a node that lost its data kept its identity")
	}
	if got := consumed(t, b, "x"); got != 9 {
		t.Errorf("the rebuilt node says %d, want 9", got)
	}
	aside, err := filepath.Glob(storeDir(o.DataDir) + ".set-aside-*")
	if err != nil || len(aside) != 1 {
		t.Errorf("the damaged data are at %v, %v", aside, err)
	}
}

func TestThreeNewNodesThatKnowEachOtherOnlyStart(t *testing.T) {
	t.Parallel()
	// Each is told of all three, as from one configuration.
	var all []string
	var os []Options
	for _, name := range []string{"a", "b", "c"} {
		o := peered(t, name)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		o.GossipAddr = l.Addr().String()
		_ = l.Close()
		all = append(all, o.GossipAddr)
		os = append(os, o)
	}
	var nodes []*Node
	for _, o := range os {
		o.Join = all
		o.SyncWait = patience // nobody may begin alone
		nodes = append(nodes, open(t, o))
	}
	waitReady(t, nodes...)
	meet(t, nodes...)
	consume(t, nodes[0], "x", 2)
	agree(t, nodes...)
	for _, n := range nodes {
		if got := consumed(t, n, "x"); got != 2 {
			t.Errorf("%s says %d, want 2", n.Name(), got)
		}
	}
}

func TestANodeWhosePeersAreAwayServesAlone(t *testing.T) {
	t.Parallel()
	o := peered(t, "a")
	o.Join = []string{"127.0.0.1:1"}
	o.SyncWait = 300 * time.Millisecond
	a := open(t, o)
	status, _ := call[wire.Problem](t, http.MethodPost, a.HTTPAddr(), "/v1/agents/x/consume", nil)
	if status != http.StatusServiceUnavailable {
		t.Errorf("a node that has not begun answered %d, want 503", status)
	}
	if status, _ := call[wire.Health](t, http.MethodGet, a.HTTPAddr(), "/readyz", nil); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz answered %d, want 503", status)
	}
	if status, _ := call[wire.Health](t, http.MethodGet, a.HTTPAddr(), "/livez", nil); status != http.StatusOK {
		t.Errorf("/livez answered %d, want 200", status)
	}
	waitReady(t, a)
	if !consume(t, a, "x", 1) {
		t.Error("it denied the first call")
	}
	if status, _ := call[wire.Health](t, http.MethodGet, a.HTTPAddr(), "/readyz", nil); status != http.StatusOK {
		t.Errorf("/readyz answered %d, want 200", status)
	}
}

func TestAHalfLoadedStoreIsThrownAway(t *testing.T) {
	t.Parallel()
	o := peered(t, "a")
	node := crdt.NodeID(77)
	store, err := emptyStore(o.WithDefaults(), storage.Options{}, identity{node: node})
	if err != nil {
		t.Fatal(err)
	}
	if err := storage.Import(store, strings.NewReader("clawd-transfer-1\n"), nil); err == nil {
		t.Fatal("a transfer without an end was taken")
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	a := open(t, o)
	waitReady(t, a)
	if a.ID() != node {
		t.Errorf("the node is %v, want %v: nobody has seen rows of it yet", a.ID(), node)
	}
	if unfinished, err := storage.ImportUnfinished(a.store); unfinished || err != nil {
		t.Errorf("the half-loaded store is in use: %v", err)
	}
}

func TestAForgottenNodeStopsAndComesBackAsANewOne(t *testing.T) {
	t.Parallel()
	a := open(t, peered(t, "a"))
	o := peered(t, "b", a)
	b := open(t, o)
	waitReady(t, a, b)
	meet(t, a, b)
	consume(t, b, "x", 6)
	agree(t, a, b)
	old := b.ID()
	closeNode(t, b)
	eventually(t, "a sees that b left", func() bool { alive, _ := a.peers.known(); return alive == 0 })
	status, _ := call[wire.ForgetResponse](t, http.MethodPost, a.HTTPAddr(), "/v1/cluster/forget", wire.ForgetRequest{Member: "b"})
	if status != http.StatusOK {
		t.Fatalf("forget answered %d", status)
	}

	b, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-b.Done():
	case <-time.After(patience):
		t.Error("a forgotten node went on")
	}
	if err := b.Close(context.Background()); !errors.Is(err, ErrForgotten) {
		t.Errorf("close: %v, want ErrForgotten", err)
	}
	b = open(t, o)
	waitReady(t, b)
	if b.ID() == old {
		t.Error("it came back under its old identity")
	}
	if got := consumed(t, b, "x"); got != 6 {
		t.Errorf("it says %d, want 6", got)
	}
}

func TestCloseIsRepeatableAndConcurrent(t *testing.T) {
	t.Parallel()
	n := open(t, peered(t, "a"))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := n.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	o := peered(t, "a")
	go func() { ended <- Run(ctx, o) }()
	eventually(t, "the store exists", func() bool { _, err := os.Stat(storeDir(o.DataDir)); return err == nil })
	cancel()
	select {
	case err := <-ended:
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("run: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Run did not return")
	}
}

func TestANodeThatLeavesForGoodIsNoMemberAnyMore(t *testing.T) {
	t.Parallel()
	a := open(t, peered(t, "a"))
	o := peered(t, "b", a)
	o.Version = "v1.2.3"
	b := open(t, o)
	waitReady(t, a, b)
	meet(t, a, b)
	if v := peerNamed(t, a, "b").version; v != "v1.2.3" {
		t.Errorf("a knows version %q of b", v)
	}
	old := b.ID()
	if status, _ := call[wire.LeaveResponse](t, http.MethodPost, b.HTTPAddr(), "/v1/cluster/leave", nil); status/100 != 2 {
		t.Fatalf("leave answered %d", status)
	}
	select {
	case <-b.Done():
	case <-time.After(patience):
		t.Fatal("a node that leaves goes on")
	}
	closeNode(t, b)
	eventually(t, "a knows that b left for good", func() bool { return memberNamed(t, a, "b").Gone == "left" })
	b = open(t, o)
	waitReady(t, b)
	if b.ID() == old {
		t.Error("a node that had left for good came back as itself")
	}
}

// TestADonorThatBreaksOffLeavesNothingBehind loads from one that sends half of
// a state, and then from a whole one.
func TestADonorThatBreaksOffLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	a := open(t, peered(t, "a"))
	waitReady(t, a)
	for i := range 200 {
		consume(t, a, fmt.Sprintf("agent-%d", i), 1)
	}
	settle(t, a)
	var whole bytes.Buffer
	if err := a.replica.WriteSnapshot(&whole); err != nil {
		t.Fatal(err)
	}
	half := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(whole.Bytes()[:whole.Len()/2])
	}))
	defer half.Close()

	o := peered(t, "b")
	o.Join = []string{"127.0.0.1:1"} // nobody, so that it keeps waiting for a donor
	o.SyncWait = 10 * patience
	b := open(t, o)
	id := b.ID()
	if err := b.load(t.Context(), member{name: "half", peer: half.Listener.Addr().String()}); err == nil {
		t.Fatal("half a state was taken")
	}
	if vectors, err := b.store.Vectors(); err != nil || len(vectors) != 0 {
		t.Errorf("half a state left %v, %v", vectors, err)
	}
	if err := b.load(t.Context(), member{name: "a", peer: a.PeerAddr()}); err != nil {
		t.Fatal(err)
	}
	self, _, err := b.store.Self()
	if err != nil || self.Node != id {
		t.Errorf("the identity is %v, want %v, %v", self.Node, id, err)
	}
	if vectors, err := b.store.Vectors(); err != nil || len(vectors) != 1 {
		t.Errorf("a whole state left %v, %v", vectors, err)
	}
}
