package replica

import (
	"fmt"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
)

// MergePush takes a page that from pushed. A peer pushes only its own origin.
func (r *Replica) MergePush(now Instant, p *antientropy.Page) (antientropy.Ack, error) {
	if p.Run.Node != p.From {
		return antientropy.Ack{}, r.reject(antientropy.ErrForeignOrigin)
	}
	if err := r.mergePage(now, p); err != nil {
		return antientropy.Ack{}, r.reject(err)
	}
	return r.Ack(now), nil
}

// MergePulled takes a page of an answer to this replica's own pull; it may be
// of any origin.
func (r *Replica) MergePulled(now Instant, p *antientropy.Page) error {
	if err := r.mergePage(now, p); err != nil {
		return r.reject(err)
	}
	return nil
}

// Ack is what this replica acknowledges: the vector of its last flush.
func (r *Replica) Ack(now Instant) antientropy.Ack {
	r.merge.Lock()
	defer r.merge.Unlock()
	return antientropy.Ack{From: r.self, Clock: r.clock.Now(now.Wall), Durable: r.acknowledged()}
}

// NoteAck takes what a peer told of itself.
func (r *Replica) NoteAck(now Instant, a *antientropy.Ack) {
	r.clock.Observe(a.Clock, now.Wall)
	r.merge.Lock()
	defer r.merge.Unlock()
	if p := r.peers[a.From]; p != nil {
		p.skew = a.Clock.WallMS() - now.Wall
	}
	r.acks.Record(a.From, a.Durable, now.Mono)
}

// headerVector leaves the origins out that are sealed and collected here.
func (r *Replica) headerVector(vv crdt.VersionVector) crdt.VersionVector {
	out := make(crdt.VersionVector, len(vv))
	for o, seq := range vv {
		if !r.collected[o] {
			out[o] = seq
		}
	}
	return out
}

// acknowledged is the durable vector without the origins of which there are
// rows beyond it here: nobody may drop a run while one of its rows is known to
// some members only. Of a run that is over, that goes for what is in memory and
// not on disk yet, too.
func (r *Replica) acknowledged() crdt.VersionVector {
	out := r.headerVector(r.durableVV)
	for o := range r.ragged {
		delete(out, o)
	}
	for o, seq := range out {
		if r.recv.Vector(o).Seq > seq && r.runs[o].Sealed() {
			delete(out, o)
		}
	}
	return out
}

// noteRagged remembers that rows beyond the vector of an origin are here: only
// the first pages of a session came. What follows them makes it whole.
func (r *Replica) noteRagged(o crdt.Origin, last uint64) {
	have := r.recv.Vector(o).Seq
	if last = max(last, r.ragged[o]); last > have {
		r.ragged[o] = last
	} else {
		delete(r.ragged, o)
	}
}

// mergePage joins a page, whole or not at all.
func (r *Replica) mergePage(now Instant, p *antientropy.Page) error {
	if p.Cluster != r.opts.Cluster {
		return fmt.Errorf("%w %q", antientropy.ErrForeignCluster, p.Cluster)
	}
	if err := p.Check(); err != nil {
		return err
	}
	r.clock.Observe(p.Clock, now.Wall)
	r.merge.Lock()
	defer r.merge.Unlock()
	if r.member.forgotten[p.From] {
		return antientropy.ErrForgotten
	}
	if p.Run.Origin == r.run {
		r.checkEchoLocked(p)
		return antientropy.ErrOwnOrigin
	}
	r.learnRun(p.Run)
	if r.collected[p.Run.Origin] {
		return nil // its rows were collected everywhere; nothing moves
	}
	if p.Collected {
		r.released[p.Run.Origin] = r.runs[p.Run.Origin].Sealed()
		return nil
	}
	if err := r.recv.Admit(p); err != nil {
		return err
	}
	src := r.sourceOf(p, now)
	for i := range p.Entries {
		if err := r.join(now, src, &p.Entries[i]); err != nil {
			return err // the store failed: the vector has not moved, so the page comes again
		}
	}
	before := r.recv.Vector(p.Run.Origin)
	news := r.recv.Done(p)
	r.noteRagged(p.Run.Origin, p.LastSeq())
	if news {
		r.noteVector(p.Run.Origin, before, r.recv.Vector(p.Run.Origin))
	}
	// A run that is over tells nothing of what its node consumes now: counted as
	// heard, that would lose what it claims with the rows that are to come.
	live := !r.runs[p.Run.Origin].Sealed()
	if direct := p.From == p.Run.Node; live && (news || p.Complete && direct) {
		r.heard(src, now, direct)
	}
	r.counters.pages.Add(1)
	return nil
}

