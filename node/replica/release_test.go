package replica

import (
	"testing"
	"time"
)

// In a cluster cut into {1} and {2, 3}, gossip tells node 1 of the failure of 2
// long before that of 3. As long as it has heard nothing of 3, 3 does not vouch
// for the failure of 2.
func TestOnlyPeersThatWereHeardVouchForAFailure(t *testing.T) {
	w := newWorld(t, 3, perHour(100))
	one, two, three := w.nodes[0], w.nodes[1], w.nodes[2]
	w.pass(time.Second)
	one.SetPeers(w.now, []PeerStatus{
		{Node: two.id, Run: two.run, State: PeerFailed},
		{Node: three.id, Run: three.run, State: PeerAlive},
	})
	w.pass(time.Minute)
	one.Tick(w.now)
	if one.releases(two) {
		t.Fatal("the share was released on the word of gossip alone")
	}
	three.flushTo(one)
	one.Tick(w.now)
	if !one.releases(two) {
		t.Fatal("the share is held although the other one was heard")
	}
}

func (h *host) releases(peer *host) bool {
	for _, m := range h.Members(h.w.now) {
		if m.Node == peer.id {
			return m.Released
		}
	}
	h.w.t.Fatalf("%d does not know %d", h.id, peer.id)
	return false
}
