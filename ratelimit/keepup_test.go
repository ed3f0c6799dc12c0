package ratelimit

import "testing"

// served lets a peer take what is refilled, every 100 ms, for so long, and returns
// the level of the bucket, which was in debt.
func served(t *testing.T, perSecond int64, seconds int) (level int64, l Limit) {
	t.Helper()
	l = tenASecond()
	b, v, now := steady(&l, perSecond)
	b.level = -20 * Token
	for range seconds * 10 {
		now += sec / 10
		b.Observe(now, &l, v, 0, perSecond*Token/10)
		v.Peers[0].Heard.Store(now)
	}
	return b.Level(now, &l, v), l
}

// A node that is behind a flood elsewhere catches up, at r/(16·N).
func TestADebtThatPeersDoNotHaveIsEased(t *testing.T) {
	const seconds = 32
	level, l := served(t, 10, seconds)
	want := -20*Token + int64(l.rate()*1e9)*seconds/(keepUpPart*2)
	if !near(level, want) && distance(level, want) > Token/100 {
		t.Errorf("level %d after %d s, want %d", level, seconds, want)
	}
	if level, _ := served(t, 10, 200); level > 0 || level < -Token {
		t.Errorf("level %d in the end, want no more than the debt gone", level)
	}
}

// Peers that leave half of an equal part leave enough.
func TestADebtIsNotEasedByPeersThatLeaveSomething(t *testing.T) {
	const seconds = 4
	level, l := served(t, 7, seconds)
	if want := -20*Token + (int64(l.rate()*1e9)-7*Token)*seconds; !near(level, want) {
		t.Errorf("level %d, want %d: the refill less what the peer took", level, want)
	}
}

// What peers did before they fell silent, or a row as large as it may be, says
// nothing about now.
func TestADebtIsNotEasedByOneRow(t *testing.T) {
	l := tenASecond()
	b, v, now := steady(&l, 10)
	b.level = 0
	now += 2 * sec
	b.Observe(now, &l, v, 0, 1000*l.Capacity)
	if b.level != -l.Floor {
		t.Errorf("level %d after a silence, want the floor", b.level)
	}
	now += sec / 10
	before := b.Level(now, &l, v)
	b.Observe(now, &l, v, 0, 1000*l.Capacity)
	if most := int64(l.rate() * float64(sec/10)); b.level > -l.Floor+most {
		t.Errorf("level %d of %d after a row without measure, want at most a moment's refill above the floor", b.level, before)
	}
}
