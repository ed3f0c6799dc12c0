package sim

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

// machine is a place where a process runs, crashes and is started again.
type machine struct {
	id      int
	name    string
	disk    *disk // nil for a spare one
	backup  *disk
	clock   Clock
	lost    int64    // ms that the wall clock stands behind what it once showed, at most
	proc    *process // nil while down
	starts  uint64
	disks   uint64
	until   int64 // paused until then
	full    bool  // the disk is
	faulty  bool  // the disk was told to fail
	goodbye bool  // the last process stopped in order
	gone    bool  // left for good
	cloned  bool  // runs on a copy of another's disk
	owed    *promised
	orphans []int // runs that ended while they were opened
	failAt  int   // which operation of the next opening fails
}

// promised is what the last process of a machine owes its clients.
type promised struct {
	run      int
	clean    bool  // it stopped in order: nothing is to be charged
	since    []int // runs of the same machine that began after it
	floor    [maxKeys]uint64
	accepted [maxKeys]amount
	regs     []regFloor
}

type regFloor struct{ key, place int }

// disk is what survives a process, and what the ledger says must be on it.
type disk struct {
	engine *storage.Memory
	node   crdt.NodeID
	used   bool // a process ran on it
	empty  bool // has to take over the state of a peer first
	know   knowledge
	regs   regKnowledge
	rotten []byte // key of a block that is damaged
}

func (d *disk) clone() *disk {
	return &disk{
		engine: d.engine.Clone(), node: d.node, used: true, empty: d.empty, know: d.know.clone(), regs: d.regs.clone(), rotten: d.rotten,
	}
}

// process is one start of a replica.
type process struct {
	m          *machine
	rep        *replica.Replica
	store      *storage.Store
	node       crdt.NodeID
	run        int // of the ledger
	booted     int64
	know       knowledge
	regs       regKnowledge
	pending    [maxKeys]amount // accepted and not captured by a flush yet
	accepted   [maxKeys]amount // since the start
	floor      [maxKeys]uint64 // of it, what must survive a crash
	regFloor   []regFloor
	flush      *flush
	soon       bool // a flush is about to begin
	waiters    []waiter
	peers      map[crdt.NodeID]*peerWatch
	majority   int64                 // when it last saw one
	listed     map[int]listing       // machines it has been told of by gossip
	heard      map[crdt.NodeID]int64 // when a node last told that it has told all
	silence    [maxKeys]int64        // ms, the longest that a node was not heard since the central bucket was full
	hearing    hearing
	prompt     bool  // a flush will begin as soon as it can
	waitsSince int64 // ms, the oldest consumption that no flush has taken
}

// waiter is a client that waits for a flush.
type waiter struct {
	gen uint64
	fn  func(w *world, durable bool)
}

func (p *process) alive() bool { return p.m.proc == p }

func (p *process) await(gen uint64, fn func(*world, bool)) {
	p.waiters = append(p.waiters, waiter{gen, fn})
}

// wake answers those who waited for a flush up to gen.
func (w *world) wake(p *process, gen uint64, durable bool) {
	var left []waiter
	woken := p.waiters
	p.waiters = nil
	for i := range woken {
		switch {
		case woken[i].gen > gen:
			left = append(left, woken[i])
		case p.alive():
			woken[i].fn(w, durable)
		}
	}
	p.waiters = append(left, p.waiters...)
}

func (m *machine) paused(now int64) bool { return now < m.until }

func (m *machine) wall(now int64) int64 {
	const epoch = 1_700_000_000_000
	return epoch + m.clock.OffsetMS + now + now*m.clock.DriftPPM/1_000_000
}

// instant is the present as the process sees it.
func (w *world) instant(p *process) replica.Instant {
	ran := w.now - p.booted
	return replica.Instant{
		Wall: p.m.wall(w.now),
		Mono: ran*1_000_000 + ran*p.m.clock.DriftPPM + 1,
	}
}

