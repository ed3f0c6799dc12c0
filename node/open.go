package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/front"
	"github.com/openclaw/clawd/node/discovery"
	"github.com/openclaw/clawd/storage"
)

// open brings the parts up in the order of their needs. The cleanups, last in
// first out, take them down: public listeners, loops, last flush and push,
// gossip, peer listener, sockets, store.
//
// The store comes first: a second process on one data directory should hear
// that, not that a port is taken.
func (n *Node) open(ctx context.Context) error {
	if err := registerRuntime(n.registry); err != nil {
		return err
	}
	var err error
	if n.model, err = loadModel(n.options.RefillModel); err != nil {
		return err
	}
	if err := n.openStore(); err != nil {
		return err
	}
	sockets, err := n.listen(ctx)
	if err != nil {
		return err
	}
	n.makeGroup(ctx)
	if err := n.servePeers(sockets); err != nil {
		return err
	}
	if err := n.openGossip(sockets); err != nil {
		return err
	}
	n.cleanups.add("last flush", n.lastFlush)
	n.cleanups.add("loops", n.stopLoops)
	if err := n.servePublic(sockets); err != nil {
		return err
	}
	return n.begin()
}

func (n *Node) openStore() error {
	if err := os.MkdirAll(n.options.DataDir, 0o750); err != nil {
		return fmt.Errorf("the data directory cannot be used: %w", err)
	}
	n.disk = storage.NewWatch(storeDir(n.options.DataDir), n.options.tuning.disk)
	n.cleanups.add("store", func(context.Context) error {
		if n.store == nil {
			return nil
		}
		return n.store.Close()
	})
	var err error
	if n.store, n.rebuilt, err = openStore(n.options, n.storeHooks()); err != nil {
		return err
	}
	n.forgetFailure()
	if n.id, err = identify(n.store, n.options, n.options.Now()); err != nil {
		return err
	}
	n.introduce()
	unfinished, err := storage.ImportUnfinished(n.store)
	if err == nil && unfinished {
		err = n.startOver()
	}
	return err
}

// introduce tells those who sign in the node's name what that is.
func (n *Node) introduce() {
	if n.client.auth != nil {
		n.client.auth.self = n.id.node
	}
}

func (n *Node) storeHooks() storage.Options {
	return storage.Options{
		Logger: n.log, CacheBytes: n.options.CacheBytes, OnDiskFull: n.onDiskFull,
		OnFatal: func(err error) {
			select {
			case n.fatal <- err:
			default: // a second failure says nothing new
			}
		},
	}
}

// forgetFailure drops what a store reported that is no longer ours.
func (n *Node) forgetFailure() {
	select {
	case <-n.fatal:
	default:
	}
}

// sockets are the node's listeners before and while they are served.
type sockets struct {
	http, peer, admin net.Listener // admin may be nil
	gossip            *gossipTransport
}

func (n *Node) listen(ctx context.Context) (*sockets, error) {
	s := &sockets{}
	n.cleanups.add("sockets", func(context.Context) error { return s.close() })
	var err error
	if s.http, err = listen(ctx, n.options.Network, "http", n.options.HTTPAddr); err != nil {
		return nil, err
	}
	if s.peer, err = listen(ctx, n.options.Network, "peer", n.options.PeerAddr); err != nil {
		return nil, err
	}
	if n.options.AdminAddr != "" {
		if s.admin, err = listen(ctx, n.options.Network, "admin", n.options.AdminAddr); err != nil {
			return nil, err
		}
		n.bound.admin = s.admin.Addr().String()
	}
	if s.gossip, err = listenGossip(ctx, n.options.Network, n.options.GossipAddr); err != nil {
		return nil, listenError("gossip", n.options.GossipAddr, err)
	}
	n.bound.http, n.bound.peer, n.bound.gossip = s.http.Addr().String(), s.peer.Addr().String(), s.gossip.addr()
	return s, n.advertiseAs(s)
}

func (n *Node) advertiseAs(s *sockets) (err error) {
	if n.advertise.http, err = advertised(n.options.AdvertiseHTTP, s.http.Addr()); err != nil {
		return err
	}
	if n.advertise.peer, err = advertised(n.options.AdvertisePeer, s.peer.Addr()); err != nil {
		return err
	}
	if n.advertise.gossip, err = advertised(n.options.AdvertiseGossip, s.gossip.listener.Addr()); err != nil {
		return err
	}
	s.gossip.advertise, err = netip.ParseAddrPort(n.advertise.gossip)
	return err
}

