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

	"github.com/prometheus/client_golang/prometheus/testutil"

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

// TestNoAcknowledgedConsumptionIsLostInACrash takes the disk away at random
// moments under load: what was acknowledged until then must be counted after
// the restart, and `reserve` may count at most one step a crash more.
func TestNoAcknowledgedConsumptionIsLostInACrash(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		durability ratelimit.Durability
		step       int64 // tokens a crash may add; 1 % of the capacity for reserve
	}{{ratelimit.Sync, 0}, {ratelimit.Reserve, 10_000}} {
		t.Run(string(c.durability), func(t *testing.T) {
			t.Parallel()
			const rounds = 5
			rng := rand.New(rand.NewPCG(7, 7))
			disk := storage.NewMemory()
			o := peered(t, "a")
			var l ledger
			for round := range rounds {
				o.tuning.openStore = onto(lateDisk{disk})
				n, err := Open(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if round == 0 {
					putPolicy(t, n, c.durability)
				}
				l.check(t, n, int64(round)*c.step)
				disk = crashUnderLoad(t, n, disk, rng, &l)
			}
			o.tuning.openStore = onto(disk)
			l.check(t, open(t, o), rounds*c.step)
			if l.acknowledged.Load() == 0 {
				t.Error("nothing was acknowledged")
			}
		})
	}
}

// ledger is what the clients know of agent x, in tokens.
type ledger struct {
	asked        atomic.Int64
	acknowledged atomic.Int64 // before a crash
}

func (l *ledger) check(t *testing.T, n *Node, more int64) {
	t.Helper()
	got, least, most := int64(consumed(t, n, "x")), l.acknowledged.Load(), l.asked.Load()+more
	if got < least || got > most {
		t.Fatalf("%d are counted, want %d to %d", got, least, most)
	}
}

// onto opens stores on an engine.
func onto(e storage.Engine) func(string, storage.Options) (*storage.Store, error) {
	return func(string, storage.Options) (*storage.Store, error) { return storage.New(e) }
}

// lateDisk takes its time to write, so that a crash can come before it.
type lateDisk struct{ *storage.Memory }

func (d lateDisk) Apply(b *storage.Batch, sync bool) error {
	<-time.After(5 * time.Millisecond)
	return d.Memory.Apply(b, sync)
}

// crashUnderLoad consumes from several goroutines, takes the disk away in the
// middle of that, and ends the node that lost it.
func crashUnderLoad(t *testing.T, n *Node, disk *storage.Memory, rng *rand.Rand, l *ledger) *storage.Memory {
	t.Helper()
	var now atomic.Int64 // acknowledged in this round
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 60 {
				l.asked.Add(3)
				status, _ := call[wire.Decision](t, http.MethodPost, n.HTTPAddr(), "/v1/agents/x/consume", map[string]int{"tokens": 3})
				if status == http.StatusOK {
					now.Add(3)
				}
			}
		})
	}
	enough := int64(rng.IntN(300) + 30)
	eventually(t, "enough was acknowledged", func() bool { return now.Load() >= enough })
	l.acknowledged.Add(now.Load()) // read before the crash: all of it must survive
	left := disk.Crash(func(unsynced int) int { return rng.IntN(unsynced + 1) })
	wg.Wait()
	_ = n.Close(context.Background()) // it cannot flush any more
	return left
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

func TestASlowDiskDelaysNoAnswer(t *testing.T) {
	t.Parallel()
	disk := storage.NewMemory()
	o := peered(t, "a")
	o.tuning.openStore = onto(disk)
	o.tuning.slowFlush = 20 * time.Millisecond
	n := open(t, o)
	waitReady(t, n)
	consume(t, n, "x", 1)
	settle(t, n)
	slow := make(chan struct{})
	disk.Inject(func(op storage.Op) error {
		if op.Kind == storage.OpApply {
			<-slow
		}
		return nil
	})
	consume(t, n, "x", 1)
	eventually(t, "the slow flush shows", func() bool { return n.health.isDegraded(reasonSlow) })
	for range 10 { // of a bucket that is in memory
		consume(t, n, "x", 1)
	}
	close(slow)
	disk.Inject(nil)
	eventually(t, "the disk is fast again", func() bool { return !n.health.isDegraded(reasonSlow) })
}

func TestAStoreThatFailsEndsTheNode(t *testing.T) {
	t.Parallel()
	disk := storage.NewMemory()
	o := peered(t, "a")
	o.tuning.openStore = onto(disk)
	n, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	waitReady(t, n)
	disk.Inject(func(op storage.Op) error {
		if op.Kind == storage.OpApply {
			return errors.New("bad sector")
		}
		return nil
	})
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
	o := peered(t, "a")
	o.PullInterval = 10 * time.Minute // a hears only what it is told
	a := open(t, o)
	o = peered(t, "b", a)
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

// TestPeersCatchUpAfterADiskWasFull keeps a node in memory for a while with
// changes that may not leave it before they are durable: the peers meet a gap,
// and are not to take any later page before they have what was left out.
func TestPeersCatchUpAfterADiskWasFull(t *testing.T) {
	t.Parallel()
	a := open(t, peered(t, "a"))
	disk := storage.NewMemory()
	o := peered(t, "b", a)
	o.tuning.openStore = onto(disk)
	b := open(t, o)
	waitReady(t, a, b)
	meet(t, a, b)
	agree(t, a, b)
	disk.Inject(func(op storage.Op) error {
		if op.Kind == storage.OpApply {
			return storage.ErrFull
		}
		return nil
	})
	if status, _ := call[wire.Problem](t, http.MethodPut, b.HTTPAddr(), "/v1/kv/k", "value"); status != http.StatusServiceUnavailable {
		t.Errorf("a write to a full disk answered %d", status)
	}
	for range 5 {
		consume(t, b, "x", 1)
		attempts := testutil.ToFloat64(b.metrics.flushErrors)
		eventually(t, "another flush is refused", func() bool { return testutil.ToFloat64(b.metrics.flushErrors) > attempts+1 })
	}
	disk.Inject(nil)
	agree(t, a, b)
	if got := consumed(t, a, "x"); got != 5 {
		t.Errorf("a says %d, want 5", got)
	}
}
