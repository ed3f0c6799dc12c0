package antientropy

import (
	"maps"

	"github.com/openclaw/clawd/crdt"
)

// Vector is what a replica knows of one origin: all changes up to Seq and up
// to origin time Stable (unix ms).
type Vector struct {
	Seq    uint64
	Stable int64
}

// maxSessions bounds the cursors kept for multi-page sessions. Losing one
// costs a resend, never a row.
const maxSessions = 1024

type sessionKey struct {
	session uint64
	origin  crdt.Origin
}

// Receiver holds a replica's vectors and decides what an incoming page may do
// to them.
type Receiver struct {
	vectors map[crdt.Origin]Vector
	cursors map[sessionKey]uint64
	order   []sessionKey // of cursors, oldest first
}

// NewReceiver starts from the given vectors, which it takes over.
func NewReceiver(vectors map[crdt.Origin]Vector) *Receiver {
	if vectors == nil {
		vectors = make(map[crdt.Origin]Vector)
	}
	return &Receiver{vectors: vectors, cursors: make(map[sessionKey]uint64)}
}

// Vector answers what is known of origin.
func (r *Receiver) Vector(origin crdt.Origin) Vector { return r.vectors[origin] }

// Vectors is a copy of all vectors.
func (r *Receiver) Vectors() map[crdt.Origin]Vector { return maps.Clone(r.vectors) }

// Version is the version vector: the seqs of all vectors.
func (r *Receiver) Version() crdt.VersionVector {
	vv := make(crdt.VersionVector, len(r.vectors))
	for o, v := range r.vectors {
		if v.Seq > 0 {
			vv[o] = v.Seq
		}
	}
	return vv
}

// Set replaces the vector of origin; the owner of an origin moves it so.
func (r *Receiver) Set(origin crdt.Origin, v Vector) { r.vectors[origin] = v }

// Forget drops what is known of a collected origin.
func (r *Receiver) Forget(origin crdt.Origin) { delete(r.vectors, origin) }

// Admit tells whether the rows of p may be joined now. A page of a session
// this replica has lost track of is a gap at the vector: the sender starts
// the session again.
func (r *Receiver) Admit(p *Page) error {
	have := r.vectors[p.Run.Origin].Seq
	follows := p.AfterSeq == p.FromSeq
	if !follows {
		at, known := r.cursors[sessionKey{p.Session, p.Run.Origin}]
		follows = known && at == p.AfterSeq
	}
	if p.FromSeq > have || !follows {
		return &GapError{Origin: p.Run.Origin, Have: have, From: p.AfterSeq}
	}
	return nil
}

// Done records that the rows of an admitted page were joined, and moves the
// vector when the page ends its session. It reports whether the page told
// something new of the origin: a higher seq or a later stable time.
func (r *Receiver) Done(p *Page) (news bool) {
	k := sessionKey{p.Session, p.Run.Origin}
	if !p.Complete {
		r.track(k, p.LastSeq())
		return false
	}
	r.untrack(k)
	v := r.vectors[p.Run.Origin]
	if p.Upto > v.Seq {
		v.Seq, news = p.Upto, true
	}
	if p.Stable > v.Stable {
		v.Stable, news = p.Stable, true
	}
	r.vectors[p.Run.Origin] = v
	return news
}

func (r *Receiver) track(k sessionKey, at uint64) {
	if _, known := r.cursors[k]; !known {
		if len(r.order) >= maxSessions {
			delete(r.cursors, r.order[0])
			r.order = r.order[1:]
		}
		r.order = append(r.order, k)
	}
	r.cursors[k] = at
}

func (r *Receiver) untrack(k sessionKey) {
	if _, known := r.cursors[k]; !known {
		return
	}
	delete(r.cursors, k)
	for i, o := range r.order {
		if o == k {
			r.order = append(r.order[:i], r.order[i+1:]...)
			return
		}
	}
}
