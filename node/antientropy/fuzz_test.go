package antientropy

import (
	"bufio"
	"bytes"
	"fmt"
	"testing"

	"github.com/openclaw/clawd/crdt"
)

// Both forms of a message say the same: whatever one of them decodes to goes
// through the other one and comes back equal. Fuzzed bytes are tried as they are
// and past the checksum, where the parsing is.

// asTheyAreAndSealed are the bytes, and the bytes as the payload of a message.
func asTheyAreAndSealed(version byte, b []byte) [][]byte {
	return [][]byte{b, crdt.Seal(append([]byte{version}, b...), 0)}
}

// equal fails when a message changed on its way. An empty list or map may come
// back as none: as text they are the same.
func equal[T any](t *testing.T, how string, got *T, err error, want *T) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v\n%+v", how, err, want)
	}
	if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
		t.Fatalf("%s:\n%s, want\n%s", how, a, b)
	}
}

func samePage(t *testing.T, p *Page) {
	t.Helper()
	binary, err := DecodePage(p.Append(nil))
	equal(t, "through the binary form", binary, err, p)
	text, err := p.JSON()
	if err != nil {
		t.Fatalf("a page that was read cannot be written: %v", err)
	}
	fromText, err := DecodePageJSON(text)
	equal(t, "through JSON", fromText, err, p)
}

func samePull(t *testing.T, q *Pull) {
	t.Helper()
	binary, err := DecodePull(q.Append(nil))
	equal(t, "through the binary form", binary, err, q)
	text, err := q.JSON()
	if err != nil {
		t.Fatalf("a pull that was read cannot be written: %v", err)
	}
	fromText, err := DecodePullJSON(text)
	equal(t, "through JSON", fromText, err, q)
}

func sameAck(t *testing.T, a *Ack) {
	t.Helper()
	binary, err := DecodeAck(a.Append(nil))
	equal(t, "through the binary form", binary, err, a)
	text, err := a.JSON()
	if err != nil {
		t.Fatalf("an ack that was read cannot be written: %v", err)
	}
	fromText, err := DecodeAckJSON(text)
	equal(t, "through JSON", fromText, err, a)
}

func FuzzDecodePage(f *testing.F) {
	f.Add((&Page{Cluster: "c", From: 1, Run: crdt.Run{Origin: 1, Node: 1}, Complete: true}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, in := range asTheyAreAndSealed(pageVersion, b) {
			if p, err := DecodePage(in); err == nil {
				samePage(t, p)
			}
		}
	})
}

func FuzzPageJSON(f *testing.F) {
	text, err := jsonPage().JSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"entries":[{"kind":"register","space":"k"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := DecodePageJSON(b); err == nil {
			samePage(t, p)
		}
	})
}

func FuzzPull(f *testing.F) {
	f.Add((&Pull{Run: crdt.Run{Origin: 1, Node: 1}}).Append(nil))
	f.Add([]byte(`{"cluster":"c","run":{"origin":"0000000000000001","node":"0000000000000001"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, in := range asTheyAreAndSealed(pullVersion, b) {
			if q, err := DecodePull(in); err == nil {
				samePull(t, q)
			}
		}
		if q, err := DecodePullJSON(b); err == nil {
			samePull(t, q)
		}
	})
}

func FuzzAck(f *testing.F) {
	f.Add((&Ack{From: 1, Clock: 2, Durable: crdt.VersionVector{1: 2}}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, in := range asTheyAreAndSealed(ackVersion, b) {
			if a, err := DecodeAck(in); err == nil {
				sameAck(t, a)
			}
		}
		if a, err := DecodeAckJSON(b); err == nil {
			sameAck(t, a)
		}
	})
}

func FuzzDigest(f *testing.F) {
	f.Add((&Digest{From: 3, Vector: crdt.VersionVector{1: 2}, Buckets: []DigestBucket{{Sum: [16]byte{1, 2}, Count: 4}, {}}}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, in := range asTheyAreAndSealed(digestVersion, b) {
			d, err := DecodeDigest(in)
			if err != nil {
				continue
			}
			again, err := DecodeDigest(d.Append(nil))
			equal(t, "through the binary form", again, err, d)
			if _, err := d.JSON(); err != nil {
				t.Fatalf("a digest that was read cannot be written: %v", err)
			}
		}
	})
}

// FuzzFrames: a stream is frames that can be written again, and then an end or an
// error; no frame is longer than what was sent.
func FuzzFrames(f *testing.F) {
	f.Add(AppendFrame(AppendFrame(nil, []byte("one")), nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		var again []byte
		for {
			frame, err := ReadFrame(r, nil)
			if err != nil {
				return
			}
			if again = AppendFrame(again, frame); len(again) > len(b) {
				t.Fatalf("frames of %d bytes in a stream of %d", len(again), len(b))
			}
		}
	})
}
