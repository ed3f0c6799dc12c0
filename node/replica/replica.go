package replica

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/node/refill"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

// Instant is the present as the caller's two clocks show it.
type Instant struct {
	Wall int64 // unix milliseconds; may jump
	Mono int64 // nanoseconds of a clock that never goes back
}

// Options configures a replica. Cluster, Node, Run and Store are required.
type Options struct {
	// Cluster is the name every message must carry.
	Cluster string
	// Node is this replica's identity for as long as its data lives.
	Node crdt.NodeID
	// Name is what people call it.
	Name string
	// Run is the identity of this process start: random and never used before.
	// Open makes it durable before anything is written under it.
	Run crdt.Origin
	// Store holds the cells of earlier runs; the replica reads it, the caller
	// commits to it.
	Store *storage.Store
	// Default is the policy of agents that no policy matches.
	Default ratelimit.Policy

	// Refill is the adaptive side of buckets; nil = every policy has its static
	// rate, also one with a pool.
	Refill *refill.Controller

	// Idle is how long a row stays untouched before it is collected. It is one
	// constant of the cluster. Default 24 h.
	Idle time.Duration
	// MessageLife is how long a message may be under way at most. Rows of a dead
	// run are dropped only when none of them can arrive any more. Default 10 min.
	MessageLife time.Duration
	// ForgetAfter is how long a member may be away before it has to start
	// again under a new identity. Default 30 days.
	ForgetAfter time.Duration
	// ReleaseAfter is how long a failed peer's predicted share is held by the
	// side that sees a majority. Default 10 s.
	ReleaseAfter time.Duration
	// Tombstones is how long deleted registers are kept. Default 30 days.
	Tombstones time.Duration
	// HotCells bounds the cells in memory. Cells that wait for a flush or are
	// in debt are kept beyond it. Default 2 million.
	HotCells int
	// PageRows and PageBytes bound a page of the sync protocol. Defaults 4096
	// and 256 KiB.
	PageRows, PageBytes int
	// Shards is into how many parts the cells in memory are divided, each with
	// a lock of its own: a power of two. Default 64.
	Shards int
	// Setting is told of every setting that is on disk, and then of each change,
	// one at a time and under a lock: it must be quick and must not call back.
	Setting func(Setting)
	// Seed makes shard placement and session numbers repeatable.
	Seed uint64
}

func (o *Options) setDefaults() error {
	if o.Cluster == "" || o.Node == 0 || o.Run == 0 || o.Store == nil {
		return errors.New("replica: cluster, node, run and store are required")
	}
	if err := o.Default.Validate(); err != nil {
		return fmt.Errorf("default policy: %w", err)
	}
	setDefault(&o.Idle, 24*time.Hour)
	setDefault(&o.MessageLife, 10*time.Minute)
	setDefault(&o.ForgetAfter, 30*24*time.Hour)
	setDefault(&o.ReleaseAfter, 10*time.Second)
	setDefault(&o.Tombstones, 30*24*time.Hour)
	setDefault(&o.HotCells, 2_000_000)
	setDefault(&o.Shards, shardCount)
	if o.Shards&(o.Shards-1) != 0 {
		return fmt.Errorf("replica: %d shards are no power of two", o.Shards)
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Errors of the calls. Denial is an outcome, not an error.
var (
	// ErrTooManyInline: an agent has as many inline policies as allowed here.
	ErrTooManyInline = errors.New("too many different inline policies for this agent")
	// ErrNotFound: no such policy, key or member.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the key holds a value of another type.
	ErrConflict = errors.New("key holds a value of another type")
	// ErrPrecondition: If-Match or If-None-Match did not hold.
	ErrPrecondition = errors.New("precondition failed")
	// ErrLimit: a call asks for more than the bucket can ever hold.
	ErrLimit = errors.New("more tokens than the capacity")
	// ErrSelf: the operation cannot be done to this very node.
	ErrSelf = errors.New("cannot be done to the node itself")
)

// shardCount is the default of Options.Shards.
const shardCount = 64

// Replica is one node's state machine; see the package comment.
type Replica struct {
	opts  Options
	self  crdt.NodeID
	run   crdt.Origin
	store *storage.Store
	clock *crdt.Clock

	policies atomic.Pointer[policySet]
	pools    atomic.Pointer[map[poolID]versionedPool]
	opened   bool                                    // what was on disk is loaded
	controls atomic.Pointer[map[string]agentControl] // by tenant 0x00 agent
	prices   atomic.Pointer[map[string]*priceSet]    // by tenant
	view     atomic.Pointer[ratelimit.View]

	merge                   sync.Mutex // guards the fields down to the shards
	recv                    *antientropy.Receiver
	acks                    antientropy.Acks
	runs                    map[crdt.Origin]crdt.Run
	dirtyRuns               map[crdt.Origin]bool
	dirtyVectors            map[crdt.Origin]bool
	savedStable             map[crdt.Origin]int64 // as of the last write
	durableVV               crdt.VersionVector    // as of the last completed flush
	collected               map[crdt.Origin]bool  // sealed runs whose rows were collected
	sealedSeen              map[crdt.Origin]int64 // mono ns when a run was first seen to be sealed
	released                map[crdt.Origin]bool  // sealed runs that a peer has collected
	ragged                  map[crdt.Origin]uint64
	peers                   map[crdt.NodeID]*peer
	member                  memberState
	own                     ownRun
	replaced                atomic.Bool
	gone                    map[crdt.Origin]bool // collected runs of which nothing is left
	newlyCollected, retired []crdt.Origin        // since the last flush: begun, and ended

	sweep    sweep // of Collect, one caller at a time
	regSweep string

	shards []shard
	epoch  atomic.Uint64 // dirty epoch = generation of the flush that will take it

	regs registers
	feed feed

	flushing  *Flush
	spare     []capture // of the last completed flush
	durable   atomic.Uint64
	want      chan struct{}
	sessions  atomic.Uint64
	synced    syncedView
	counters  counters
	startWall int64
}

// ownRun is what a replica keeps of the run it writes.
type ownRun struct {
	seq       uint64 // last seq given out
	clock     int64  // last row time: the wall clock, never going back
	stamp     int64  // largest stable time ever stamped on an own page
	tickStart int64  // start of the last completed flush
	pushed    uint64 // upto of the last page handed to the push queues
	unacked   []flushMark
	stamps    []stampAt // what stamp might have been, at intervals, oldest first
}

// stampAt is a stable time that the acknowledgements at some instant allowed.
type stampAt struct {
	at    int64 // mono ns
	stamp int64
	acked uint64 // by all members
}

// flushMark remembers when the own rows up to seq were written.
type flushMark struct {
	upto uint64
	ts   int64
}

// Run describes the running process to peers.
func (r *Replica) Run() crdt.Run {
	r.merge.Lock()
	defer r.merge.Unlock()
	return r.runs[r.run]
}

// Node is the replica's identity.
func (r *Replica) Node() crdt.NodeID { return r.self }

// Durable is the newest flush generation that is on disk.
func (r *Replica) Durable() uint64 { return r.durable.Load() }

// WantFlush is signalled when somebody waits for a flush, or when so much is
// dirty that memory would grow.
func (r *Replica) WantFlush() <-chan struct{} { return r.want }

func (r *Replica) askFlush() {
	select {
	case r.want <- struct{}{}:
	default:
	}
}