// newDisk gives a machine an empty disk.
func (w *world) newDisk(m *machine) {
	m.disks++
	m.disk = &disk{
		engine: storage.NewMemory(), empty: true,
		node: crdt.NodeID(w.id('d', uint64(m.id), m.disks)),
	}
	store, err := storage.New(m.disk.engine)
	if err == nil {
		err = store.InitSelf(storage.Self{Node: m.disk.node, Cluster: clusterName})
	}
	if err != nil {
		w.fail("calls", "%s makes a new disk: expected success, got %v", m.name, err)
	}
}

const clusterName = "sim"

// start starts a process on what is on the disk.
func (w *world) start(m *machine) {
	if m.proc != nil {
		return
	}
	m.starts++
	m.disk.used = true
	origin := crdt.Origin(w.id('r', uint64(m.id), m.starts))
	p := &process{
		m: m, node: m.disk.node, booted: w.now, know: m.disk.know.clone(), regs: m.disk.regs.clone(),
		heard: make(map[crdt.NodeID]int64), listed: make(map[int]listing), peers: make(map[crdt.NodeID]*peerWatch), majority: -1,
	}
	p.run = w.ledger.addRun(origin, p.node, fmt.Sprintf("%s%d", m.name, m.starts))
	w.ledger.runs[p.run].disowned = w.schism && w.forgotten(p.node)
	if m.owed != nil {
		m.owed.since = append(m.owed.since, p.run)
	}
	if err := w.open(p, origin); err != nil {
		w.openFailed(p, err)
		return
	}
	m.disk.engine.Inject(nil)
	m.disk.engine.Rot(nil) // so that the ledger can read
	m.proc, m.goodbye, m.failAt = p, false, 0
	w.tell("%s starts as %s", m.name, w.runName(origin))
	for _, run := range append(m.orphans, p.run) {
		w.noteRecovered(p, run)
	}
	m.orphans = nil
	w.checkPromises(p)
	w.checkMarks(p)
	w.checkStore(p)
	m.disk.engine.Rot(m.disk.rotten)
	m.faulty = m.disk.rotten != nil
}

func (w *world) open(p *process, origin crdt.Origin) (err error) {
	if p.m.failAt > 0 {
		p.m.disk.engine.Inject(storage.FailNth(p.m.failAt, errDisk))
	}
	if p.store, err = storage.New(p.m.disk.engine); err != nil {
		return err
	}
	now := w.instant(p)
	c := &w.plan.Config
	p.rep, err = replica.Open(replica.Options{
		Cluster: clusterName, Node: p.node, Name: p.m.name, Run: origin, Store: p.store, Default: c.Default,
		Idle: c.Idle, ForgetAfter: c.Forget, MessageLife: c.messageLife(), ReleaseAfter: c.Release, Tombstones: c.Tombstones,
		HotCells: c.HotCells, PageRows: c.PageRows, Seed: c.Seed, Shards: 2,
	}, now)
	return err
}

// openFailed ends a process that did not get as far as its replica.
func (w *world) openFailed(p *process, err error) {
	m := p.m
	if m.disk.rotten != nil && errors.Is(err, storage.ErrCorrupt) {
		w.coverage.hit(covRebuilt)
		w.tell("%s cannot start: %v; its data are moved aside", m.name, err)
		c := chance(w.id('z', uint64(m.id), m.starts))
		m.failAt = 0
		w.loseDisk(m)
		w.startLater(m, &c)
		return
	}
	if m.failAt == 0 {
		w.fail("calls", "%s starts: expected success on a disk that works, got %v", m.name, err)
		return
	}
	w.tell("%s cannot start: %v", m.name, err)
	w.coverage.hit(covOpenFailed)
	c := chance(w.id('s', uint64(m.id), m.starts))
	m.disk.engine = m.disk.engine.Crash(func(n int) int { return c.below(n + 1) })
	m.orphans = append(m.orphans, p.run)
	m.failAt = 0
	w.startLater(m, &c)
}

