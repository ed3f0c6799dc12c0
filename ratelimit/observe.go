package ratelimit

// maxDelta bounds what one row can say; a generation of a counter ends there.
const maxDelta = 1 << 62

// Observe applies a row of the peer in slot peer: delta is the increase of its
// consumption less the increase of its refunds, in µtok. The page that the row
// came in counts only when Peer.Heard is set, after all of its rows.
//
// The prediction comes first. As far as it was right, the level knows already;
// what was predicted and not consumed returns. Only what was consumed beyond it
// is news, and uses up first what was thrown away while it happened:
//
//	Δ ≤ ph:  L = min(C, L + ph − Δ), less what is owed; what does not fit is forfeited
//	Δ > ph:  x = claim(Δ − ph),  L = max(−D, L − (Δ − ph − x)); open predictions owe the rest
//	m = F,  ph = 0
//
// Claiming first would pay predicted consumption twice, out of the level and
// out of tokens that were thrown away beside it. The bounds of L bound the
// effect of any row to C + D; Δ itself must not be cut to that, for after an hour
// of silence Δ, ph and the claim are many times C, and only the difference means
// anything.
//
// A debt is then eased as keepUp says.
//
// A net refund is consumption of zero that gives tokens back. A second row of a
// peer at the same instant is charged in full: the first has used up
// prediction and claim.
func (b *Bucket) Observe(now int64, l *Limit, v *View, peer int, delta int64) {
	b.settle(now, l, v)
	p := b.peer(peer, l, v)
	consumed := min(max(delta, 0), maxDelta)
	gap := b.last - p.at
	p.learn(gap, consumed, l)
	predicted, owed := p.takeBack()
	if news := consumed - int64(predicted); news > 0 {
		news -= b.claim(p.mark, news)
		taken := min(news, b.credit(l))
		b.level -= taken
		b.forgive(owed + uint64(news-taken))
	} else {
		b.giveBack(uint64(-news), owed, l)
	}
	if delta < 0 {
		b.add(uint64(min(-max(delta, -maxDelta), l.Capacity+l.Floor)), l)
	}
	p.mark = mark{at: b.last, f: b.forfeited}
	b.keepUp(gap, consumed, l, v)
}

// peer returns the state of a slot, making it at the first row.
//
// A peer without a state is one that never sent a row: it gets the state it
// would have if there had been one all along, kept by complete pages only.
func (b *Bucket) peer(slot int, l *Limit, v *View) *peerState {
	b.withOthers()
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
