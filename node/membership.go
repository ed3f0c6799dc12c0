package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/crdt"
)

// presence is what gossip knows of a member.
type presence int

const (
	presenceAlive presence = iota
	presenceFailed
	presenceLeft
)

// member is one other node, as Serf and its tags describe it.
type member struct {
	node     crdt.NodeID
	name     string
	run      crdt.Origin
	presence presence
	phase    string
	http     string
	peer     string
	gossip   string
	version  string
}

// membership finds the other nodes. It knows who is there and where; it
// carries no state of the limiter.
type membership struct {
	log       *slog.Logger
	serf      *serf.Serf
	transport *gossipTransport
	name      string
	cluster   string

	announcing sync.Mutex // taken before mu

	mu   sync.Mutex
	tags tags

	refused   atomic.Int64 // members turned away by NotifyMerge
	namesakes atomic.Int64 // met in NotifyMerge
	taken     atomic.Bool  // one was met by the last attempt to join

	changed chan struct{} // one pending look is enough
	events  chan serf.Event
	wg      sync.WaitGroup
}

// membershipConfig is what openMembership needs to know.
type membershipConfig struct {
	name      string
	cluster   string
	dir       string // of the snapshot file
	key       []byte
	tags      tags
	transport *gossipTransport
	tuning    tuning
	log       *slog.Logger
}

// eventBuffer is Serf's event channel; a full one would block gossip.
const eventBuffer = 512

// leaveTimeout bounds each of the two broadcasts of a graceful leave, and
// leavePropagate is how long the leaver then still answers probes.
const (
	leaveTimeout   = 2 * time.Second
	leavePropagate = 300 * time.Millisecond
)

func openMembership(c membershipConfig) (*membership, error) {
	m := &membership{
		log: c.log, transport: c.transport, name: c.name, cluster: c.tags.cluster, tags: c.tags,
		changed: make(chan struct{}, 1),
		events:  make(chan serf.Event, eventBuffer),
	}
	c.transport.serve()
	s, err := serf.Create(m.serfConfig(c))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gossip: %w", err), c.transport.Shutdown())
	}
	m.serf = s
	m.wg.Go(m.drainEvents)
	return m, nil
}

func (m *membership) serfConfig(c membershipConfig) *serf.Config {
	logger := log.New(gossipLog{c.log}, "", 0)

	list := memberlist.DefaultLANConfig()
	list.Transport = c.transport
	list.Logger = logger
	list.Label = c.cluster
	list.SecretKey = c.key
	list.TCPTimeout = 3 * time.Second
	list.ProbeInterval = c.tuning.probeInterval
	list.ProbeTimeout = c.tuning.probeInterval / 2
	list.GossipInterval = min(list.GossipInterval, c.tuning.probeInterval/2)
	// A node that comes back elsewhere keeps its name once it is known dead.
	list.DeadNodeReclaimTime = time.Nanosecond

	conf := serf.DefaultConfig()
	conf.NodeName = c.name
	conf.Tags = c.tags.encode()
	conf.EventCh = m.events
	conf.MemberlistConfig = list
	conf.Logger = logger
	conf.Merge = m
	conf.ValidateNodeNames = true
	// Serf's way to settle a conflict is a vote that can end the older node. Here
	// the later one goes, see isNamesake.
	conf.EnableNameConflictResolution = false
	conf.SnapshotPath = filepath.Join(c.dir, "gossip.snapshot")
	conf.RejoinAfterLeave = true
	conf.DisableCoordinates = true
	conf.BroadcastTimeout = leaveTimeout
	conf.LeavePropagateDelay = leavePropagate
	conf.ReconnectInterval = 5 * c.tuning.probeInterval
	// A silent member is one until it is forgotten, so Serf must not drop it first.
	conf.ReconnectTimeout = c.tuning.forgetAfter
	return conf
}

// NotifyMerge implements serf.MergeDelegate: it sees every member before it is
// taken into the list, when two nodes first meet and with each alive message.
// It refuses those of other clusters and of other protocols.
func (m *membership) NotifyMerge(members []*serf.Member) error {
	for _, other := range members {
		t, err := parseTags(other.Tags, m.cluster)
		if err != nil {
			m.refused.Add(1)
			return fmt.Errorf("member %s: %w", other.Name, err)
		}
		if len(members) == 1 && m.isNamesake(other, t) {
			m.namesakes.Add(1)
		}
	}
	return nil
}

// isNamesake tells whether a member that is alive (only such are shown one at
// a time) is another node elsewhere under this node's name. The others then
// know only one of the two, and refuse the one that came later.
func (m *membership) isNamesake(other *serf.Member, t tags) bool {
	self := m.current()
	at := netip.AddrPortFrom(netip.MustParseAddr(other.Addr.String()).Unmap(), other.Port)
	return other.Name == m.name && t.node != self.node && other.Status != serf.StatusLeft && at != m.transport.advertise
}

// nameTaken tells whether the last attempt to join met a namesake.
func (m *membership) nameTaken() bool { return m.taken.Load() }