// noteRecovered puts the rows into the ledger that a replica wrote while it was
// opened: the charge for what the run before may have admitted under a mark.
func (w *world) noteRecovered(p *process, number int) {
	run := w.ledger.runs[number]
	var cell storage.Cell
	err := p.store.Index(run.origin, 0, func(seq uint64, kind crdt.Kind, key string) bool {
		k := w.ledger.key(kind, key)
		if _, err := p.store.Cell(kind, key, &cell); err != nil || k < 0 {
			return false
		}
		row := *cell.Slot(run.origin)
		run.rows[k] = append(run.rows[k], version{row: row, sum: amount{row.Consumed, row.Refunded}})
		run.lastSeq = max(run.lastSeq, seq)
		p.know.learn(number, k, len(run.rows[k]))
		p.m.disk.know.learn(number, k, len(run.rows[k]))
		if number == p.run {
			p.accepted[k] = amount{row.Consumed, row.Refunded}
			p.floor[k] = row.Consumed
		}
		w.coverage.hit(covRecovered)
		w.charged(k)
		w.tell("%s is charged %s of %s", run.name, rowText(row), w.keyName(k))
		return true
	})
	w.must(err)
}

// checkPromises looks whether what clients were answered survived.
func (w *world) checkPromises(p *process) {
	owed := p.m.owed
	p.m.owed = nil
	if owed == nil || p.m.disk.know.lossy {
		return
	}
	d := p.m.disk
	for k := range w.ledger.keys {
		var have, charge amount
		if at := d.know.get(owed.run, k); at > 0 {
			have = w.ledger.runs[owed.run].rows[k][at-1].sum
		}
		for _, run := range owed.since {
			if at := d.know.get(run, k); at > 0 {
				charge = charge.plus(w.ledger.runs[run].rows[k][at-1].sum)
			}
		}
		if w.void(&d.regs, k) {
			continue
		}
		if most := w.mostCharged(owed.accepted[k].consumed - have.consumed); charge.consumed > most {
			w.fail("I10", "%s starts; its charge for %s: expected %d at most, as the last run had not written %d, got %d",
				p.m.name, w.keyName(k), most, owed.accepted[k].consumed-have.consumed, charge.consumed)
			return
		}
		if owed.clean && charge.consumed > 0 {
			w.fail("I10", "the start of %s after a clean stop: expected no charge of %s, got %d", p.m.name, w.keyName(k), charge.consumed)
			return
		}
		if have.consumed+charge.consumed < owed.floor[k] {
			w.fail("I10", "after the crash of %s, %s: expected %d, for which it had answered, got %d and a charge of %d",
				w.ledger.runs[owed.run].name, w.keyName(k), owed.floor[k], have.consumed, charge.consumed)
			return
		}
	}
	for _, f := range owed.regs {
		have := d.regs.get(f.key)
		if have == f.place || have > 0 && w.ledger.regs.values[f.key][have-1].later(&w.ledger.regs.values[f.key][f.place-1]) {
			continue
		}
		w.fail("I10", "after the crash of %s, register %q: expected the value for which it had answered, got an older one", w.ledger.runs[owed.run].name, w.ledger.regs.keys[f.key])
		return
	}
}

// mostCharged bounds what a start may charge when so much of the last run was
// not written: one request, or one batch, more, and one step.
func (w *world) mostCharged(unwritten uint64) uint64 {
	if len(w.plan.Policies) > 0 || w.plan.Default.Durability != ratelimit.Reserve {
		return 1 << 62
	}
	l := w.plan.Default.Limit()
	return unwritten + 27*ratelimit.Token + uint64(max(l.Capacity/100, l.PerSecond()))
}

// startLater starts a machine after a while.
func (w *world) startLater(m *machine, c *chance) {
	w.queue.push(w.now+int64(c.below(15_000)), func(w *world) { w.bringUp(m) })
}

