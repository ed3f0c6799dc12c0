package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/storage"
)

// Cluster implements api.ClusterViewer.
func (p public) Cluster(context.Context) (wire.Cluster, error) {
	n := p.n
	seen := make(map[crdt.NodeID]member)
	for _, m := range n.membership.others() {
		seen[m.node] = m
	}
	c := wire.Cluster{Name: n.options.Cluster, Self: n.id.name, Members: []wire.Member{n.selfMember()}}
	if n.started() == nil {
		for _, info := range n.replica.Members(n.now()) {
			if !info.Self {
				c.Members = append(c.Members, memberOf(&info, seen))
				delete(seen, info.Node)
			}
		}
	}
	for _, m := range slices.SortedFunc(maps.Values(seen), byName) { // met by gossip alone so far
		c.Members = append(c.Members, memberOf(&replica.MemberInfo{Node: m.node, Name: m.name, Run: m.run}, seen))
	}
	return c, nil
}

func byName(a, b member) int { return cmp.Compare(a.name, b.name) }

func (n *Node) selfMember() wire.Member {
	return wire.Member{
		Name: n.id.name, Node: n.id.node.String(), Run: n.id.run.String(),
		State: stateOf(n.health.current()), HTTPAddr: n.advertise.http, PeerAddr: n.advertise.peer,
		GossipAddr: n.advertise.gossip, Version: n.options.Version,
	}
}

// stateOf names a phase as the api does, which knows no syncing.
func stateOf(p phase) string {
	if p == phaseSyncing {
		return wire.StateJoining
	}
	return p.String()
}

func memberOf(info *replica.MemberInfo, seen map[crdt.NodeID]member) wire.Member {
	m := wire.Member{
		Name: info.Name, Node: info.Node.String(), Run: info.Run.String(), State: wire.StateFailed,
		StalenessMS: info.Staleness.Milliseconds(), ClockSkewMS: info.ClockSkew.Milliseconds(),
		LagRows: int64(min(info.Lag, 1<<53)),
	}
	if s, ok := seen[info.Node]; ok {
		m.HTTPAddr, m.PeerAddr, m.GossipAddr, m.Version = s.http, s.peer, s.gossip, s.version
		m.State = presenceState(s)
	}
	if info.Gone != "" {
		m.State = wire.StateLeft
	}
	return m
}

func presenceState(m member) string {
	switch m.presence {
	case presenceAlive:
		if m.phase == phaseSyncing.String() {
			return wire.StateJoining
		}
		return m.phase
	case presenceLeft:
		return wire.StateLeft
	}
	return wire.StateFailed
}

// Join implements api.ClusterAdmin.
func (p public) Join(_ context.Context, addresses []string) (int, error) {
	return p.n.membership.joinNow(addresses)
}

// Leave implements api.ClusterAdmin. Unlike a stop, it is for good: the others
// stop waiting for this node, and its data directory must not come back.
func (p public) Leave(ctx context.Context) error {
	if err := p.n.started(); err != nil {
		return err
	}
	wait, err := p.n.replica.Leave(p.n.now())
	if err := p.n.durably(ctx, wait, err); err != nil {
		return err
	}
	if err := markForgotten(p.n.options.DataDir); err != nil {
		return err
	}
	p.n.log.Info("leaving the cluster for good")
	p.n.finish()
	return nil
}

// Forget implements api.ClusterAdmin.
func (p public) Forget(ctx context.Context, name string) (wire.ForgetResponse, error) {
	if err := p.n.started(); err != nil {
		return wire.ForgetResponse{}, err
	}
	info, err := p.n.lookup(name)
	if err != nil {
		return wire.ForgetResponse{}, err
	}
	if info.Self || info.State == replica.PeerAlive {
		return wire.ForgetResponse{}, fmt.Errorf("%w: %s is alive", api.ErrConflict, info.Name)
	}
	wait, err := p.n.replica.Forget(p.n.now(), info.Node)
	if err := p.n.durably(ctx, wait, err); err != nil {
		return wire.ForgetResponse{}, err
	}
	if err := p.n.membership.forget(info.Name); err != nil {
		p.n.log.Warn("gossip still lists the forgotten member", "member", info.Name, "error", err)
	}
	return wire.ForgetResponse{Member: info.Name, Node: info.Node.String()}, nil
}

// lookup finds a member by name or node id.
func (n *Node) lookup(name string) (replica.MemberInfo, error) {
	for _, m := range n.replica.Members(n.now()) {
		if m.Name == name || m.Node.String() == name {
			return m, nil
		}
	}
	return replica.MemberInfo{}, fmt.Errorf("%w: no member %q", api.ErrNotFound, name)
}

// Live implements api.Health.
func (p public) Live() error { return p.n.group.Err() }

// Ready implements api.Health.
func (p public) Ready() []wire.HealthCheck { return p.n.health.checks() }

// Backup implements api.Backuper.
func (p public) Backup(_ context.Context, directory string) (wire.BackupResponse, error) {
	if err := p.n.started(); err != nil {
		return wire.BackupResponse{}, err
	}
	if !filepath.IsAbs(directory) {
		return wire.BackupResponse{}, api.Invalid("directory", "is not an absolute path")
	}
	began := p.n.options.Now()
	m, err := p.n.store.Backup(directory)
	switch {
	case errors.Is(err, storage.ErrNotEmpty):
		return wire.BackupResponse{}, fmt.Errorf("%w: %w", api.ErrConflict, err)
	case err != nil:
		return wire.BackupResponse{}, fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	p.n.log.Info("wrote a backup", "directory", directory, "took", p.n.options.Now().Sub(began).Round(time.Millisecond).String())
	return wire.BackupResponse{Directory: directory, Bytes: m.Bytes(), Files: len(m.Files)}, nil
}