// drainEvents empties Serf's channel at once; what an event says is looked up
// afterwards, so that any number of them cost one look. It lives as long as
// Serf, which sends events until its end.
func (m *membership) drainEvents() {
	for {
		select {
		case <-m.events:
			signal(m.changed)
		case <-m.serf.ShutdownCh():
			return
		}
	}
}

// stopped is closed when Serf has ended, be it because another node has this
// node's name.
func (m *membership) stopped() <-chan struct{} { return m.serf.ShutdownCh() }

// others lists the other members, ordered by node id: every live process, and
// one entry for a node without any. A node that came back under another name is
// listed twice by Serf; the one that is alive counts. Two live processes of one
// node id run on copies of one data directory; each has rows the other lacks.
func (m *membership) others() []member {
	var list []member
	silent := make(map[crdt.NodeID]member)
	self := m.current()
	for _, s := range m.serf.Members() {
		o, err := m.describe(s)
		if err != nil || o.run == self.run {
			continue
		}
		if o.node == self.node {
			if o.presence == presenceAlive {
				m.log.Error("another live member has this node's id: one data directory is a copy of the other",
					"member", o.name, "node", o.node)
			}
			continue
		}
		if o.presence == presenceAlive {
			list = append(list, o)
			continue
		}
		if old, ok := silent[o.node]; !ok || o.presence < old.presence {
			silent[o.node] = o
		}
	}
	for _, o := range list {
		delete(silent, o.node)
	}
	list = slices.AppendSeq(list, maps.Values(silent))
	slices.SortFunc(list, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.node, b.node), cmp.Compare(a.run, b.run))
	})
	return list
}

func (m *membership) describe(s serf.Member) (member, error) {
	t, err := parseTags(s.Tags, m.cluster)
	if err != nil {
		return member{}, err
	}
	o := member{
		node: t.node, name: s.Name, run: t.run, phase: t.phase, http: t.http, peer: t.peer, version: t.version,
		gossip:   net.JoinHostPort(s.Addr.String(), strconv.Itoa(int(s.Port))),
		presence: presenceFailed,
	}
	switch s.Status {
	case serf.StatusAlive, serf.StatusLeaving:
		o.presence = presenceAlive
	case serf.StatusLeft:
		o.presence = presenceLeft
	}
	return o, nil
}

func (m *membership) current() tags {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tags
}

// announce tells the cluster the phase that this node is in by the time its
// turn has come: Serf takes one change of tags at a time, and a late word must
// not undo a newer one.
func (m *membership) announce(current func() phase) {
	m.announcing.Lock()
	defer m.announcing.Unlock()
	m.mu.Lock()
	m.tags.phase = current().String()
	encoded := m.tags.encode()
	m.mu.Unlock()
	if err := m.serf.SetTags(encoded); err != nil {
		m.log.Warn("gossip: the phase was not announced", "phase", encoded[tagPhase], "error", err)
	}
}

// reachable lists the other members that are alive.
func (m *membership) reachable() []member {
	return slices.DeleteFunc(m.others(), func(o member) bool { return o.presence != presenceAlive })
}

// joinNow contacts the given gossip addresses and returns how many answered.
func (m *membership) joinNow(addrs []string) (int, error) {
	refused, namesakes := m.refused.Load(), m.namesakes.Load()
	n, err := m.serf.Join(addrs, true)
	m.taken.Store(m.namesakes.Load() > namesakes)
	switch {
	case n > 0:
		return n, nil
	case m.refused.Load() > refused: // memberlist hides which error the delegate gave
		return 0, fmt.Errorf("%w: %w", api.ErrConflict, err)
	}
	return 0, fmt.Errorf("%w: nobody answered in the name of this cluster and with its gossip key: %w",
		api.ErrUnavailable, err)
}

// forget makes Serf list a failed member as left.
func (m *membership) forget(name string) error { return m.serf.RemoveFailedNode(name) }

// leave tells the others that this node goes, and waits until they know.
func (m *membership) leave() error { return m.serf.Leave() }

// interrupt aborts attempts to reach others that are under way.
func (m *membership) interrupt() { m.transport.interrupt() }

// close ends gossip, without a word to the others unless leave came first.
func (m *membership) close() error {
	err := m.serf.Shutdown()
	m.wg.Wait()
	return err
}

// gossipLog passes the lines of Serf and memberlist on to slog. What they call
// information is about every probe and join, so it is debug here.
type gossipLog struct{ log *slog.Logger }

func (g gossipLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	level := slog.LevelInfo
	for _, l := range gossipLevels {
		if rest, ok := strings.CutPrefix(text, l.prefix); ok {
			text, level = strings.TrimSpace(rest), l.level
			break
		}
	}
	g.log.Log(context.Background(), level, text)
	return len(line), nil
}

var gossipLevels = []struct {
	prefix string
	level  slog.Level
}{
	{"[DEBUG]", slog.LevelDebug},
	{"[INFO]", slog.LevelDebug},
	// What these say matters to an operator shows as a member's state or as a
	// degraded reason; their own words are for whoever looks closer.
	{"[WARN]", slog.LevelDebug},
	{"[ERR]", slog.LevelInfo},
	{"[ERROR]", slog.LevelInfo},
}
