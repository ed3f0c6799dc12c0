package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/openclaw/clawd/access"
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/mlrefill"
	"github.com/openclaw/clawd/node/refill"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/storage"
)

// Run opens a node, serves until ctx ends or the node fails, and drains it.
// It returns nil after a clean stop.
func Run(ctx context.Context, o Options) error {
	n, err := Open(ctx, o)
	if err != nil {
		return err
	}
	<-n.Done()
	return n.Close(context.WithoutCancel(ctx))
}

// Node is a running peer.
type Node struct {
	options   Options // with defaults
	log       *slog.Logger
	epoch     time.Time // of the monotonic clock
	id        identity
	advertise advertisement
	bound     advertisement // where the listeners are

	// The replica and all that needs it exist once up is closed. Before that,
	// store belongs to the start alone.
	up      chan struct{}
	store   *storage.Store
	fatal   chan error // why the store has failed
	rebuilt bool       // the store was lost: do not begin without a peer's state
	catchUp bool       // there may be facts to fetch before being ready
	replica *replica.Replica
	refill  *refill.Controller
	model   *mlrefill.Model

	guard      *access.Guard
	certs      *certificates // nil without TLS
	disk       *storage.Watch
	waiters    *waiters
	gcPercent  int // as set last, by the tick loop
	health     *health
	metrics    *metrics
	registry   *lease
	top        *topAgents
	client     *peerClient
	peers      *peers
	gaps       *gaps
	membership *membership
	seeker     *seeker
	group      *group
	clockFell  int64 // mono ns of the last jump back of the wall clock; the tick loop's

	done     chan struct{}
	doneOnce sync.Once
	unhook   func() bool // stops listening to the context of Open

	cleanups  cleanups
	closeOnce sync.Once
	closeErr  error
}

// advertisement is a node's three addresses.
type advertisement struct{ http, peer, gossip, admin string }

// Open starts a node and returns once its listeners accept calls; it may not
// be ready yet, see Ready. ctx bounds the opening, and its end later makes
// Done close. A failed Open leaves nothing behind.
func Open(ctx context.Context, o Options) (*Node, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	n := newNode(o.WithDefaults())
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(err, n.cleanups.run(ctx))
	}
	n.unhook = context.AfterFunc(ctx, n.finish)
	return n, nil
}

func newNode(o Options) *Node {
	n := &Node{
		options:  o,
		log:      o.Logger,
		epoch:    o.Now(),
		guard:    access.NewGuard(access.Options{Strict: o.StrictAuth, OpenToAll: o.Insecure}),
		waiters:  newWaiters(),
		health:   newHealth(o.Logger),
		registry: &lease{Registerer: o.Registry},
		top:      newTopAgents(o.TopAgents),
		client:   newPeerClient(o.Network, newPeerAuth(o.PeerSecret, o.Now)),
		gaps:     newGaps(o.tuning.gapStorm),
		up:       make(chan struct{}),
		fatal:    make(chan error, 1),
		done:     make(chan struct{}),
	}
	n.metrics = newMetrics(n.registry)
	n.cleanups.add("metrics", func(context.Context) error { n.registry.release(); return nil })
	return n
}

// finish closes Done.
func (n *Node) finish() { n.doneOnce.Do(func() { close(n.done) }) }

// instant is a time as the replica's two clocks show it. The monotonic one
// starts at 1, as 0 means never.
func (n *Node) instant(t time.Time) replica.Instant {
	return replica.Instant{Wall: t.UnixMilli(), Mono: t.Sub(n.epoch).Nanoseconds() + 1}
}

func (n *Node) now() replica.Instant { return n.instant(n.options.Now()) }

// HTTPAddr is the address of the public listener, with the port really used.
func (n *Node) HTTPAddr() string { return n.bound.http }

// PeerAddr is the address of the peer listener.
func (n *Node) PeerAddr() string { return n.bound.peer }

// GossipAddr is the address of the membership listener.
func (n *Node) GossipAddr() string { return n.bound.gossip }

// AdminAddr is the address of the admin listener, empty without one.
func (n *Node) AdminAddr() string { return n.bound.admin }

// Name is the node's name, with the default filled in.
func (n *Node) Name() string { return n.id.name }

// ID is the identity of the node's data directory.
func (n *Node) ID() crdt.NodeID { return n.id.node }

// Done is closed when the node should be closed: the context of Open ended,
// the node was told to leave, or it failed. Close tells which.
func (n *Node) Done() <-chan struct{} { return n.done }

// Ready is closed when /readyz answers 200 for the first time.
func (n *Node) Ready() <-chan struct{} { return n.health.ready }

// Close drains the node: it reports not ready, finishes the calls under way,
// flushes and pushes what is left, says goodbye to the cluster and closes the
// store, all within Options.DrainTimeout and as long as ctx lasts. What can
// only wait is cut short then; the flush and the closing of the store are not.
// The error is that of a task that failed earlier, or of the drain. Later
// calls return the same.
func (n *Node) Close(ctx context.Context) error {
	n.closeOnce.Do(func() {
		n.unhook()
		ctx, cancel := context.WithTimeout(ctx, n.options.DrainTimeout)
		defer cancel()
		began := n.options.Now()
		n.health.advance(phaseDraining)
		n.membership.announce(n.health.current)
		if len(n.membership.reachable()) > 0 {
			rest(ctx, n.options.DrainTimeout/drainNotice) // balancers see the 503 and send no more
		}
		n.closeErr = n.cleanups.run(ctx)
		n.finish()
		n.log.Info("node stopped", "took", n.options.Now().Sub(began).Round(time.Millisecond).String())
	})
	return n.closeErr
}

// drainNotice is the part of the drain timeout in which a node that has peers
// still answers while it already reports not ready.
const drainNotice = 20
