package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

// putPolicy makes one policy for all agents, with the durability given.
func putPolicy(t *testing.T, n *Node, durability ratelimit.Durability) {
	t.Helper()
	p := ratelimit.Policy{
		Name: "all", Match: "*", Capacity: 1_000_000,
		RefillRate: ratelimit.Whole(1), IntervalSeconds: ratelimit.Whole(3600), Durability: durability,
	}
	status, _ := call[ratelimit.Policy](t, http.MethodPut, n.HTTPAddr(), "/v1/policies/all", p)
	if status != http.StatusCreated && status != http.StatusOK {
		t.Fatalf("PUT of the policy answered %d", status)
	}
}

// TestNoAcknowledgedConsumptionIsLostInACrash cuts the disk off at random
// points under load: what was acknowledged must be counted after the restart,
// and `reserve` may count at most its step more.
func TestNoAcknowledgedConsumptionIsLostInACrash(t *testing.T) {
	t.Parallel()
	for _, durability := range []ratelimit.Durability{ratelimit.Sync, ratelimit.Reserve} {
		t.Run(string(durability), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(7, 7))
			disk := vfs.NewCrashableMem()
			dir := t.TempDir()
			var acknowledged, asked atomic.Int64
			for round := range 5 {
				o := peered(t, "a")
				o.DataDir, o.tuning.fs = dir, disk
				n := open(t, o)
				if round == 0 {
					putPolicy(t, n, durability)
				}
				if got := int64(consumed(t, n, "x")); got < acknowledged.Load() {
					t.Fatalf("round %d: %d are counted, %d were acknowledged", round, got, acknowledged.Load())
				}
				disk = crashUnderLoad(t, n, disk, rng, &acknowledged, &asked)
			}
			o := peered(t, "a")
			o.DataDir, o.tuning.fs = dir, disk
			got, least := int64(consumed(t, open(t, o), "x")), acknowledged.Load()
			// A reserve step of this policy is 1 % of its capacity, and a crash charges at most one.
			most := asked.Load() + 6*10_000
			if durability == ratelimit.Sync {
				most = asked.Load()
			}
			if least == 0 || got < least || got > most {
				t.Errorf("%d are counted, want %d to %d", got, least, most)
			}
		})
	}
}

// crashUnderLoad consumes from several goroutines, takes the disk as a crash
// would leave it in the middle of that, and closes the node.
func crashUnderLoad(t *testing.T, n *Node, disk *vfs.MemFS, rng *rand.Rand, acknowledged, asked *atomic.Int64) *vfs.MemFS {
	t.Helper()
	var before atomic.Int64 // acknowledged up to the crash
	var crashed atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 40 {
				asked.Add(3)
				if !consume(t, n, "x", 3) {
					continue
				}
				if !crashed.Load() {
					before.Add(3)
				}
			}
		})
	}
	calls := int64(rng.IntN(200) + 30)
	eventually(t, "enough was acknowledged", func() bool { return before.Load() >= calls })
	crashed.Store(true)
	known := before.Load() // read before the clone, so that all of it must be in the clone
	clone := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
	acknowledged.Add(known)
	wg.Wait()
	closeNode(t, n)
	return clone
}

func TestANodeWithAFullDiskAnswersAndSaysSo(t *testing.T) {
	t.Parallel()
	o := peered(t, "a")
	o.tuning.disk = storage.DiskLimits{Low: 2, Critical: 2, BallastBytes: -1} // no disk is free enough
	n := open(t, o)
	waitReady(t, n)
	eventually(t, "the disk is critical", func() bool { return n.health.isDegraded(reasonDisk) })

	if !consume(t, n, "x", 1) {
		t.Error("it denied a call although it could count in memory")
	}
	eventually(t, "the refused flush shows", func() bool { return n.health.isDegraded(reasonFlush) })
	status, p := call[wire.Problem](t, http.MethodPut, n.HTTPAddr(), "/v1/kv/k", "value")
	if status != http.StatusServiceUnavailable {
		t.Errorf("a write that promises durability answered %d: %+v", status, p)
	}
	status, h := call[wire.Health](t, http.MethodGet, n.HTTPAddr(), "/readyz?verbose", nil)
	if status != http.StatusOK || h.Status != wire.HealthDegraded {
		t.Errorf("/readyz answered %d %q, want 200 and degraded", status, h.Status)
	}
	n.store.SetFull(false) // for the last flush
}

// slowDisk delays every fsync.
func slowDisk(by time.Duration) errorfs.Injector {
	return errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData {
			<-time.After(by)
		}
		return nil
	})
}

