package replica

import (
	"fmt"

	"github.com/openclaw/clawd/crdt"
)

// Words of a member's control register.
const (
	memberLeft      = "left"
	memberForgotten = "forgotten"
)

// memberState is who is no member any more, from the control registers.
type memberState struct {
	left      map[crdt.NodeID]bool
	forgotten map[crdt.NodeID]bool
}

func (m *memberState) gone(n crdt.NodeID) bool { return m.left[n] || m.forgotten[n] }

func (m *memberState) why(n crdt.NodeID) string {
	switch {
	case m.forgotten[n]:
		return memberForgotten
	case m.left[n]:
		return memberLeft
	}
	return ""
}

func memberKey(n crdt.NodeID) crdt.RegisterKey {
	return crdt.RegisterKey{Space: crdt.SpaceMember, Name: n.String()}
}

// Forget declares a member lost for good: nobody waits for it any more, and it
// may not come back under its identity. Its rows stay until they are idle.
func (r *Replica) Forget(now Instant, n crdt.NodeID) (wait uint64, err error) {
	if n == r.self {
		return 0, fmt.Errorf("forget: %w", ErrSelf)
	}
	r.merge.Lock()
	_, known := r.peers[n]
	r.merge.Unlock()
	if !known {
		return 0, fmt.Errorf("member %s: %w", n, ErrNotFound)
	}
	return r.setMember(now, n, memberForgotten)
}

// Leave declares that this node goes for good. A node that only restarts must
// not call it: its data would have to start again under a new identity.
func (r *Replica) Leave(now Instant) (wait uint64, err error) {
	return r.setMember(now, r.self, memberLeft)
}

func (r *Replica) setMember(now Instant, n crdt.NodeID, word string) (uint64, error) {
	_, wait, err := r.writeRegister(now, memberKey(n), func(crdt.Register, bool) (crdt.Register, error) {
		return crdt.Register{Value: []byte(word)}, nil
	})
	return wait, err
}

// memberChanged follows a member's control register.
func (r *Replica) memberChanged(now Instant, key crdt.RegisterKey, reg crdt.Register) {
	n, err := crdt.ParseNodeID(key.Name)
	if err != nil {
		return
	}
	delete(r.member.left, n)
	if reg.Deleted {
		return
	}
	switch string(reg.Value) {
	case memberLeft:
		r.member.left[n] = true
	case memberForgotten:
		r.member.forgotten[n] = true
	default:
		return
	}
	r.acks.Forget(n)
	r.sealRunsOf(now, n)
	if p := r.peers[n]; p != nil && n != r.self {
		r.setState(p, PeerLeft, now)
	}
	r.restView(now)
}

// Forgotten tells whether the cluster has forgotten this node: it must then
// start again with empty data and a new identity.
func (r *Replica) Forgotten() bool {
	r.merge.Lock()
	defer r.merge.Unlock()
	return r.member.forgotten[r.self]
}

// learnRun takes a run's descriptor. Called with the merge lock held.
func (r *Replica) learnRun(run crdt.Run) {
	have, known := r.runs[run.Origin]
	if !known {
		have = run
	}
	joined, changed := have.Join(run)
	if known && !changed {
		return
	}
	r.runs[run.Origin] = joined
	r.dirtyRuns[run.Origin] = true
	if own := r.runs[r.run]; joined.Node == r.self && startedAfter(joined, own) {
		r.replaced.Store(true)
	}
	r.supersede(joined)
}

// Replaced tells whether a newer process than this one runs under the same
// identity: on a copy of its data. Everybody takes this process for dead, and
// will drop what it consumes; it must stop.
func (r *Replica) Replaced() bool { return r.replaced.Load() }

// startedAfter orders the runs of a node. Two may have the same start, if a
// backup was restored and the clock went back.
func startedAfter(a, b crdt.Run) bool {
	return a.Started > b.Started || a.Started == b.Started && a.Origin > b.Origin
}

// supersede seals the older of any two runs of a node, whichever of them was
// learnt last. Only the own run is never sealed here; see Replaced.
func (r *Replica) supersede(learnt crdt.Run) {
	for _, o := range sortedKeys(r.runs) {
		older, newer := r.runs[o], learnt
		if older.Node != learnt.Node || o == learnt.Origin {
			continue
		}
		if startedAfter(older, newer) {
			older, newer = newer, older
		}
		if !older.Sealed() && older.Origin != r.run {
			r.seal(older.Origin, newer.Started.WallMS())
			learnt = r.runs[learnt.Origin]
		}
	}
}

func (r *Replica) sealRunsOf(now Instant, n crdt.NodeID) {
	for _, o := range sortedKeys(r.runs) {
		if run := r.runs[o]; run.Node == n && !run.Sealed() && o != r.run {
			r.seal(o, now.Wall)
		}
	}
}

// seal ends a run: nothing is written under it any more. Final is what this
// node knows of it; joins keep the greatest.
func (r *Replica) seal(o crdt.Origin, at int64) {
	run := r.runs[o]
	run.SealedAt = max(at, 1)
	run.Final = max(run.Final, r.recv.Vector(o).Seq)
	r.runs[o] = run
	r.dirtyRuns[o] = true
}
