package sim

import (
	"errors"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/replica"
)

func memberKey(n crdt.NodeID) crdt.RegisterKey {
	return crdt.RegisterKey{Space: crdt.SpaceMember, Name: n.String()}
}

func (w *world) opGossip(m *machine, _ *Op, _ *chance) { w.gossip(m) }

// gossip tells a process which of its peers seem to be alive.
func (w *world) gossip(m *machine) {
	p := m.proc
	var list []replica.PeerStatus
	reached := w.reached(m)
	w.hearsay(p, reached)
	for i, o := range w.machines {
		known, listed := p.listed[i]
		if o == m || !listed || known.node == m.disk.node {
			continue
		}
		s := replica.PeerStatus{Node: known.node, Name: o.name, State: replica.PeerFailed}
		switch {
		case !reached[i] || o.disk == nil || known.node != o.disk.node:
		case o.proc == nil && o.goodbye:
			s.State = replica.PeerLeft
		case o.proc != nil && !o.paused(w.now) && !w.cut[o.id][m.id] && !w.cut[m.id][o.id]:
			s.State, s.Run = replica.PeerAlive, w.ledger.runs[o.proc.run].origin
		}
		if have := p.peers[known.node]; s.State == replica.PeerFailed && have != nil && have.state == replica.PeerLeft {
			s.State = replica.PeerLeft // who has left does not fail
		}
		list = append(list, s)
	}
	p.rep.SetPeers(w.instant(p), list)
	p.watch(w.now, list)
}

// listing is a machine as gossip lists it: by its name, with the identity it last
// had there.
type listing struct {
	node  crdt.NodeID
	disks uint64 // the machine's disks until then
}

// hearsay adds to a process's list what those in reach have on theirs, of machines
// that are out of reach as well: gossip hands whole lists on.
func (w *world) hearsay(p *process, reached []bool) {
	note := func(i int, l listing) {
		if have, listed := p.listed[i]; !listed || have.disks < l.disks {
			p.listed[i] = l
		}
	}
	for i, o := range w.machines {
		if !reached[i] {
			continue
		}
		if o.disk != nil && o.disk.used {
			note(i, listing{o.disk.node, o.disks})
		}
		if o.proc != nil {
			for j, l := range o.proc.listed {
				note(j, l)
			}
		}
	}
}

// keepGossiping repeats gossip: news of members reach everybody in reach well
// within the life of a message.
func (w *world) keepGossiping(p *process) {
	w.after(w.plan.messageLife().Milliseconds()/4, p, func(w *world, p *process) {
		w.gossip(p.m)
		w.keepGossiping(p)
	})
}

// reached are the machines whose news get to m, over others if need be.
func (w *world) reached(m *machine) []bool {
	seen := make([]bool, len(w.machines))
	seen[m.id] = true
	for again := true; again; {
		again = false
		for a := range w.machines {
			for b := range w.machines {
				open := seen[b] && !seen[a] && !w.cut[a][b] && w.machines[b].proc != nil
				if open {
					seen[a], again = true, true
				}
			}
		}
	}
	return seen
}

// opLeave lets a machine leave for good.
func (w *world) opLeave(m *machine, _ *Op, c *chance) {
	if w.present() < 2 {
		return
	}
	p := m.proc
	wait, err := p.rep.Leave(w.instant(p))
	if w.failed(p, "leave", err) {
		return
	}
	w.coverage.hit(covLeave)
	w.tell("%s leaves", m.name)
	w.wrote(p, memberKey(p.node), wait)
	if w.twin(m) != nil {
		// A copy of the disk goes on under an identity that has left for good: what
		// it writes is dropped where its runs were collected already.
		w.schism = true
		w.ledger.disown(p.node)
	}
	w.stop(m, c)
	if m.proc != nil {
		return
	}
	m.gone, w.torn = true, true
	w.lost = append(w.lost, m.disk.node) // if nobody heard that it left
}

// present counts the machines that belong to the cluster.
func (w *world) present() (n int) {
	for _, m := range w.machines {
		if m.disk != nil && !m.gone && !m.cloned {
			n++
		}
	}
	return n
}

// opForget lets the operator declare a lost disk lost. Now and then it was only
// a machine that was out of reach.
func (w *world) opForget(m *machine, op *Op, c *chance) {
	o := w.machines[op.P]
	mistake := o != m && o.disk != nil && !o.gone && w.twin(o) == nil && (o.proc == nil || w.cut[o.id][m.id])
	switch {
	case mistake && w.present() > 2 && c.permille(300):
		if w.forget(m.proc, o.disk.node) {
			w.coverage.hit(covMistaken)
			w.torn, w.schism = true, true
			w.lost = append(w.lost, o.disk.node)
			w.ledger.disown(o.disk.node)
		}
	case len(w.lost) > 0:
		w.forget(m.proc, w.lost[c.below(len(w.lost))])
	}
}

func (w *world) forget(p *process, n crdt.NodeID) (known bool) {
	wait, err := p.rep.Forget(w.instant(p), n)
	if errors.Is(err, replica.ErrNotFound) || errors.Is(err, replica.ErrSelf) || w.failed(p, "forget", err) {
		return false
	}
	w.coverage.hit(covForgotten)
	w.tell("%s is told to forget %s", p.m.name, w.nodeName(n))
	w.wrote(p, memberKey(n), wait)
	return true
}

// outcast handles the word of a peer that this process does not belong: its
// operator wipes the disk.
func (w *world) outcast(p *process) {
	w.coverage.hit(covOutcast)
	w.tell("%s is told that it does not belong", p.m.name)
	c := chance(w.id('o', uint64(p.m.id), p.m.starts))
	w.loseDisk(p.m)
	w.startLater(p.m, &c)
}

// knowsGone tells whether a process has been told that a member left for good or
// was forgotten.
func (w *world) knowsGone(p *process, n crdt.NodeID) bool {
	k, known := w.ledger.regs.keyOf[memberKey(n).Encode()]
	return known && p.regs.get(k) > 0
}

// forgotten tells whether an operator ever declared a node lost.
func (w *world) forgotten(n crdt.NodeID) bool {
	k, known := w.ledger.regs.keyOf[memberKey(n).Encode()]
	return known && len(w.ledger.regs.values[k]) > 0
}
