package antientropy

import (
	"errors"
	"fmt"

	"github.com/openclaw/clawd/crdt"
)

// Limits of one message. A peer that exceeds them is refused, so the memory a
// message can make a replica allocate is bounded by its length on the wire.
const (
	// MaxPageEntries is the most entries one page carries.
	MaxPageEntries = 4096
	// MaxOrigins is the most origins one version vector on the wire names.
	MaxOrigins = 65536
	// MaxName bounds cluster and replica names.
	MaxName = 255
	// MaxFrame is the longest encoded message.
	MaxFrame = 4 << 20
)

// Errors of the protocol. A page that meets one of them changed nothing.
var (
	// ErrForeignCluster: the message was meant for another cluster.
	ErrForeignCluster = errors.New("message of another cluster")
	// ErrMalformed: the bytes are not a message of this protocol, or its
	// fields contradict each other.
	ErrMalformed = errors.New("malformed message")
	// ErrOwnOrigin: a peer sent rows of this replica's own running process.
	ErrOwnOrigin = errors.New("rows of the receiver's own run")
	// ErrForeignOrigin: a push carries rows of an origin that is not the
	// sender's. Only a pull, which the receiver asked for, may relay.
	ErrForeignOrigin = errors.New("push of an origin that is not the sender's")
	// ErrForgotten: the sender was forgotten by this cluster and must start
	// again under a new identity.
	ErrForgotten = errors.New("sender was forgotten by the cluster")
)

// GapError says that a page starts beyond what the receiver knows. The
// receiver has everything of Origin up to Have; whatever it lacks, a pull
// brings.
type GapError struct {
	Origin crdt.Origin
	Have   uint64
	From   uint64
}

func (e *GapError) Error() string {
	return fmt.Sprintf("gap in origin %s: have %d, page starts at %d", e.Origin, e.Have, e.From)
}

// Page is a run of consecutive changes of one origin: all of them with
// AfterSeq < seq, up to the last entry, or up to Upto when Complete.
type Page struct {
	Cluster string
	From    crdt.NodeID // who sends it; the origin's node, or a relay
	Clock   crdt.HLC    // the sender's clock when it was built
	Run     crdt.Run    // the origin, described, so that nobody meets an unknown run

	// Session names one scan of one view. Its first page has AfterSeq ==
	// FromSeq; each further one has AfterSeq == last seq of the page before.
	Session  uint64
	FromSeq  uint64
	AfterSeq uint64
	// Upto and Stable hold once the page is Complete: the receiver then has
	// every change of the origin up to seq Upto and up to origin time Stable
	// (unix ms). Entries may lie beyond Upto: a sender that got only the first
	// pages of a session has rows its vector does not cover, and may be the
	// only one to have them.
	Upto     uint64
	Stable   int64
	Complete bool
	// Collected: the origin is a dead run, every member has all of it, and the
	// sender has dropped it. The receiver may do the same.
	Collected bool

	Entries []crdt.Entry
}

// LastSeq is the seq of the last entry, or AfterSeq when the page has none.
func (p *Page) LastSeq() uint64 {
	if len(p.Entries) == 0 {
		return p.AfterSeq
	}
	return p.Entries[len(p.Entries)-1].Seq()
}

// Check tells whether the fields of the page agree with each other.
func (p *Page) Check() error {
	switch {
	case p.Run.Origin == 0 || p.Run.Node == 0 || p.From == 0:
		return fmt.Errorf("%w: origin, node and sender must be set", ErrMalformed)
	case len(p.Entries) > MaxPageEntries:
		return fmt.Errorf("%w: %d entries, at most %d", ErrMalformed, len(p.Entries), MaxPageEntries)
	case p.AfterSeq < p.FromSeq:
		return fmt.Errorf("%w: after_seq %d before from_seq %d", ErrMalformed, p.AfterSeq, p.FromSeq)
	}
	last := p.AfterSeq
	for i := range p.Entries {
		e := &p.Entries[i]
		if e.Seq() <= last {
			return fmt.Errorf("%w: entry %d is out of order", ErrMalformed, i)
		}
		last = e.Seq()
		if err := checkEntry(e); err != nil {
			return fmt.Errorf("%w: entry %d: %w", ErrMalformed, i, err)
		}
	}
	return nil
}

func checkEntry(e *crdt.Entry) error {
	switch e.Kind {
	case crdt.KindBucket:
		if _, err := crdt.ParseBucketKey(e.Key); err != nil {
			return err
		}
	case crdt.KindCounter:
		if _, err := crdt.ParseCounterKey(e.Key); err != nil {
			return err
		}
	case crdt.KindUsage:
		if _, err := crdt.ParseUsageKey(e.Key); err != nil {
			return err
		}
	case crdt.KindRegister:
		if _, err := crdt.ParseRegisterKey(e.Key); err != nil {
			return err
		}
		return nil
	default:
		return fmt.Errorf("unknown kind %q", byte(e.Kind))
	}
	if e.Row.Birth > e.Row.Seq {
		return fmt.Errorf("birth %d after seq %d", e.Row.Birth, e.Row.Seq)
	}
	return nil
}

// Ack is what a replica tells of itself: the vector that survives its crash.
type Ack struct {
	From    crdt.NodeID
	Clock   crdt.HLC
	Durable crdt.VersionVector
}

// Pull asks a peer for every change the sender lacks.
type Pull struct {
	Cluster string
	Run     crdt.Run // the asking run
	Clock   crdt.HLC
	Have    crdt.VersionVector // in memory: what need not be sent
	Durable crdt.VersionVector // on disk: what counts as acknowledged
}

// Digest summarises everything a replica holds, for the audit: when two
// replicas have equal vectors, their buckets must be equal too.
type Digest struct {
	From    crdt.NodeID
	Vector  crdt.VersionVector
	Buckets []DigestBucket
}

// Comparable tells whether buckets that differ say anything: of no origin that
// both digests list may one have more. An origin that only one lists is over and
// about to be collected at the other, or not known there yet; its rows are of no
// interest to who merges them, so they do not keep the rest from being compared.
func (d *Digest) Comparable(o *Digest) bool {
	if len(d.Buckets) != len(o.Buckets) {
		return false
	}
	for origin, seq := range d.Vector {
		if other, both := o.Vector[origin]; both && other != seq {
			return false
		}
	}
	return true
}

// DigestBucket is the order-free sum over one 1024th of the key space.
type DigestBucket struct {
	Sum   [16]byte
	Count uint64
}
