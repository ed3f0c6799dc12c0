package ratelimit

// maxDelta bounds what one row can say; a generation of a counter ends there.
const maxDelta = 1 << 62

// Observe applies a row of the peer in slot peer: delta is the increase of its
// consumption less the increase of its refunds, in µtok. Several rows of one
// page may be applied one after the other; the page itself counts only when
// Peer.Heard is set after them.
//
// What was predicted returns and what was really consumed is taken instead, as
// far as it was not spent on tokens that were thrown away anyway:
//
//	x = claim(Δ),  L = clamp(L + ph − (Δ − x), −D, C),  m = F
//
// The clamp of L bounds the effect of any row to C + D. Δ itself must not be
// cut to that: after an hour of silence both Δ and ph are many times C, and only
// their difference means anything.
//
// A net refund is consumption of zero that gives tokens back.
func (b *Bucket) Observe(now int64, l *Limit, v *View, peer int, delta int64) {
	b.settle(now, l, v)
	p := b.peer(peer, l, v)
	grown := min(max(delta, 0), maxDelta)
	p.learn(b.last-p.at, grown, l)
	effect := int64(p.takeBack()) - (grown - b.claim(p.mark, grown, l))
	if effect >= 0 {
		b.add(uint64(effect), l)
	} else {
		b.level -= min(-effect, b.level+l.Floor)
	}
	if delta < 0 {
		b.add(uint64(min(-max(delta, -maxDelta), l.Capacity+l.Floor)), l)
	}
	p.mark = mark{at: b.last, f: b.forfeited}
}

// peer returns the state of a slot, making it at the first row.
//
// A peer without a state is one that never sent a row: it gets the state it
// would have if there had been one all along, kept by complete pages only.
func (b *Bucket) peer(slot int, l *Limit, v *View) *peerState {
	for i := range b.peers {
		if b.peers[i].slot == slot {
			return &b.peers[i]
		}
	}
	p := peerState{slot: slot}
	heard := v.heard(slot)
	if heard == never {
		// Its row may tell of anything since the process began.
		heard = min(b.born, 0)
	}
	p.mark = mark{at: heard, f: b.old.f}
	if heard >= b.base.at {
		p.f = b.base.f
	}
	if heard > b.born {
		p.learn(heard-b.born, 0, l)
	}
	b.peers = append(b.peers, p)
	return &b.peers[len(b.peers)-1]
}
