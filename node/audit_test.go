package node

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/storage"
)

// TestAnAuditBringsBackWhatTheVectorSaysIsHere loses a row behind the vector's
// back, as bit rot would: no pull asks for it any more.
func TestAnAuditBringsBackWhatTheVectorSaysIsHere(t *testing.T) {
	t.Parallel()
	a := open(t, peered(t, "a"))
	disk := storage.NewMemory()
	o := peered(t, "b", a)
	o.tuning.openStore = onto(disk)
	b := open(t, o)
	waitReady(t, a, b)
	meet(t, a, b)
	consume(t, a, "kept", 1)
	consume(t, a, "lost", 9)
	agree(t, a, b)
	if err := b.audit(t.Context(), peerNamed(t, b, "a")); err != nil {
		t.Fatal(err)
	}
	if n := testutil.ToFloat64(b.metrics.auditRepaired); n != 0 {
		t.Fatalf("an audit of equal nodes repaired %v rows", n)
	}
	closeNode(t, b)

	disk = disk.Clone()
	store, err := storage.New(disk)
	if err != nil {
		t.Fatal(err)
	}
	batch := storage.NewBatch()
	batch.DeleteCell(crdt.KindBucket, crdt.BucketKey{Tenant: "default", Agent: "lost"}.Encode())
	if err := store.Commit(batch, true); err != nil {
		t.Fatal(err)
	}

	o.tuning.openStore = onto(disk)
	b = open(t, o)
	waitReady(t, b)
	meet(t, a, b)
	eventually(t, "the audit repairs the row", func() bool {
		if err := b.audit(t.Context(), peerNamed(t, b, "a")); err != nil {
			t.Fatal(err)
		}
		return testutil.ToFloat64(b.metrics.auditRepaired) > 0
	})
	agree(t, a, b)
	if lost, kept := consumed(t, b, "lost"), consumed(t, b, "kept"); lost != 9 || kept != 1 {
		t.Errorf("after the audit %d and %d are counted, want 9 and 1", lost, kept)
	}
}

// peerNamed is a live peer of n.
func peerNamed(t *testing.T, n *Node, name string) member {
	t.Helper()
	for _, m := range n.peers.alive() {
		if m.name == name {
			return m
		}
	}
	t.Fatalf("%s does not see %s", n.Name(), name)
	return member{}
}

func TestAStormOfGapsCallsForAnAudit(t *testing.T) {
	t.Parallel()
	g := newGaps(3)
	for i := range int64(3) {
		select {
		case <-g.storm:
			t.Fatalf("%d gaps are a storm", i)
		default:
		}
		g.add(1, 1+i)
	}
	select {
	case <-g.storm:
	default:
		t.Fatal("3 gaps are no storm")
	}
	if ids := g.take(); len(ids) != 1 || ids[0] != 1 || len(g.take()) != 0 {
		t.Errorf("gaps of %v", ids)
	}
}
