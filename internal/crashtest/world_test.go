package crashtest

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

var (
	schedules = flag.Uint64("schedules", 0, "schedules of each test; 0 is the short form")
	firstSeed = flag.Uint64("seed", 1, "seed of the first schedule")
)

// eachSeed runs a test with as many seeds as asked for.
func eachSeed(t *testing.T, short uint64, test func(t *testing.T, seed uint64)) {
	n := short
	if *schedules > 0 {
		n = *schedules
	}
	for seed := *firstSeed; seed < *firstSeed+n; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { test(t, seed) })
	}
}

const (
	tenant  = "default"
	cluster = "crash"
	token   = ratelimit.Token
)

// config is what a schedule is about.
type config struct {
	nodes    int
	idle     time.Duration // 24 h: nothing is collected
	pace     time.Duration // about what passes between two steps
	pageRows int
	hotCells int
	boundary func(p *process, at string) // is told of each stage of each flush
	arm      func(c *crashPoint)         // is given the crash point of each process before it opens its store
	opened   func()                      // is told when a store is open, and no run on it has begun
}

// world is a few replicas on disks that can be taken away.
type world struct {
	config
	t      *testing.T
	rng    *rand.Rand
	seed   uint64
	now    replica.Instant
	nodes  []*node
	ledger *ledger
	runs   uint64
	clones uint64
	story  []string
	begun  int64 // wall ms
	count  tally
}

// node is a machine: its disk outlives its processes.
type node struct {
	w      *world
	id     crdt.NodeID
	disk   *vfs.MemFS
	clock  int64 // ms its wall clock is ahead
	point  *crashPoint
	faults *strike
	proc   *process // nil while down
}

// process is one start of a replica.
type process struct {
	n       *node
	run     crdt.Origin
	store   *storage.Store
	rep     *replica.Replica
	flush   *replica.Flush
	stage   stage
	atBegin map[cellKey]amount // accepted when the flush under way began
	waiting []waiter
	again   []request
	failed  bool // the store can do no more
}

// waiter is an answer that may leave once a flush is durable.
type waiter struct {
	gen  uint64
	told func()
}

func newWorld(t *testing.T, seed uint64, c config) *world {
	t.Helper()
	const epoch = 1_700_000_000_000
	w := &world{
		config: c, t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0xc7a54)), ledger: newLedger(),
		now: replica.Instant{Wall: epoch, Mono: int64(time.Second)}, begun: epoch,
	}
	w.config.nodes = max(c.nodes, 1)
	for i := range w.config.nodes {
		n := &node{w: w, id: crdt.NodeID(i + 1), disk: vfs.NewCrashableMem(), faults: &strike{}}
		w.nodes = append(w.nodes, n)
		w.must(n.start())
	}
	t.Cleanup(func() {
		for _, n := range w.nodes {
			n.shut()
		}
	})
	w.putPolicies()
	return w
}

func (w *world) tell(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf(format, args...))
}