// bringUp starts a machine; one with an empty disk takes over the state of a
// peer first.
func (w *world) bringUp(m *machine) {
	if m.proc != nil || m.gone || m.disk == nil {
		return
	}
	if m.disk.empty && !w.bootstrap(m) {
		if !w.settling && w.broken == nil {
			w.queue.push(w.now+5_000, func(w *world) { w.bringUp(m) })
		}
		return
	}
	w.start(m)
	w.introduce(m)
}

// introduce lets a process that has started greet the peers in reach, and make a
// round with one of them, before it serves. They have its name on disk then:
// whoever knows a member at all remembers it over a restart.
func (w *world) introduce(m *machine) {
	if m.proc == nil || w.broken != nil {
		return
	}
	w.gossip(m)
	w.keepGossiping(m.proc)
	c := chance(w.id('i', uint64(m.id), m.starts))
	calm := w.calm
	w.calm = true
	pulled := false
	for _, o := range w.machines {
		if o == m || m.proc == nil || o.proc == nil || o.faulty || o.full || o.paused(w.now) || w.cut[o.id][m.id] || w.cut[m.id][o.id] {
			continue
		}
		if !pulled {
			pulled = true
			w.pull(m.proc, o, &c)
		} else {
			w.greet(m.proc, o, &c)
		}
		w.flushOnce(o.proc, &c)
	}
	w.flushOnce(m.proc, &c)
	w.calm = calm
}

// greet sends an empty page to one machine.
func (w *world) greet(p *process, o *machine, c *chance) {
	body := w.encode(p.rep.IdlePage(w.instant(p)))
	w.send(&message{kind: msgPush, from: p.m.id, to: o.id, body: body, chance: c.fork()})
}

// flushOnce begins and ends a flush, or ends the one under way.
func (w *world) flushOnce(p *process, c *chance) {
	if p == nil || w.broken != nil {
		return
	}
	if p.flush == nil {
		w.beginFlush(p, c)
	}
	if p.alive() && p.flush != nil && w.broken == nil {
		w.endFlush(p, c)
	}
}

// bootstrap copies the state of the first peer in reach.
func (w *world) bootstrap(m *machine) bool {
	for _, d := range w.machines {
		if d.proc == nil || d.cloned || d.faulty || w.cut[d.id][m.id] || w.cut[m.id][d.id] {
			continue
		}
		var stream bytes.Buffer
		if err := d.proc.rep.WriteSnapshot(&stream); err != nil {
			w.fail("calls", "%s writes a snapshot: expected success, got %v", d.name, err)
			return false
		}
		store, err := storage.New(m.disk.engine)
		if err == nil {
			err = storage.Import(store, &stream, nil)
		}
		if err != nil {
			w.fail("calls", "%s loads the snapshot of %s: expected success, got %v", m.name, d.name, err)
			return false
		}
		m.disk.know, m.disk.regs, m.disk.empty = d.disk.know.clone(), d.disk.regs.clone(), false
		// What a member does not know of that was forgotten by mistake, nobody waits
		// for it to learn, nor for who starts from its state.
		m.disk.know.lossy = m.disk.know.lossy || w.schism && w.forgotten(d.proc.node)
		// What was old by the donor's clock is not in its state any more.
		m.lost = max(m.lost, d.wall(w.now)+d.lost-m.wall(w.now))
		w.coverage.hit(covBootstrap)
		if d.clock.OffsetMS != m.clock.OffsetMS {
			w.unclearAll() // a level is of an instant by the donor's clock
		}
		w.tell("%s takes over the state of %s", m.name, d.name)
		return true
	}
	return false
}

func stack() string {
	lines := bytes.Split(debug.Stack(), []byte("\n"))
	var kept [][]byte
	for i := 0; i+1 < len(lines); i++ {
		if bytes.Contains(lines[i+1], []byte("/node/")) || bytes.Contains(lines[i+1], []byte("/sim/")) ||
			bytes.Contains(lines[i+1], []byte("/ratelimit/")) || bytes.Contains(lines[i+1], []byte("/storage/")) {
			kept = append(kept, lines[i], lines[i+1])
			i++
		}
	}
	return string(bytes.Join(kept, []byte("\n")))
}
