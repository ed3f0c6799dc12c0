package antientropy

import (
	"errors"
	"testing"

	"github.com/openclaw/clawd/crdt"
)

func page(session, from, after uint64, complete bool, upto uint64, seqs ...uint64) *Page {
	p := &Page{Cluster: "c", From: 1, Run: crdt.Run{Origin: 9, Node: 1}, Session: session, FromSeq: from, AfterSeq: after, Complete: complete, Upto: upto}
	for _, s := range seqs {
		p.Entries = append(p.Entries, crdt.Entry{Kind: crdt.KindBucket, Key: crdt.BucketKey{Tenant: "t", Agent: "a"}.Encode(), Row: crdt.Row{Seq: s}})
	}
	return p
}

// Each row is a page that arrives, whether it may be joined, and where the
// vector stands after it.
func TestReceiverMovesOnlyWithWholeSessions(t *testing.T) {
	steps := []struct {
		why   string
		page  *Page
		admit bool
		have  uint64
	}{
		{"starts at nothing", page(1, 0, 0, true, 5, 3, 5), true, 5},
		{"a duplicate is harmless", page(1, 0, 0, true, 5, 3, 5), true, 5},
		{"a gap is refused", page(2, 6, 6, true, 9, 7), false, 5},
		{"first page of two does not move the vector", page(3, 5, 5, false, 0, 7), true, 5},
		{"a page of an unknown session is refused", page(4, 5, 7, true, 9, 8), false, 5},
		{"a page that leaves one out is refused", page(3, 5, 8, true, 9, 9), false, 5},
		{"the second page completes it", page(3, 5, 7, true, 9, 8), true, 9},
		{"its duplicate has no cursor any more", page(3, 5, 7, true, 9, 8), false, 9},
		{"an older session may arrive late", page(1, 0, 0, true, 5, 3, 5), true, 9},
		{"an empty page moves the vector too", page(5, 9, 9, true, 12), true, 12},
	}
	r := NewReceiver(nil)
	for _, s := range steps {
		if err := s.page.Check(); err != nil {
			t.Fatalf("%s: %v", s.why, err)
		}
		err := r.Admit(s.page)
		var gap *GapError
		if (err == nil) != s.admit || err != nil && !errors.As(err, &gap) {
			t.Errorf("%s: %v", s.why, err)
		}
		if gap != nil && gap.Have != s.have {
			t.Errorf("%s: the gap says %d, want %d", s.why, gap.Have, s.have)
		}
		if err == nil {
			r.Done(s.page)
		}
		if got := r.Vector(9).Seq; got != s.have {
			t.Errorf("%s: vector at %d, want %d", s.why, got, s.have)
		}
	}
}

func TestReceiverForgetsOldSessionsFirst(t *testing.T) {
	r := NewReceiver(nil)
	for s := range uint64(maxSessions + 1) {
		r.Done(page(s, 0, 0, false, 0, 1))
	}
	if r.Admit(page(0, 0, 1, true, 2, 2)) == nil {
		t.Error("the oldest session should have been forgotten")
	}
	if err := r.Admit(page(maxSessions, 0, 1, true, 2, 2)); err != nil {
		t.Errorf("the newest session was forgotten: %v", err)
	}
	if len(r.cursors) != maxSessions || len(r.order) != maxSessions {
		t.Errorf("%d cursors kept", len(r.cursors))
	}
}

func TestPagerCutsASessionIntoPages(t *testing.T) {
	r := NewReceiver(nil)
	var pages, rows int
	g := Pager{Head: Page{Cluster: "c", From: 1, Run: crdt.Run{Origin: 9, Node: 1}, Session: 4}, Rows: 3, Emit: func(p *Page) error {
		pages++
		rows += len(p.Entries)
		if err := p.Check(); err != nil {
			return err
		}
		if err := r.Admit(p); err != nil {
			return err
		}
		r.Done(p)
		return nil
	}}
	for s := range uint64(10) {
		if err := g.Add(page(0, 0, 0, false, 0, 2*s+1).Entries[0]); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Close(25, 7); err != nil {
		t.Fatal(err)
	}
	if pages != 4 || rows != 10 || r.Vector(9) != (Vector{25, 7}) {
		t.Errorf("%d pages, %d rows, vector %v", pages, rows, r.Vector(9))
	}
}

func TestAcksTakeTheLeastOfTheMembers(t *testing.T) {
	var a Acks
	a.Record(1, crdt.VersionVector{9: 10}, 100)
	a.Record(2, crdt.VersionVector{9: 7}, 200)
	if got := a.Min(9, []crdt.NodeID{1, 2}); got != 7 {
		t.Errorf("min %d, want 7", got)
	}
	if got := a.Min(9, []crdt.NodeID{1, 2, 3}); got != 0 {
		t.Errorf("min with a member never heard %d, want 0", got)
	}
	if got := a.Min(9, nil); got != ^uint64(0) {
		t.Errorf("min without members %d, want everything", got)
	}
}

func TestAcksAgreeWhenAllHaveTheSameSince(t *testing.T) {
	var a Acks
	a.Record(1, crdt.VersionVector{9: 7}, 100)
	a.Record(2, crdt.VersionVector{9: 7}, 200)
	for _, c := range []struct {
		seq     uint64
		since   int64
		members []crdt.NodeID
		want    bool
	}{
		{7, 100, []crdt.NodeID{1, 2}, true},
		{7, 101, []crdt.NodeID{1, 2}, false}, // 1 may have been told of more since
		{6, 100, []crdt.NodeID{1, 2}, false}, // somebody has more than is known here
		{8, 100, []crdt.NodeID{1, 2}, false},
		{7, 100, []crdt.NodeID{1, 2, 3}, false},
		{7, 100, nil, true},
	} {
		if got := a.Agree(9, c.seq, c.members, c.since); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
