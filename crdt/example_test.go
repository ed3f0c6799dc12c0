package crdt_test

import (
	"fmt"

	"github.com/openclaw/clawd/crdt"
)

// A join says what was news: a second copy of the same row adds nothing.
func ExampleRow_Join() {
	known := crdt.Row{Birth: 1, Consumed: 100, Seq: 4}
	heard := crdt.Row{Birth: 1, Consumed: 130, Refunded: 5, Seq: 9}

	known, delta := known.Join(heard)
	fmt.Println(delta.Consumed, delta.Refunded, delta.Changed)
	_, delta = known.Join(heard)
	fmt.Println(delta.Consumed, delta.Refunded, delta.Changed)
	// Output:
	// 30 5 true
	// 0 0 false
}

// Two nodes write at the same time; in whatever order the values meet, the same
// one wins.
func ExampleRegister_Join() {
	at := crdt.NewHLC(1_700_000_000_000, 0)
	a := crdt.Register{Value: []byte("from a"), Version: at, Writer: 0xa}
	b := crdt.Register{Value: []byte("from b"), Version: at, Writer: 0xb}

	ab, _, _ := a.Join(b)
	ba, _, _ := b.Join(a)
	fmt.Printf("%s, %s\n", ab.Value, ba.Value)
	// Output: from b, from b
}

// A run is sealed by its successor.
func ExampleRun_Join() {
	run := crdt.Run{Origin: 0xb2, Node: 0xa1, Name: "node-a", Started: crdt.NewHLC(1000, 0)}
	sealed := run
	sealed.SealedAt, sealed.Final = 5000, 42

	run, changed := run.Join(sealed)
	fmt.Println(changed, run.Sealed(), run.Final)
	// Output: true true 42
}

// What a vector does not cover is what a peer has to send.
func ExampleVersionVector_Covers() {
	mine := crdt.VersionVector{1: 40, 2: 7}
	theirs := crdt.VersionVector{1: 38, 3: 5}
	fmt.Println(mine.Covers(theirs))
	mine.Merge(theirs)
	fmt.Println(mine.Covers(theirs), mine.Get(1), mine.Get(3))
	// Output:
	// false
	// true 40 5
}

// Two nodes count up and down apart from each other and meet at the sum.
func ExamplePN() {
	a, b := crdt.PN{}, crdt.PN{}
	a.JoinRow(1, crdt.Row{Birth: 1, Consumed: 10})
	b.JoinRow(2, crdt.Row{Birth: 1, Consumed: 2, Refunded: 15})

	added := a.Join(b)
	value, negative := a.Value()
	fmt.Println(value, negative)
	fmt.Println(added.Int64())
	// Output:
	// 3 true
	// -13 true
}

// Time never goes backwards, even if the wall clock does.
func ExampleClock() {
	clock := crdt.NewClock()
	fmt.Println(clock.Now(1000))
	fmt.Println(clock.Now(990))
	clock.Observe(crdt.NewHLC(3000, 5), 1000)
	fmt.Println(clock.Now(1000))
	fmt.Println(clock.NowAfter(1000, crdt.NewHLC(86_400_000, 0)))
	fmt.Println(clock.Now(1000))
	// Output:
	// 1000.0
	// 1000.1
	// 3000.6
	// 86400000.1
	// 3000.8
}

func ExampleBucketKey() {
	key := crdt.BucketKey{Tenant: "default", Agent: "agent:42"}
	fmt.Printf("%q\n", key.Encode())
	back, err := crdt.ParseBucketKey(key.Encode())
	fmt.Println(back.Agent, err)
	// Output:
	// "default\x00agent:42\x00\x00"
	// agent:42 <nil>
}

// A page of entries in a frame, and a bit that flips on the way.
func ExampleSeal() {
	const version, pageTS = 1, 1_700_000_000_000
	entries := []crdt.Entry{
		{Kind: crdt.KindBucket, Key: "k1", Row: crdt.Row{Birth: 1, Consumed: 500, TS: pageTS + 3, Seq: 100}},
		{Kind: crdt.KindBucket, Key: "k2", Row: crdt.Row{Birth: 1, Consumed: 900, TS: pageTS + 3, Seq: 102}},
	}
	b, prevSeq := []byte{version}, uint64(0)
	for _, e := range entries {
		b = crdt.AppendEntry(b, &e, prevSeq, pageTS)
		prevSeq = e.Seq()
	}
	b = crdt.Seal(b, 0)

	r, err := crdt.Open(b, version)
	for prevSeq = 0; err == nil && r.Len() > 0; {
		e := r.Entry(prevSeq, pageTS)
		prevSeq = e.Seq()
		fmt.Println(e.Key, e.Row.Consumed, e.Row.Seq)
		err = r.Err()
	}
	fmt.Println(err)

	b[5] ^= 1
	_, err = crdt.Open(b, version)
	fmt.Println(err)
	// Output:
	// k1 500 100
	// k2 900 102
	// <nil>
	// crdt: corrupt: checksum
}

func ExampleTotal() {
	const perToken = 1_000_000
	var total crdt.Total
	for range 3 {
		total = total.Add(crdt.Delta{Consumed: 1<<63 + 1})
	}
	fmt.Println(total.Consumed)
	fmt.Println(total.Consumed.Div64(perToken))
	// Output:
	// 27670116110564327427
	// 27670116110564
}