// close frees the sockets; those that were served are closed already.
func (s *sockets) close() error {
	var errs []error
	for _, l := range []net.Listener{s.http, s.peer, s.admin} {
		if l != nil {
			errs = append(errs, unlessClosed(l.Close()))
		}
	}
	if s.gossip != nil {
		errs = append(errs, s.gossip.Shutdown())
	}
	return errors.Join(errs...)
}

func unlessClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// makeGroup makes the owner of the goroutines. They outlive the context of
// Open: its end begins the drain, in which they still have work.
func (n *Node) makeGroup(ctx context.Context) {
	n.group = newGroup(context.WithoutCancel(ctx))
	context.AfterFunc(n.group.ctx, n.finish)
	n.group.Go("store", func(ctx context.Context) error {
		select {
		case err := <-n.fatal:
			return err
		case <-ctx.Done():
			return nil
		}
	})
	n.cleanups.add("tasks", func(context.Context) error { return n.group.Stop() })
}

func (n *Node) servePeers(s *sockets) error {
	h, err := api.NewPeer(api.Options{Peer: peerside{n}, Logger: n.log, Registerer: n.registry, Now: n.options.Now})
	if err != nil {
		return err
	}
	srv := serve(s.peer, n.client.auth.require(h), false, n.log, n.group.fail)
	n.cleanups.add("peer listener", srv.stop)
	n.cleanups.add("peer client", func(context.Context) error { n.client.close(); return nil })
	return nil
}

func (n *Node) openGossip(s *sockets) error {
	sources, err := discovery.Parse(n.options.Join, discovery.Environment{Now: n.options.Now})
	if err != nil {
		return err // Validate said it before
	}
	n.membership, err = openMembership(membershipConfig{
		name: n.id.name, cluster: n.options.Cluster, dir: n.options.DataDir,
		key: n.options.GossipKey, transport: s.gossip,
		tuning: n.options.tuning, log: n.log,
		tags: tags{
			cluster: clusterHash(n.options.Cluster), node: n.id.node, run: n.id.run,
			phase: phaseJoining.String(), http: n.advertise.http, peer: n.advertise.peer,
			version: n.options.Version,
		},
	})
	if err != nil {
		return err
	}
	n.cleanups.add("gossip", n.leaveGossip)
	n.group.Go("gossip", func(ctx context.Context) error {
		select {
		case <-n.membership.stopped():
			return errGossipEnded
		case <-ctx.Done():
			return nil
		}
	})
	n.seeker = &seeker{
		sources: sources, members: n.membership, self: s.gossip.advertise.String(),
		every: n.options.tuning.joinInterval, now: n.options.Now, log: n.log,
	}
	n.group.Go("join", n.seeker.run)
	return nil
}

var errGossipEnded = errors.New("gossip has ended by itself")

// ErrNameTaken: another live member has the name of this node, which came
// later.
var ErrNameTaken = errors.New("another member of the cluster has this node's name")

func (n *Node) errNameTaken() error { return fmt.Errorf("%w: %q", ErrNameTaken, n.id.name) }

func (n *Node) servePublic(s *sockets) error {
	o := api.Options{
		Public: public{n}, Logger: n.log, Registerer: n.registry, Now: n.options.Now,
		Gate: n.guard, OpenMetrics: n.options.OpenMetrics, LegacyHeaders: n.options.LegacyHeaders, Stopping: n.health.draining,
		Metrics:            promhttp.HandlerFor(n.options.Registry, promhttp.HandlerOpts{EnableOpenMetrics: true}),
		TenantMetrics:      n.tenantMetrics,
		SeparateOperations: s.admin != nil,
	}
	if n.options.TLS.used() {
		certs, err := loadCertificates(n.options.TLS)
		if err != nil {
			return err
		}
		n.certs = certs
		s.http = certs.wrap(s.http)
		if s.admin != nil {
			s.admin = certs.wrap(s.admin)
		}
		n.group.Go("certificates", n.reloadLoop)
	}
	h, err := api.NewPublic(o)
	if err != nil {
		return err
	}
	if s.admin != nil {
		operations, err := api.NewOperations(o)
		if err != nil {
			return err
		}
		srv := serve(s.admin, n.profiling(operations), n.certs != nil, n.log, n.group.fail)
		n.cleanups.add("admin listener", srv.stop)
	}
	hot, err := api.NewHot(o)
	if err != nil {
		return err
	}
	hottest := front.Listen(s.http, front.Options{Hot: hot, HeadTimeout: headerTimeout, IdleTimeout: idleTimeout, Logger: n.log})
	srv := serve(hottest, h, n.certs != nil, n.log, n.group.fail)
	n.cleanups.add("http listener", func(ctx context.Context) error {
		return errors.Join(srv.stop(ctx), hottest.Wait(ctx))
	})
	return nil
}
