package sim

import (
	"bytes"
	"fmt"
	"runtime/debug"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/storage"
)

// machine is a place where a process runs, crashes and is started again.
type machine struct {
	id     int
	name   string
	disk   *disk
	backup *disk
	clock  Clock
	proc   *process // nil while down
	starts uint64
	disks  uint64
}

// disk is what survives a process, and what the ledger says must be on it.
type disk struct {
	engine *storage.Memory
	node   crdt.NodeID
	empty  bool // has to take over the state of a peer first
	know   knowledge
	regs   regKnowledge
}

func (d *disk) clone() *disk {
	return &disk{engine: d.engine.Clone(), node: d.node, empty: d.empty, know: d.know.clone(), regs: d.regs.clone()}
}

// process is one start of a replica.
type process struct {
	m       *machine
	rep     *replica.Replica
	store   *storage.Store
	node    crdt.NodeID
	run     int // of the ledger
	booted  int64
	know    knowledge
	regs    regKnowledge
	pending [maxKeys]amount // accepted and not captured by a flush yet
	flush   *flush
}

func (p *process) alive() bool { return p.m.proc == p }

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
		w.fail("start", "a new disk of %s: %v", m.name, err)
	}
}

const clusterName = "sim"

// start starts a process on what is on the disk.
func (w *world) start(m *machine) {
	if m.proc != nil {
		return
	}
	store, err := storage.New(m.disk.engine)
	if err != nil {
		w.fail("start", "%s cannot open its store: %v", m.name, err)
		return
	}
	m.starts++
	origin := crdt.Origin(w.id('r', uint64(m.id), m.starts))
	p := &process{m: m, store: store, node: m.disk.node, booted: w.now, know: m.disk.know.clone(), regs: m.disk.regs.clone()}
	p.run = w.ledger.addRun(origin, p.node, fmt.Sprintf("%s%d", m.name, m.starts))
	now := w.instant(p)
	b := storage.NewBatch()
	b.PutCurrentRun(crdt.Run{Origin: origin, Node: p.node, Name: m.name, Started: crdt.NewHLC(now.Wall, 0)})
	if err := store.Commit(b, true); err != nil {
		w.fail("start", "%s cannot write its run: %v", m.name, err)
		return
	}
	c := &w.plan.Config
	p.rep, err = replica.Open(replica.Options{
		Cluster: clusterName, Node: p.node, Name: m.name, Run: origin, Store: store, Default: c.Default,
		Idle: c.Idle, ForgetAfter: c.Forget, ReleaseAfter: c.Release, Tombstones: c.Tombstones,
		HotCells: c.HotCells, PageRows: c.PageRows, Seed: c.Seed, Shards: 2,
	}, now)
	if err != nil {
		w.fail("start", "%s: %v", m.name, err)
		return
	}
	m.proc = p
	w.tell("%s starts as %s", m.name, w.runName(origin))
	w.checkStore(p)
}

// crash ends the process; of the batches that were not synced yet, keep stay.
func (w *world) crash(m *machine, keep func(int) int) {
	w.coverage.hit(covCrash)
	kept := false
	m.disk.engine = m.disk.engine.Crash(func(n int) int {
		k := keep(n)
		kept = k > 0 && k == n
		return k
	})
	if f := m.proc.flush; f != nil {
		w.coverage.hit(covCrashInFlush)
		if f.written && kept {
			f.becomeDurable(m.disk)
		}
	}
	w.tell("%s crashes; an unfinished flush is %s", m.name, map[bool]string{true: "kept", false: "lost"}[kept])
	m.proc = nil
}

// startLater starts a machine after a while.
func (w *world) startLater(m *machine, c *chance) {
	w.queue.push(w.now+int64(c.below(15_000)), func(w *world) {
		if m.proc == nil {
			w.bringUp(m)
		}
	})
}

// bringUp starts a machine; one with an empty disk takes over the state of a
// peer first.
func (w *world) bringUp(m *machine) {
	if m.disk.empty && !w.bootstrap(m) {
		w.queue.push(w.now+5_000, func(w *world) {
			if m.proc == nil && !w.settling {
				w.bringUp(m)
			}
		})
		return
	}
	w.start(m)
	if m.proc != nil {
		w.gossip(m)
	}
}

// bootstrap copies the state of the first peer in reach.
func (w *world) bootstrap(m *machine) bool {
	for _, d := range w.machines {
		if d.proc == nil || w.cut[d.id][m.id] || w.cut[m.id][d.id] {
			continue
		}
		var stream bytes.Buffer
		if err := d.proc.rep.WriteSnapshot(&stream); err != nil {
			w.fail("bootstrap", "%s cannot write a snapshot: %v", d.name, err)
			return false
		}
		store, err := storage.New(m.disk.engine)
		if err == nil {
			err = storage.Import(store, &stream, nil)
		}
		if err != nil {
			w.fail("bootstrap", "%s cannot load the snapshot of %s: %v", m.name, d.name, err)
			return false
		}
		m.disk.know, m.disk.regs, m.disk.empty = d.disk.know.clone(), d.disk.regs.clone(), false
		w.coverage.hit(covBootstrap)
		w.tell("%s takes over the state of %s", m.name, d.name)
		return true
	}
	return false
}

func stack() string {
	lines := bytes.Split(debug.Stack(), []byte("\n"))
	var kept [][]byte
	for i := 0; i+1 < len(lines); i++ {
		if bytes.Contains(lines[i+1], []byte("/clawd/")) || bytes.Contains(lines[i+1], []byte("/main/")) {
			kept = append(kept, lines[i])
			i++
		}
	}
	return string(bytes.Join(kept, []byte("\n")))
}