// savedStableStep is how far a stable time moves before it is worth a write:
// a page without rows must not cost an fsync.
const savedStableStep = int64(time.Minute / time.Millisecond)

func (r *Replica) noteVector(o crdt.Origin, before, after antientropy.Vector) {
	if after.Seq != before.Seq || after.Stable-r.savedStable[o] >= savedStableStep {
		r.savedStable[o] = after.Stable
		r.dirtyVectors[o] = true
	}
}

// source is where the entries of a page come from.
type source struct {
	origin crdt.Origin
	seq    uint64 // known of the origin before this page
	index  int    // of the origin's node among the view's peers; -1 = this node's own past
	peer   *peer
	repair bool // an audit found these missing: known seqs are news all the same
}

func (r *Replica) sourceOf(p *antientropy.Page, now Instant) source {
	s := source{origin: p.Run.Origin, seq: r.recv.Vector(p.Run.Origin).Seq, index: -1}
	if p.Run.Node != r.self {
		s.peer = r.peerOf(p.Run.Node, p.Run.Name, now)
		s.index = s.peer.index
	}
	return s
}

// heard notes that everything the peer consumed up to now is known: agents it
// said nothing about were not used there. What a relay has of it is news as
// well, but no sign that the peer can be reached: its share stays released.
func (r *Replica) heard(s source, now Instant, direct bool) {
	if s.peer == nil {
		return
	}
	s.peer.facts.Heard.Store(now.Mono)
	s.peer.lastHeard = now.Wall
	if direct && s.peer.state != PeerLeft {
		s.peer.facts.Hold()
	}
	r.restView(now)
}

func (r *Replica) join(now Instant, s source, e *crdt.Entry) error {
	if e.Kind == crdt.KindRegister {
		reg := e.Register
		reg.Origin = s.origin
		return r.joinRegister(now, e.Key, reg)
	}
	return r.joinRow(now, s, e)
}

// joinRow joins one row of a counter and lets the bucket know the difference.
func (r *Replica) joinRow(now Instant, s source, e *crdt.Entry) error {
	if r.superseded(e) {
		return nil // of a deleted agent or counter: void
	}
	var space [keySpace]byte
	key := appendCellKey(space[:0], e.Kind, e.Key)
	sh, hash := r.locate(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c, err := r.lookupLocked(sh, hash, key, now, true)
	if err != nil {
		return err
	}
	have := c.slotOf(s.origin)
	if have == nil && e.Row.Seq <= s.seq && !s.repair {
		return nil // seen before and collected here since
	}
	r.captureIfDueLocked(sh, c)
	have = c.needSlot(s.origin)
	before := have.row
	joined, delta := have.row.Join(e.Row)
	have.row = joined
	if joined == before {
		return nil
	}
	if delta.Changed {
		r.applyLocked(c, now, s, delta)
		r.counters.merged.Add(1)
	}
	r.markDirtyLocked(sh, c)
	return nil
}

// applyLocked adds what a row brought to the totals and to the bucket.
func (r *Replica) applyLocked(c *cell, now Instant, s source, d crdt.Delta) {
	c.setTotal(c.total().Add(d))
	if c.kind != crdt.KindBucket {
		return
	}
	if c.bound != r.policies.Load().gen {
		r.bindLocked(c, now)
	}
	diff := signed(d)
	if s.index >= 0 {
		c.bucket.Observe(now.Mono, c.limit(), r.view.Load(), s.index, diff)
		if a := c.side(); a != nil {
			a.Observe(now.Mono, r.view.Load(), s.index, diff)
		}
		return
	}
	// A row of this node's own past that came back from a peer.
	if diff >= 0 {
		c.bucket.Charge(now.Mono, c.limit(), r.view.Load(), diff)
	} else {
		c.bucket.Refund(now.Mono, c.limit(), r.view.Load(), -diff)
	}
}

// signed is consumed − refunded, saturating.
func signed(d crdt.Delta) int64 {
	const most = 1<<63 - 1
	if d.Consumed >= d.Refunded {
		return int64(min(d.Consumed-d.Refunded, most))
	}
	return -int64(min(d.Refunded-d.Consumed, most))
}

// checkEchoLocked looks for rows of this very run above its own: only a
// forger, or a copy of this process's memory, can have made them.
func (r *Replica) checkEchoLocked(p *antientropy.Page) {
	if p.LastSeq() > r.own.seq || p.Upto > r.own.seq {
		r.counters.echoes.Add(1)
	}
}
