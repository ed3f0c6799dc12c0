package storage

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/openclaw/clawd/crdt"
)

func mustDigest(t testing.TB, s *Store, f DigestFilter) *[DigestBuckets]DigestBucket {
	t.Helper()
	d, err := s.Digest(f)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The digest depends on the facts alone: not on the order in which they came,
// nor on where they stand in the index, nor on what is only this node's.
func TestDigestIsOfFactsOnly(t *testing.T) {
	type fact struct {
		key    string
		origin crdt.Origin
		row    crdt.Row
	}
	var facts []fact
	for i := range 200 {
		facts = append(facts, fact{fmt.Sprintf("k%d", i%70), crdt.Origin(i), crdt.Row{Birth: 1, Consumed: uint64(i)}})
	}
	register := crdt.Register{Value: []byte("v"), Version: 5, Writer: 1}
	build := func(seed uint64) *Store {
		rng := rand.New(rand.NewPCG(seed, 0))
		s := mustNew(t, NewMemory())
		for _, i := range rng.Perm(len(facts)) {
			f := facts[i]
			var c Cell
			if _, err := s.Cell(crdt.KindBucket, f.key, &c); err != nil {
				t.Fatal(err)
			}
			f.row.Seq, f.row.TS = rng.Uint64(), rng.Int64()
			c.PutSlot(f.origin, f.row)
			c.Check = Checkpoint{Present: true, Level: rng.Int64()}
			commit(t, s, false, func(b *Batch) { b.PutCell(crdt.KindBucket, f.key, &c) })
		}
		r := register
		r.Origin, r.Seq, r.Gen = crdt.Origin(seed), rng.Uint64(), rng.Uint32()
		commit(t, s, false, func(b *Batch) { b.PutRegister("r", r) })
		return s
	}
	a, b := mustDigest(t, build(1), DigestFilter{}), mustDigest(t, build(2), DigestFilter{})
	if *a != *b {
		t.Error("the same facts have two digests")
	}
	var count uint64
	for _, bucket := range a {
		count += bucket.Count
	}
	if count != uint64(len(facts))+1 {
		t.Errorf("the digest counts %d facts, want %d", count, len(facts)+1)
	}
}

// Each field of a fact changes the digest, in the bucket of its key only.
func TestDigestSeesEachField(t *testing.T) {
	base := crdt.Row{Birth: 1, Consumed: 2, Refunded: 3}
	baseRegister := crdt.Register{Value: []byte("v"), Version: 5, Writer: 1}
	build := func(kind crdt.Kind, key string, o crdt.Origin, row crdt.Row, r crdt.Register) *Store {
		s := mustNew(t, NewMemory())
		commit(t, s, false, func(b *Batch) {
			b.PutCell(kind, key, &Cell{Slots: []Slot{{o, row}}})
			b.PutRegister("r", r)
		})
		return s
	}
	seen := map[string]string{}
	note := func(name string, s *Store) {
		d := mustDigest(t, s, DigestFilter{})
		text := ""
		for i, b := range d {
			if b.Count > 0 {
				text += fmt.Sprintf("%d:%s ", i, hex.EncodeToString(b.Sum[:]))
			}
		}
		if other, dup := seen[text]; dup {
			t.Errorf("%s and %s have the same digest", name, other)
		}
		seen[text] = name
	}
	const kb = crdt.KindBucket
	note("base", build(kb, "k", 7, base, baseRegister))
	note("kind", build(crdt.KindCounter, "k", 7, base, baseRegister))
	note("key", build(kb, "k2", 7, base, baseRegister))
	note("origin", build(kb, "k", 8, base, baseRegister))
	note("birth", build(kb, "k", 7, crdt.Row{Birth: 9, Consumed: 2, Refunded: 3}, baseRegister))
	note("consumed", build(kb, "k", 7, crdt.Row{Birth: 1, Consumed: 9, Refunded: 3}, baseRegister))
	note("refunded", build(kb, "k", 7, crdt.Row{Birth: 1, Consumed: 2, Refunded: 9}, baseRegister))
	note("swapped", build(kb, "k", 7, crdt.Row{Birth: 1, Consumed: 3, Refunded: 2}, baseRegister))
	for name, change := range map[string]func(r *crdt.Register){
		"value":   func(r *crdt.Register) { r.Value = []byte("w") },
		"meta":    func(r *crdt.Register) { r.Meta = "m" },
		"deleted": func(r *crdt.Register) { r.Deleted = true },
		"version": func(r *crdt.Register) { r.Version++ },
		"writer":  func(r *crdt.Register) { r.Writer++ },
		"expiry":  func(r *crdt.Register) { r.ExpiresAt++ },
	} {
		r := baseRegister
		change(&r)
		note(name, build(kb, "k", 7, base, r))
	}
}

func TestDigestFilter(t *testing.T) {
	s := mustNew(t, NewMemory())
	commit(t, s, false, func(b *Batch) {
		b.PutCell(crdt.KindBucket, "k", &Cell{Slots: []Slot{{7, crdt.Row{}}, {8, crdt.Row{}}}})
		b.PutCell(crdt.KindCounter, "k", &Cell{Slots: []Slot{{7, crdt.Row{}}}})
		b.PutRegister("live", crdt.Register{Version: 1})
		b.PutRegister("dead", crdt.Register{Version: 1, Deleted: true})
	})
	d := mustDigest(t, s, DigestFilter{
		Row:      func(_ crdt.Kind, _ string, o crdt.Origin, _ crdt.Row) bool { return o != 7 },
		Register: func(_ string, r crdt.Register) bool { return !r.Deleted },
	})
	want := map[int]uint64{}
	want[BucketOf(crdt.KindBucket, "k")]++
	want[BucketOf(crdt.KindRegister, "live")]++
	for i, b := range d {
		if b.Count != want[i] {
			t.Errorf("bucket %d counts %d, want %d", i, b.Count, want[i])
		}
	}
}

// The digest is compared between nodes of different builds.
func TestDigestGolden(t *testing.T) {
	s := mustNew(t, NewMemory())
	commit(t, s, false, func(b *Batch) {
		b.PutCell(crdt.KindBucket, "k", fullCell())
		b.PutCell(crdt.KindCounter, "k", fullCell())
		b.PutRegister("r", crdt.Register{Value: []byte("v"), Meta: "m", Version: 5, Writer: 1, ExpiresAt: 9})
	})
	var lines []string
	for i, b := range mustDigest(t, s, DigestFilter{}) {
		if b.Count > 0 {
			lines = append(lines, fmt.Sprintf("%4d %d %s", i, b.Count, hex.EncodeToString(b.Sum[:])))
		}
	}
	golden(t, "digest.golden", lines)
}
