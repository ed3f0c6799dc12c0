package node

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/openclaw/clawd/storage"
)

// settleTime is how long a new node looks for a peer with data before it
// concludes that the whole cluster is new.
const settleTime = time.Second

// lookupPatience is how many times SyncWait a new node waits when it could not
// even look up who the others are: then they are probably there.
const lookupPatience = 6

// bootstrap gives an empty node the cluster's state and ends when it may begin
// to count. Until then there is no replica, and calls are answered with 503.
//
//   - With a ready peer in reach it takes over the whole state of one.
//   - Among empty peers only, it is part of a new cluster: the one with the
//     smallest id goes ahead, and the others take its state.
//   - Without any peer in reach for SyncWait it begins alone, unless its store
//     was lost: then it would make the others' facts look old. While it cannot
//     look up who the others are (EC2 throttles, DNS is down), it waits longer.
//
// loaded tells whether a peer's state was taken: there may be newer facts by
// now.
func (n *Node) bootstrap(ctx context.Context) (loaded bool, err error) {
	began := n.now().Mono
	poll := time.NewTicker(n.options.tuning.joinInterval / 20)
	defer poll.Stop()
	for ctx.Err() == nil {
		waited := time.Duration(n.now().Mono - began)
		alive := n.membership.reachable()
		switch donors := inPhase(alive, phaseReady); {
		case len(donors) > 0:
			if loaded, err := n.loadFromAny(ctx, donors); loaded || err != nil {
				return loaded, err
			}
			rest(ctx, n.options.tuning.joinInterval)
		case len(alive) > 0:
			if waited >= settleTime && len(inPhase(alive, phaseJoining)) == len(alive) && n.leads(alive) {
				n.log.Info("all peers are as new as this node; beginning a new cluster")
				return false, nil
			}
		case waited >= n.options.SyncWait && n.membership.nameTaken():
			return false, n.errNameTaken()
		case waited >= n.options.SyncWait && !n.rebuilt && (n.seeker.lookedUp() || waited >= lookupPatience*n.options.SyncWait):
			n.log.Warn("no peer was found in time; beginning alone", "waited", waited.Round(time.Millisecond))
			return false, nil
		}
		select {
		case <-ctx.Done():
		case <-poll.C:
		}
	}
	return false, nil
}

func inPhase(list []member, p phase) []member {
	return slices.DeleteFunc(slices.Clone(list), func(m member) bool { return m.phase != p.String() })
}

// leads tells whether this node has the smallest id, so that one of several
// new nodes goes ahead. With different views of who is there it may be two,
// which is harmless: both are empty.
func (n *Node) leads(alive []member) bool {
	return !slices.ContainsFunc(alive, func(m member) bool { return m.node < n.id.node })
}

// loadFromAny tries the donors in random order. Each attempt is with one donor
// from beginning to end, since the totals of an agent only mean something
// together with the vector they were counted under.
func (n *Node) loadFromAny(ctx context.Context, donors []member) (bool, error) {
	for _, donor := range shuffled(donors) {
		err := n.load(ctx, donor)
		if err == nil {
			return true, nil
		}
		if ctx.Err() != nil {
			return false, nil
		}
		n.log.Warn("the state of a peer could not be loaded", "peer", donor.name, "error", err)
		if n.store == nil {
			return false, err // and there is nothing left to load into
		}
	}
	return false, nil
}

func (n *Node) load(ctx context.Context, donor member) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(pullSilence, cancel)
	defer watchdog.Stop()
	began := n.now().Mono
	body, err := n.client.snapshot(ctx, donor.peer)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	var size int64
	err = storage.Import(n.store, body, func(bytes int64) {
		watchdog.Reset(pullSilence)
		size = bytes
	})
	if err != nil {
		return errors.Join(err, n.startOver())
	}
	n.metrics.snapshotBytes.Add(float64(size))
	n.log.Info("loaded the state of a peer", "peer", donor.name, "bytes", size,
		"took", time.Duration(n.now().Mono-began).Round(time.Millisecond).String())
	return nil
}

// startOver throws away a half-loaded store and makes a new one of the same
// identity.
func (n *Node) startOver() error {
	if err := n.store.Close(); err != nil {
		return err
	}
	n.store = nil
	store, err := emptyStore(n.options, n.storeHooks(), n.id)
	if err != nil {
		return err
	}
	n.store = store
	return nil
}

// emptyStore replaces whatever is in the data directory by a store that knows
// only who it belongs to.
func emptyStore(o Options, hooks storage.Options, id identity) (*storage.Store, error) {
	if err := os.RemoveAll(storeDir(o.DataDir)); err != nil {
		return nil, err
	}
	store, err := o.tuning.openStore(storeDir(o.DataDir), hooks)
	if err != nil {
		return nil, err
	}
	self := storage.Self{Node: id.node, Cluster: o.Cluster, CreatedMS: o.Now().UnixMilli()}
	if err := store.InitSelf(self); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

// becomeReady ends when /readyz may answer 200. A node that comes back first
// makes one round with a peer: it then knows what happened while it was away.
// When it reaches nobody, or nobody answers, for SyncWait, it serves with what
// it has.
func (n *Node) becomeReady(ctx context.Context) error {
	if n.catchUp {
		if err := n.pullOnce(ctx); err != nil || ctx.Err() != nil {
			return err
		}
	}
	n.goReady()
	return nil
}

func (n *Node) pullOnce(ctx context.Context) error {
	deadline, cancel := context.WithTimeout(ctx, n.options.SyncWait)
	defer cancel()
	poll := time.NewTicker(n.options.tuning.joinInterval / 20)
	defer poll.Stop()
	for {
		alive := n.membership.reachable()
		if n.pullAny(deadline, slices.DeleteFunc(alive, func(m member) bool { return m.phase == phaseJoining.String() })) {
			return nil
		}
		select {
		case <-deadline.Done():
			if n.membership.nameTaken() {
				return n.errNameTaken()
			}
			if ctx.Err() == nil {
				n.log.Warn("no peer answered in time; serving with what this node knows", "waited", n.options.SyncWait)
			}
			return nil
		case <-poll.C:
		}
	}
}

func (n *Node) pullAny(ctx context.Context, alive []member) bool {
	for _, m := range shuffled(alive) {
		err := n.pull(ctx, m)
		if err == nil {
			return true
		}
		n.logPull(m, err)
	}
	return false
}

func (n *Node) goReady() {
	if n.health.advance(phaseReady) {
		n.membership.announce(n.health.current)
	}
}

func shuffled(list []member) []member {
	list = slices.Clone(list)
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}
