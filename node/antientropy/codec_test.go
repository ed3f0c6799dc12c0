package antientropy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/openclaw/clawd/crdt"
)

func drawPage(t *rapid.T) *Page {
	u64 := rapid.Uint64Range(0, 1<<62)
	p := &Page{
		Cluster: rapid.StringN(0, 20, 40).Draw(t, "cluster"),
		From:    crdt.NodeID(rapid.Uint64Min(1).Draw(t, "from")),
		Clock:   crdt.HLC(rapid.Uint64().Draw(t, "clock")),
		Run: crdt.Run{
			Origin: crdt.Origin(rapid.Uint64Min(1).Draw(t, "origin")), Node: crdt.NodeID(rapid.Uint64Min(1).Draw(t, "node")),
			Name: rapid.StringN(0, 10, 20).Draw(t, "name"), Started: crdt.HLC(rapid.Uint64().Draw(t, "started")),
		},
		Session: rapid.Uint64().Draw(t, "session"),
		FromSeq: rapid.Uint64Range(0, 1<<40).Draw(t, "fromSeq"),
	}
	p.AfterSeq = p.FromSeq + rapid.Uint64Range(0, 5).Draw(t, "after")
	seq := p.AfterSeq
	for i := range rapid.IntRange(0, 5).Draw(t, "entries") {
		seq += rapid.Uint64Range(1, 1000).Draw(t, "step")
		e := crdt.Entry{Kind: crdt.KindBucket, Row: crdt.Row{
			Birth:    rapid.Uint64Range(0, seq).Draw(t, "birth"),
			Consumed: u64.Draw(t, "consumed"), Refunded: u64.Draw(t, "refunded"), TS: rapid.Int64Range(0, 1<<44).Draw(t, "ts"), Seq: seq,
		}}
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			e.Key = crdt.BucketKey{Tenant: "t", Agent: fmt.Sprint("agent:", i), Epoch: crdt.HLC(u64.Draw(t, "epoch"))}.Encode()
		case 1:
			e.Kind = crdt.KindCounter
			e.Key = crdt.CounterKey{Tenant: "t", Name: fmt.Sprint("n", i)}.Encode()
		case 2:
			e.Kind = crdt.KindUsage
			e.Key = crdt.UsageKey{Tenant: "t", Agent: fmt.Sprint("a", i), Day: 20_000, Meter: 1, Model: "m", Price: "*", From: 5}.Encode()
		default:
			e = crdt.Entry{
				Kind: crdt.KindRegister, Key: crdt.RegisterKey{Space: 'k', Tenant: "t", Name: fmt.Sprint("k", i)}.Encode(),
				Register: crdt.Register{
					Value: rapid.SliceOfN(rapid.Byte(), 1, 30).Draw(t, "value"), Meta: "text/plain",
					Version: crdt.HLC(u64.Draw(t, "version")), Writer: 7, Origin: p.Run.Origin, Gen: 3, Seq: seq,
				},
			}
		}
		p.Entries = append(p.Entries, e)
	}
	p.Collected = rapid.Bool().Draw(t, "collected")
	if p.Complete = rapid.Bool().Draw(t, "complete"); p.Complete {
		p.Upto = seq + rapid.Uint64Range(0, 9).Draw(t, "upto")
		p.Stable = rapid.Int64Range(0, 1<<44).Draw(t, "stable")
	}
	return p
}

func TestPageRoundTripsInBothForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPage(t)
		got, err := DecodePage(p.Append(nil))
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Fatalf("binary: %v\n got %+v\nwant %+v", err, got, p)
		}
		b, err := p.JSON()
		if err != nil {
			t.Fatal(err)
		}
		got, err = DecodePageJSON(b)
		if err != nil || !bytes.Equal(got.Append(nil), p.Append(nil)) {
			t.Fatalf("JSON: %v\n got %+v\nwant %+v", err, got, p)
		}
	})
}

func TestDamagedPagesAreMalformed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawPage(t).Append(nil)
		damaged := bytes.Clone(b)
		if rapid.Bool().Draw(t, "cut") {
			damaged = damaged[:rapid.IntRange(0, len(b)-1).Draw(t, "at")]
		} else {
			damaged[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		if _, err := DecodePage(damaged); !errors.Is(err, ErrMalformed) {
			t.Fatalf("damage was accepted: %v", err)
		}
	})
}

func TestOtherMessagesRoundTrip(t *testing.T) {
	vv := crdt.VersionVector{1: 5, 99: 1 << 40}
	ack := &Ack{From: 3, Clock: 77, Durable: vv}
	if got, err := DecodeAck(ack.Append(nil)); err != nil || !reflect.DeepEqual(got, ack) {
		t.Errorf("ack: %+v %v", got, err)
	}
	pull := &Pull{Cluster: "c", Run: crdt.Run{Origin: 1, Node: 2, Name: "n"}, Clock: 5, Have: vv, Durable: crdt.VersionVector{1: 1}}
	if got, err := DecodePull(pull.Append(nil)); err != nil || !reflect.DeepEqual(got, pull) {
		t.Errorf("pull: %+v %v", got, err)
	}
	b, err := pull.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodePullJSON(b); err != nil || !reflect.DeepEqual(got, pull) {
		t.Errorf("pull as JSON: %+v %v", got, err)
	}
	digest := &Digest{From: 3, Vector: vv, Buckets: []DigestBucket{{Sum: [16]byte{1, 2}, Count: 4}, {}}}
	if got, err := DecodeDigest(digest.Append(nil)); err != nil || !reflect.DeepEqual(got, digest) {
		t.Errorf("digest: %+v %v", got, err)
	}
}

func TestFramesEndCleanlyOrNot(t *testing.T) {
	body := AppendFrame(AppendFrame(nil, []byte("one")), []byte("two"))
	for cut := range len(body) + 1 {
		r := bufio.NewReader(bytes.NewReader(body[:cut]))
		var n int
		var err error
		for err == nil {
			if _, err = ReadFrame(r, nil); err == nil {
				n++
			}
		}
		clean := cut == 0 || cut == 4 || cut == 8
		if clean != errors.Is(err, io.EOF) || n != cut/4 {
			t.Errorf("cut at %d: %d frames, %v", cut, n, err)
		}
	}
}