func TestASlowDiskDelaysNoAnswer(t *testing.T) {
	t.Parallel()
	o := peered(t, "a")
	o.tuning.fs = errorfs.Wrap(vfs.NewMem(), slowDisk(300*time.Millisecond))
	o.tuning.slowFlush = 50 * time.Millisecond
	n := open(t, o)
	waitReady(t, n)
	consume(t, n, "x", 1)
	eventually(t, "the slow flush shows", func() bool { return n.health.isDegraded(reasonSlow) })
	began := time.Now()
	for range 10 {
		consume(t, n, "x", 1)
	}
	if took := time.Since(began); took > 250*time.Millisecond {
		t.Errorf("10 calls took %v beside a slow disk", took)
	}
}

func TestAStoreThatFailsEndsTheNode(t *testing.T) {
	t.Parallel()
	broken := &errorfs.Toggle{Injector: errorfs.ErrInjected.If(errorfs.Writes)}
	o := peered(t, "a")
	o.tuning.fs = errorfs.Wrap(vfs.NewMem(), broken)
	n, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	waitReady(t, n)
	broken.On()
	consume(t, n, "x", 1)
	select {
	case <-n.Done():
	case <-time.After(patience):
		t.Error("the node goes on without a store")
	}
	if err := n.Close(context.Background()); !errors.Is(err, storage.ErrFailed) {
		t.Errorf("close: %v, want ErrFailed", err)
	}
}

func TestTheWallClockGoingBackIsReported(t *testing.T) {
	t.Parallel()
	n := newNode(peered(t, "a").WithDefaults())
	at := replica.Instant{Wall: 1_000_000, Mono: 1}
	step := func(wall, mono time.Duration) {
		next := replica.Instant{Wall: at.Wall + wall.Milliseconds(), Mono: at.Mono + mono.Nanoseconds()}
		n.watchClock(at, next)
		at = next
	}
	step(time.Second, time.Second)
	step(time.Hour, time.Second) // forward is no harm
	if n.health.isDegraded(reasonClock) {
		t.Fatal("a clock that was not set back is reported")
	}
	step(-time.Minute, time.Second)
	if !n.health.isDegraded(reasonClock) {
		t.Fatal("a clock that went back is not reported")
	}
	step(2*clockPenance, 2*clockPenance)
	if n.health.isDegraded(reasonClock) {
		t.Error("it is reported for ever")
	}
}

func TestDrainFinishesWhatIsUnderWayAndTellsThePeers(t *testing.T) {
	t.Parallel()
	a := open(t, peered(t, "a"))
	o := peered(t, "b", a)
	o.FlushInterval = 10 * time.Second // only the drain flushes
	b := open(t, o)
	waitReady(t, a, b)
	meet(t, a, b)
	for i := range 5 {
		consume(t, b, fmt.Sprintf("x%d", i), 1)
	}
	b.health.advance(phaseDraining)
	if status, _ := call[wire.Health](t, http.MethodGet, b.HTTPAddr(), "/readyz", nil); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz of a draining node answered %d", status)
	}
	closeNode(t, b)
	for i := range 5 {
		if got := consumed(t, a, fmt.Sprintf("x%d", i)); got != 1 {
			t.Errorf("after the drain the peer says %d, want 1", got)
		}
	}
	eventually(t, "a sees that b left", func() bool { return memberNamed(t, a, "b").State == replica.PeerLeft })
}

func TestTwoNodesOfOneName(t *testing.T) {
	t.Parallel()
	a := open(t, peered(t, "same"))
	waitReady(t, a)
	o := peered(t, "same", a)
	o.SyncWait = time.Second
	for _, state := range []string{"empty", "with data"} {
		if state == "with data" {
			alone := o
			alone.Join = nil
			n := open(t, alone)
			waitReady(t, n)
			consume(t, n, "y", 1)
			closeNode(t, n)
		}
		b, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-b.Done():
		case <-b.Ready():
			t.Errorf("%s: the second node goes on, alone", state)
		case <-time.After(patience):
			t.Errorf("%s: nothing happened", state)
		}
		if err := b.Close(context.Background()); !errors.Is(err, ErrNameTaken) {
			t.Errorf("%s: close: %v, want ErrNameTaken", state, err)
		}
	}
	if !consume(t, a, "x", 1) {
		t.Error("the first node suffers")
	}
}

func TestAnotherGossipKeyKeepsNodesApart(t *testing.T) {
	t.Parallel()
	oa := peered(t, "a")
	oa.GossipKey = []byte(strings.Repeat("k", 32))
	a := open(t, oa)
	ok := peered(t, "b", a)
	ok.GossipKey = oa.GossipKey
	b := open(t, ok)
	waitReady(t, a, b)
	meet(t, a, b)
	o := peered(t, "c", a)
	o.GossipKey = []byte(strings.Repeat("x", 32))
	o.SyncWait = 300 * time.Millisecond
	c := open(t, o)
	waitReady(t, c)
	if alive, _ := c.peers.known(); alive != 0 {
		t.Error("a node without the key got in")
	}
	if alive, _ := a.peers.known(); alive != 1 {
		t.Errorf("a sees %d peers, want 1", alive)
	}
}