// must ends the test with the story of how it came to the error.
func (w *world) must(err error) {
	w.t.Helper()
	if err == nil {
		return
	}
	const last = 60
	w.t.Fatalf("seed %d: %v\nthe last steps:\n  %s", w.seed, err, strings.Join(w.story[max(0, len(w.story)-last):], "\n  "))
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

func (w *world) pass(d time.Duration) {
	w.now.Wall += d.Milliseconds()
	w.now.Mono += d.Nanoseconds()
}

func (n *node) now() replica.Instant {
	return replica.Instant{Wall: n.w.now.Wall + n.clock, Mono: n.w.now.Mono}
}

// alive tells whether others can talk to the node.
func (n *node) alive() bool { return n.proc != nil && !n.proc.failed && !n.point.crashed() }

func (n *node) String() string { return fmt.Sprint("n", uint64(n.id)) }

// clone is a copy of the disk as a crash would leave it.
func (n *node) clone(percent int) *vfs.MemFS {
	n.w.clones++
	return crashClone(n.disk, percent, n.w.seed<<20+n.w.clones)
}

// start opens what is on the disk as a new run, and holds it against the ledger.
func (n *node) start() error {
	n.point = &crashPoint{disk: n.disk}
	n.w.count.struck += int(n.faults.hit.Load())
	n.faults = &strike{}
	if n.w.arm != nil {
		n.w.arm(n.point)
	}
	p, err := n.open(errorfs.Wrap(n.disk, errorfs.Any(n.point, n.faults)))
	if err != nil {
		return err
	}
	n.proc = p
	if err := p.check(); err != nil {
		return err
	}
	if !n.point.crashed() { // else it has crashed in the midst of this, and nobody heard of it
		p.rebase()
	}
	return nil
}

// open starts a process on a file system.
func (n *node) open(fs vfs.FS) (*process, error) {
	w := n.w
	store, err := storage.OpenPebble(storeDir, storage.Options{FS: fs, CacheBytes: 1, MemTableBytes: 64 << 10})
	if err != nil {
		return nil, err
	}
	if w.opened != nil {
		w.opened()
	}
	w.runs++
	p := &process{n: n, run: crdt.Origin(w.runs), store: store}
	w.ledger.addRun(p.run, n.id)
	b := storage.NewBatch()
	b.PutCurrentRun(crdt.Run{Origin: p.run, Node: n.id, Name: n.String(), Started: crdt.NewHLC(n.now().Wall, 0)})
	if err = store.Commit(b, true); err == nil {
		p.rep, err = replica.Open(replica.Options{
			Cluster: cluster, Node: n.id, Name: n.String(), Run: p.run, Store: store, Default: policyOf("a"),
			Idle: w.idle, MessageLife: w.idle / 10, PageRows: w.pageRows, HotCells: w.hotCells, Seed: w.seed,
		}, n.now())
	}
	if err == nil {
		err = p.noteCharges()
	}
	if err != nil {
		w.ledger.runs[p.run].unseen = true
		return nil, errors.Join(err, ignoreFailed(store.Close()))
	}
	p.seePeers()
	return p, nil
}

func ignoreFailed(err error) error {
	if errors.Is(err, storage.ErrFailed) {
		return nil
	}
	return err
}

func (p *process) seePeers() {
	var list []replica.PeerStatus
	for i := range p.n.w.config.nodes {
		list = append(list, replica.PeerStatus{Node: crdt.NodeID(i + 1), State: replica.PeerAlive})
	}
	p.rep.SetPeers(p.n.now(), list)
}

// shut closes the store of a process that is of no more use.
func (n *node) shut() {
	if n.proc != nil {
		n.proc.endViews()
		_ = n.proc.store.Close() // may say that a fault has failed it
		n.proc = nil
	}
}

// endViews lets go of what a flush under way holds of the store.
func (p *process) endViews() {
	if p.flush != nil {
		p.rep.EndFlush(p.flush, p.n.now(), storage.ErrFailed)
		p.flush = nil
	}
}

// crash takes the machine down, leaves of its disk what percent of the unsynced
// data allows, and starts it again.
func (n *node) crash(percent int) {
	disk := n.clone(percent)
	if n.point.crashed() {
		disk = n.point.clone
	}
	n.w.count.crashes++
	n.w.tell("%s crashes", n)
	n.shut()
	n.disk = disk
	n.w.must(n.start())
}

// fork opens what a crash at this instant would leave beside the process that
// goes on, and holds it against the ledger.
func (n *node) fork(percent int) error {
	n.w.count.forks++
	p, err := n.open(n.clone(percent))
	if err != nil {
		return err
	}
	err = p.check()
	n.w.ledger.forget(p.run)
	return errors.Join(err, p.store.Close())
}

// policyOf is the policy of agents whose name begins with a letter: async,
// reserve, sync, and tight.
func policyOf(letter string) ratelimit.Policy {
	p := ratelimit.Policy{
		Name: "p" + letter, Match: letter + "*", Capacity: 3000,
		RefillRate: ratelimit.Whole(1), IntervalSeconds: ratelimit.Whole(3600),
	}
	switch letter {
	case "r":
		p.Durability = ratelimit.Reserve
	case "s":
		p.Durability = ratelimit.Sync
	case "t":
		p.Capacity, p.RefillRate, p.IntervalSeconds = 40, ratelimit.Whole(5), ratelimit.Whole(1)
	}
	return p
}

// The agents and keys of a schedule. Those that begin with t are reset and
// deleted; the others only consume and refund.
var (
	agents   = []string{"a1", "a2", "r1", "r2", "s1", "t1", "t2"}
	counters = []string{"c1", "c2"}
	kvKeys   = []string{"k1", "k2", "k3"}
)

func durabilityOf(agent string) ratelimit.Durability {
	if d := policyOf(agent[:1]).Durability; d != "" {
		return d
	}
	return ratelimit.Async
}

// putPolicies makes the policies known everywhere before anything else happens.
func (w *world) putPolicies() {
	p := w.nodes[0].proc
	for _, letter := range []string{"r", "s", "t"} {
		_, _, wait, err := p.rep.PutPolicy(p.n.now(), "default", policyOf(letter), nil)
		w.must(err)
		p.wroteRegister(crdt.RegisterKey{Space: crdt.SpacePolicy, Name: "p" + letter}, wait)
	}
	p.wholeFlush()
	for _, n := range w.nodes[1:] {
		n.proc.pull(p, -1)
		n.proc.wholeFlush()
	}
}
