package sim

import (
	"errors"
	"fmt"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/ratelimit"
)

const tenant = "t"

func agentName(i int) string { return fmt.Sprintf("agent%d", i) }

// do executes an operation, unless the machine cannot.
func (w *world) do(op *Op) {
	c := chance(op.R)
	m := w.machines[op.M]
	if m.proc == nil {
		return
	}
	p := m.proc
	switch op.Kind {
	case OpConsume:
		w.consume(p, op, &c)
	case OpRefund:
		w.refund(p, op, &c)
	case OpFlush:
		w.beginFlush(p, &c)
	case OpIdle:
		w.push(p, []*antientropy.Page{p.rep.IdlePage(w.instant(p))}, &c)
	case OpPull:
		if op.P != op.M {
			w.pull(p, w.machines[op.P], &c)
		}
	case OpCollect:
		w.collect(p, 1+c.below(8))
	case OpGossip:
		w.gossip(m)
	case OpTick:
		p.rep.Tick(w.instant(p))
	case OpCrash:
		w.crash(m, func(n int) int { return c.below(n + 1) })
		w.startLater(m, &c)
	case OpStop:
		w.stop(m, &c)
		w.startLater(m, &c)
	case OpBackup:
		w.backUp(m)
	case OpRestore:
		w.restore(m, &c)
	case OpLoseDisk:
		w.loseDisk(m, &c)
	case OpSplit:
		w.split(&c)
	case OpHeal:
		w.heal()
	case OpForget:
		w.forget(p, &c)
	}
}

func (w *world) consume(p *process, op *Op, c *chance) {
	agent := agentName(c.below(w.plan.Agents))
	capacity := w.plan.Default.Capacity
	n := 1 + int64(c.below(int(min(capacity, 9))))
	var out replica.Outcome
	err := p.rep.Consume(w.instant(p), &replica.Request{Tenant: tenant, Agent: agent, Tokens: n * ratelimit.Token}, &out)
	if err != nil {
		w.fail("consume", "%s: %v", p.m.name, err)
		return
	}
	w.tell("%s: consume %d of %s: %v", w.ledger.runs[p.run].name, n, agent, out.Decision.Allowed)
	if !out.Decision.Allowed {
		w.coverage.hit(covDenied)
		return
	}
	w.accept(p, agent, amount{consumed: uint64(n * ratelimit.Token)})
}

func (w *world) refund(p *process, op *Op, c *chance) {
	agent := agentName(c.below(w.plan.Agents))
	n := 1 + int64(c.below(9))
	given, _, err := p.rep.Refund(w.instant(p), &replica.Request{Tenant: tenant, Agent: agent, Tokens: n * ratelimit.Token})
	if err != nil {
		w.fail("refund", "%s: %v", p.m.name, err)
		return
	}
	k := w.ledger.key(crdt.KindBucket, crdt.BucketKey{Tenant: tenant, Agent: agent}.Encode())
	if k < 0 {
		return
	}
	known := w.ledger.sum(&p.know, k).plus(p.pending[k])
	want := min(uint64(n*ratelimit.Token), known.consumed-min(known.consumed, known.refunded))
	if uint64(given) != want && !p.know.lossy {
		w.fail("I11", "%s refunds %d of %s, but knows %v", p.m.name, given, agent, known)
	}
	w.tell("%s: refund %d of %s: %d", w.ledger.runs[p.run].name, n, agent, given/ratelimit.Token)
	if given > 0 {
		w.coverage.hit(covRefund)
		w.accept(p, agent, amount{refunded: uint64(given)})
	}
}

// accept notes what a replica has said yes to.
func (w *world) accept(p *process, agent string, a amount) {
	k := w.ledger.key(crdt.KindBucket, crdt.BucketKey{Tenant: tenant, Agent: agent}.Encode())
	if k >= 0 {
		p.pending[k] = p.pending[k].plus(a)
	}
}

func (w *world) collect(p *process, budget int) replica.CollectStats {
	stats, err := p.rep.Collect(w.instant(p), budget)
	if err != nil {
		w.fail("collect", "%s: %v", p.m.name, err)
	}
	if stats.Dropped > 0 {
		w.coverage.add(covCollected, uint64(stats.Dropped))
		w.tell("%s drops %d rows", w.ledger.runs[p.run].name, stats.Dropped)
	}
	return stats
}

// stop ends a process in order: everything is flushed and pushed.
func (w *world) stop(m *machine, c *chance) {
	p := m.proc
	if p.flush != nil {
		w.endFlush(p, c)
	}
	w.tell("%s stops", m.name)
	w.beginFlush(p, c)
	if p.flush != nil {
		w.endFlush(p, c)
	}
	m.proc = nil
	m.disk.engine = m.disk.engine.Crash(nil)
}

// backUp copies what the store shows, a batch that is not synced included.
func (w *world) backUp(m *machine) {
	m.backup = m.disk.clone()
	if f := m.proc.flush; f != nil && f.written {
		m.backup.know, m.backup.regs = f.know.clone(), f.regs.clone()
	}
	w.tell("%s is backed up", m.name)
}

func (w *world) restore(m *machine, c *chance) {
	if m.backup == nil {
		return
	}
	w.coverage.hit(covRestore)
	w.restored = true
	w.tell("%s is restored from its backup", m.name)
	m.proc = nil
	m.disk = m.backup.clone()
	m.disk.know.lossy = true
	w.startLater(m, c)
}

func (w *world) loseDisk(m *machine, c *chance) {
	w.coverage.hit(covDiskLost)
	w.tell("%s loses its disk", m.name)
	m.proc, m.backup = nil, nil
	w.lost = append(w.lost, m.disk.node)
	w.newDisk(m)
	w.startLater(m, c)
}

// split cuts the machines into two sides.
func (w *world) split(c *chance) {
	w.coverage.hit(covSplit)
	side := c.next()
	for a := range w.cut {
		for b := range w.cut[a] {
			w.cut[a][b] = side>>a&1 != side>>b&1
		}
	}
	w.tell("the network is cut: %s", w.cutName())
}

func (w *world) heal() {
	for a := range w.cut {
		clear(w.cut[a])
	}
	w.tell("the network is whole")
}

// gossip tells a process which of its peers seem to be alive.
func (w *world) gossip(m *machine) {
	p := m.proc
	var list []replica.PeerStatus
	for _, o := range w.machines {
		if o == m || o.proc == nil && o.starts == 0 {
			continue
		}
		s := replica.PeerStatus{Node: o.disk.node, Name: o.name, State: replica.PeerFailed}
		if o.proc != nil && !w.cut[o.id][m.id] && !w.cut[m.id][o.id] {
			s.State, s.Run = replica.PeerAlive, w.ledger.runs[o.proc.run].origin
		}
		list = append(list, s)
	}
	p.rep.SetPeers(w.instant(p), list)
}

// forget lets the operator declare a lost disk lost.
func (w *world) forget(p *process, c *chance) {
	if len(w.lost) == 0 {
		return
	}
	n := w.lost[c.below(len(w.lost))]
	_, err := p.rep.Forget(w.instant(p), n)
	if errors.Is(err, replica.ErrNotFound) {
		return
	}
	w.must(err)
	w.coverage.hit(covForgotten)
	w.tell("%s forgets node %v", p.m.name, n)
	w.wrote(p, crdt.RegisterKey{Space: crdt.SpaceMember, Name: n.String()})
}
