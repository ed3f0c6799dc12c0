package replica

import (
	"fmt"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

// Open reads what earlier runs left in the store and takes over from them:
// their runs are sealed, and what they may have admitted under a `reserve`
// mark without having written it down is charged to this run, once.
func Open(o Options, now Instant) (*Replica, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	r := newReplica(o, now)
	if err := r.loadRuns(now); err != nil {
		return nil, err
	}
	if err := r.loadRegisters(now); err != nil {
		return nil, err
	}
	if err := r.loadSettings(now); err != nil {
		return nil, err
	}
	r.opened = true
	if err := r.chargeMarks(now); err != nil {
		return nil, err
	}
	if err := r.store.Err(); err != nil {
		return nil, err
	}
	return r, nil
}

func newReplica(o Options, now Instant) *Replica {
	r := &Replica{
		opts: o, self: o.Node, run: o.Run, store: o.Store, clock: crdt.NewClock(),
		shards:       make([]shard, o.Shards),
		runs:         make(map[crdt.Origin]crdt.Run),
		dirtyRuns:    make(map[crdt.Origin]bool),
		dirtyVectors: make(map[crdt.Origin]bool),
		savedStable:  make(map[crdt.Origin]int64),
		durableVV:    make(crdt.VersionVector),
		collected:    make(map[crdt.Origin]bool),
		sealedSeen:   make(map[crdt.Origin]int64),
		released:     make(map[crdt.Origin]bool),
		gone:         make(map[crdt.Origin]bool),
		ragged:       make(map[crdt.Origin]uint64),
		peers:        make(map[crdt.NodeID]*peer),
		member:       memberState{left: make(map[crdt.NodeID]bool), forgotten: make(map[crdt.NodeID]bool)},
		want:         make(chan struct{}, 1),
		startWall:    now.Wall,
	}
	r.epoch.Store(1)
	r.sessions.Store(o.Seed)
	r.view.Store(&ratelimit.View{Members: 1})
	r.policies.Store(newPolicySet(1, now.Mono, nil, o.Default))
	r.prices.Store(&map[string]*priceSet{})
	r.pools.Store(&map[poolID]versionedPool{})
	controls := make(map[string]agentControl)
	r.controls.Store(&controls)
	r.feed.init()
	return r
}

// loadRuns takes over the runs and vectors on disk and seals this node's own
// earlier runs: from now on they are as frozen as any dead one.
func (r *Replica) loadRuns(now Instant) error {
	vectors, err := r.store.Vectors()
	if err != nil {
		return err
	}
	known := make(map[crdt.Origin]antientropy.Vector, len(vectors))
	for o, v := range vectors {
		known[o] = antientropy.Vector{Seq: v.Seq, Stable: v.Stable}
		r.durableVV[o] = v.Seq
		r.savedStable[o] = v.Stable
	}
	r.recv = antientropy.NewReceiver(known)
	runs, err := r.store.Runs()
	if err != nil {
		return err
	}
	collected, err := r.store.Collected()
	if err != nil {
		return err
	}
	r.merge.Lock()
	defer r.merge.Unlock()
	for o, run := range runs {
		r.runs[o] = run
		r.clock.Observe(run.Started, now.Wall)
	}
	for o := range collected {
		r.collected[o] = true
	}
	run, err := r.beginRun(now)
	if err != nil {
		return err
	}
	r.learnRun(run)
	for _, o := range sortedKeys(r.runs) {
		if run := r.runs[o]; run.Node != r.self {
			r.peerFromDisk(run, now)
		}
		if err := r.loadRagged(o); err != nil {
			return err
		}
	}
	return nil
}

// beginRun gives this run a start later than those of all runs of this node
// before it, also when the clock went back: peers take the run that started last
// for the living one. The run before may be known to peers and not to this
// store, if it ended before its first flush did.
func (r *Replica) beginRun(now Instant) (crdt.Run, error) {
	last, _, err := r.store.CurrentRun()
	if err != nil {
		return crdt.Run{}, err
	}
	floor := last.Started
	for _, run := range r.runs {
		if run.Node == r.self {
			floor = max(floor, run.Started)
		}
	}
	run := crdt.Run{Origin: r.run, Node: r.self, Name: r.opts.Name, Started: r.clock.NowAfter(now.Wall, floor)}
	b := storage.NewBatch()
	b.PutCurrentRun(run)
	return run, r.store.Commit(b, true)
}

// loadRagged looks for rows of a run beyond its vector.
func (r *Replica) loadRagged(o crdt.Origin) error {
	return r.store.Index(o, r.recv.Vector(o).Seq, func(seq uint64, _ crdt.Kind, _ string) bool {
		r.ragged[o] = seq
		return true
	})
}

// loadRegisters reads the registers that are followed in memory: policies,
// prices, agent and member control.
func (r *Replica) loadRegisters(now Instant) error {
	named := make(map[string]map[string]versioned)
	err := r.store.Registers(string(crdt.SpacePolicy), "", func(key string, reg crdt.Register) bool {
		k, err := crdt.ParseRegisterKey(key)
		if named[k.Tenant] == nil {
			named[k.Tenant] = make(map[string]versioned)
		}
		if err != nil || !addPolicy(named[k.Tenant], k.Name, reg) {
			r.counters.unreadable.Add(1)
		}
		return true
	})
	if err != nil {
		return err
	}
	tenants := make(map[string]*tenantPolicies, len(named))
	for tenant, byName := range named {
		tenants[tenant] = newTenantPolicies(byName, r.opts.Default)
	}
	r.policies.Store(newPolicySet(r.policies.Load().gen+1, now.Mono, tenants, r.opts.Default))
	for _, space := range []byte{
		crdt.SpaceAgent, crdt.SpaceReset, crdt.SpaceMember, crdt.SpacePrice, crdt.SpaceShare, crdt.SpaceLedger, crdt.SpacePool,
	} {
		err := r.store.Registers(string(space), "", func(key string, reg crdt.Register) bool {
			r.clock.Observe(reg.Version, now.Wall)
			r.registerChanged(now, key, reg)
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// chargeMarks opens the rows of this run with what the last one may have
// admitted beyond its flushed rows: consumption under a `reserve` mark is
// never forgotten, at the price of at most one reserve step too much. The rows
// and the deletion of the marks are one batch, so that a crash in between
// charges nobody twice.
func (r *Replica) chargeMarks(now Instant) error {
	last := r.lastRun()
	type lost struct {
		key    string
		amount uint64
	}
	var charges []lost
	var marks []string
	var failed error
	err := r.store.HighWaters(func(key string, hw storage.HighWater) bool {
		marks = append(marks, key)
		var rec storage.Cell
		if _, err := r.store.Cell(crdt.KindBucket, key, &rec); err != nil {
			failed = err
			return false
		}
		var flushed uint64
		if row := rec.Slot(last); row != nil && hw.Birth != 0 {
			flushed = row.Consumed
		}
		if hw.Mark > flushed {
			charges = append(charges, lost{key, hw.Mark - flushed})
		}
		return true
	})
	if err == nil {
		err = failed
	}
	if err != nil || len(marks) == 0 {
		return err
	}
	for _, l := range charges {
		if err := r.chargeLost(now, l.key, l.amount); err != nil {
			return err
		}
	}
	f := r.BeginFlush(now)
	for _, key := range marks {
		f.Batch.DeleteHighWater(key)
	}
	if err := r.store.Commit(f.Batch, true); err != nil {
		r.EndFlush(f, now, err)
		return fmt.Errorf("charge reserve marks: %w", err)
	}
	r.EndFlush(f, now, nil)
	return nil
}

// lastRun is the run that wrote the marks: this node's newest before this one.
// A start in between that ended before it charged them has written no rows.
func (r *Replica) lastRun() crdt.Origin {
	var last crdt.Run
	for _, run := range r.runs {
		if run.Node == r.self && run.Origin != r.run && run.Started >= last.Started {
			last = run
		}
	}
	return last.Origin
}

func (r *Replica) chargeLost(now Instant, key string, amount uint64) error {
	name := appendCellKey(nil, crdt.KindBucket, key)
	sh, hash := r.locate(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c, err := r.lookupLocked(sh, hash, name, now, true)
	if err != nil {
		return err
	}
	if c.marks().mark != 0 {
		c.needRare().marks.mark = 0
	}
	c.bucket.Charge(now.Mono, c.limit(), r.view.Load(), int64(min(amount, crdt.MaxCounter)))
	r.takeLocked(sh, c, amount)
	r.counters.recovered.Add(amount)
	return nil
}
