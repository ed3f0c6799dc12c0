package node

import (
	"context"
	"errors"
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
	options Options
	done    chan struct{}
}

// Open starts a node and returns once its listeners accept calls; it may not
// be ready yet, see Ready. ctx bounds the opening, and its end later drains
// the node. A failed Open leaves nothing behind.
func Open(ctx context.Context, o Options) (*Node, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return nil, errors.New("node: not built yet")
}

// HTTPAddr is the address of the public listener, with the port really used.
func (n *Node) HTTPAddr() string { return n.options.HTTPAddr }

// PeerAddr is the address of the peer listener.
func (n *Node) PeerAddr() string { return n.options.PeerAddr }

// GossipAddr is the address of the membership listener.
func (n *Node) GossipAddr() string { return n.options.GossipAddr }

// AdminAddr is the address of the admin listener, empty without one.
func (n *Node) AdminAddr() string { return n.options.AdminAddr }

// Name is the node's name, with the default filled in.
func (n *Node) Name() string { return n.options.Name }

// Done is closed when the node should be closed: the context of Open ended, or
// the node failed. Err tells which.
func (n *Node) Done() <-chan struct{} { return n.done }

// Ready is closed when the node answers /readyz with 200 for the first time.
func (n *Node) Ready() <-chan struct{} { return n.done }

// Close drains the node: it reports not ready, finishes open requests, flushes
// and pushes what is left, leaves the cluster and closes the store, within
// Options.DrainTimeout or until ctx ends. Later calls return the same error.
func (n *Node) Close(ctx context.Context) error { return nil }
