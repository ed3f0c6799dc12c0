package node

import (
	"context"
	"time"

	"github.com/openclaw/clawd/access"
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/replica"
)

// contactInterval is how often a node asks itself whether it hears enough of
// the others to know of every revocation.
const contactInterval = 250 * time.Millisecond

// contactLately is how old the last word of a member may be. Idle members
// speak each second.
const contactLately = 3 * time.Second

// accessLoop keeps what the guard has to know of the cluster.
func (n *Node) accessLoop(ctx context.Context) error {
	looked := time.Duration(0)
	look := func() {
		members := n.replica.Members(n.now())
		n.guard.Doubt(n.options.StrictAuth && !inContact(members, contactLately))
		for _, t := range n.guard.Tenants() {
			t.Share(aliveMembers(members))
		}
		if looked += contactInterval; looked >= collectKeysInterval {
			looked = 0
			n.collectKeys()
		}
	}
	look()
	return every(ctx, contactInterval, look)
}

const collectKeysInterval = time.Minute

// inContact tells whether this node and the members it heard of lately are a
// majority. A key is revoked by a node that is in one, too, so the two have a
// member in common, or are the same side of a partition: there it is known
// within a push. Of two halves, the one with the smallest node id counts.
func inContact(members []replica.MemberInfo, lately time.Duration) bool {
	total, heard := 0, 0
	first, firstHeard := crdt.NodeID(0), false
	for i := range members {
		m := &members[i]
		if m.Gone != "" {
			continue
		}
		total++
		near := m.Self || m.State == replica.PeerAlive && m.Staleness <= lately
		if near {
			heard++
		}
		if first == 0 || m.Node < first {
			first, firstHeard = m.Node, near
		}
	}
	return 2*heard > total || 2*heard == total && firstHeard
}

func aliveMembers(members []replica.MemberInfo) int {
	alive := 0
	for i := range members {
		if m := &members[i]; m.Self || m.Gone == "" && m.State == replica.PeerAlive {
			alive++
		}
	}
	return alive
}

// collectKeys forgets keys that ended long ago: first the records, and once
// those are gone everywhere their endings, so that nothing revives one. Admin
// keys stay, or a cluster that was closed might find itself without any key and
// open.
func (n *Node) collectKeys() {
	now := n.now()
	long := now.Wall - deadKeysStay.Milliseconds()
	for _, k := range n.guard.Keys() {
		if k.Role != access.Admin && !k.Live(now.Wall) && k.Ends < long {
			n.forgetSetting(k.ID)
		}
	}
	for _, name := range n.guard.Remnants(long - deadKeysStay.Milliseconds()) {
		n.forgetSetting(name)
	}
}

func (n *Node) forgetSetting(name string) {
	if _, err := n.replica.DeleteSetting(n.now(), keyRegister(name)); err != nil {
		n.log.Warn("the record of an ended key was not forgotten", "name", name, "error", err)
	}
}
