package ratelimit

import "math"

// Advance brings the bucket to now: refill, predictions, and the silence of the
// peers that were heard without a word about this agent.
//
// It composes: advancing to a and then to b leaves what advancing to b leaves,
// bit for bit when alone and but for rounding with one peer. Among several, what
// is predicted of one depends on what was known of the others by then, so looks
// may differ by a part of what is refilled while a peer is silent. Refill composes exactly (see Limit.refill), also across a full bucket, since
// the carry is kept there: the fraction of a µtok belongs to the stream of
// arriving µtok and not to the level. Between two pieces of what is known the
// rates are constant and the net rate is not negative, so a bucket that is full
// somewhere in a piece is full at its end.
func (b *Bucket) Advance(now int64, l *Limit, v *View) {
	if now < b.last {
		return
	}
	added, carry := l.refill(now-b.last, b.carry)
	room := b.room(l)
	// The short way, for a node alone and for an agent that only this node
	// serves. What a node alone forfeits, nobody could ever claim; and while
	// nothing is forfeited, the marks may wait for the next long way.
	if len(b.states()) == 0 && (v.alone() || added <= room) {
		b.level += int64(min(added, room))
		b.last, b.carry = now, carry
		return
	}
	b.settle(now, l, v)
}

// settle is Advance the long way. What is going to move F or to read a mark at
// now needs it, since all marks that are due must have been set before.
func (b *Bucket) settle(now int64, l *Limit, v *View) {
	if now < b.last || v.alone() && len(b.states()) == 0 {
		b.Advance(now, l, v)
		return
	}
	b.withOthers()
	b.hear(now, l, v)
	for b.last < now {
		end, share := b.expect(b.last, now, l, v)
		b.flow(end, share, l)
	}
}

// hear applies what the complete pages of the peers say by their silence: up to
// the instant of the page the peer consumed nothing of this agent. What was
// predicted of it returns, its average decays, and its mark will be the value F
// has at that instant, which flow sets when the time passes it.
//
// Only the last page is known, and one observation over the whole gap is equal
// to many: s and w decay by the product of the factors. Knowing of the silence
// beforehand, no prediction is made for the time before the page; otherwise
// hours between two looks would pile up predictions that nobody looking in
// between would have seen, and their return would pass for forfeits that other
// peers may claim.
func (b *Bucket) hear(now int64, l *Limit, v *View) {
	for i := range b.peers {
		p := &b.peers[i]
		h := v.heard(p.slot)
		if h <= p.at || h > now {
			continue
		}
		p.learn(h-p.at, 0, l)
		predicted, owed := p.takeBack()
		b.giveBack(predicted, owed, l)
		b.moveMark(&p.mark, h)
	}
	held, all := v.oldest(now)
	if held > b.base.at {
		b.moveMark(&b.base, held)
	}
	if all > b.old.at {
		b.moveMark(&b.old, all)
	}
}

// moveMark dates a mark. A mark in the future of the level gets its F from flow.
func (b *Bucket) moveMark(m *mark, at int64) {
	m.at = at
	if at <= b.last {
		m.f = b.forfeited
	}
}

// flow moves the level to the end of one piece: L += refill − predictions. Then
// it sets the marks that are due there.
func (b *Bucket) flow(end int64, share float64, l *Limit) {
	dt := end - b.last
	added, carry := l.refill(dt, b.carry)
	taken := b.predict(share * float64(dt))
	b.last, b.carry = end, carry

	switch {
	case added == math.MaxUint64: // a thousand times what any bucket holds
		b.add(added, l)
	case added >= taken:
		b.add(added-taken, l)
	default: // by less than a µtok a peer, from rounding
		b.level = max(b.level-int64(taken-added), -l.Floor)
	}

	if b.base.at == end {
		b.base.f = b.forfeited
	}
	if b.old.at == end {
		b.old.f = b.forfeited
	}
	for i := range b.peers {
		if p := &b.peers[i]; p.at == end {
			p.f = b.forfeited
		}
	}
}
