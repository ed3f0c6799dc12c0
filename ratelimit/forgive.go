package ratelimit

// forgive lets the floor cut n µtok of debt off, as far as nobody is going to pay
// for it.
//
// While other peers are silent, L is what is known less what is predicted of
// them, and a debt can be a prediction that was too high. Cutting it off at −D
// and then adding the whole prediction back, when the peer turns out to have
// consumed less, would make tokens out of nothing: once for each of many peers
// that are heard again one after the other. So open predictions owe what was cut
// off, and what is taken back of them pays for it first.
//
// Refill never pays, so a bucket leaves −D within D/r, whatever was said about its
// peers.
func (b *Bucket) forgive(n uint64) {
	for i := 0; n > 0 && i < len(b.peers); i++ {
		p := &b.peers[i]
		x := min(n, uint64(p.ph)-p.owed)
		p.owed += x
		n -= x
	}
}

// giveBack adds n µtok that were predicted of a peer and not consumed, less what
// it owed, and less what the predictions about the others do.
func (b *Bucket) giveBack(n, owed uint64, l *Limit) {
	paid := min(n, owed)
	n -= paid
	b.forgive(owed - paid)
	for i := 0; n > 0 && i < len(b.peers); i++ {
		p := &b.peers[i]
		x := min(n, p.owed)
		p.owed -= x
		n -= x
	}
	b.add(n, l)
}
