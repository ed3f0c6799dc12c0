package storage

import (
	"encoding/binary"
	"math/bits"

	"github.com/zeebo/xxh3"

	"github.com/openclaw/clawd/crdt"
)

// DigestBuckets is how many parts a Digest has. It is the same on all nodes.
const DigestBuckets = 1024

// DigestBucket sums up the facts of one part of the key space. Two nodes with
// the same facts have the same sum, in whatever order they learnt them.
type DigestBucket struct {
	Sum   [16]byte // sum of the facts' xxh3-128, mod 2^128, big endian
	Count uint64
}

// DigestFilter says which facts a Digest takes in; a nil func takes all. What is
// being collected, here now and there in a minute, is best left out.
type DigestFilter struct {
	Row      func(kind crdt.Kind, key string, origin crdt.Origin, row crdt.Row) bool
	Register func(key string, r crdt.Register) bool
}

// BucketOf is the part of the Digest that a key falls into.
func BucketOf(kind crdt.Kind, key string) int {
	h := xxh3.HashStringSeed(key, uint64(kind))
	return int(h % DigestBuckets)
}

// Digest scans all facts. It is for the hourly audit, not for the hot path.
func (q Queries) Digest(f DigestFilter) (*[DigestBuckets]DigestBucket, error) {
	var d digest
	for _, kind := range crdt.RowKinds {
		err := q.Cells(kind, "", "", func(key string, c *Cell) bool {
			for _, s := range c.Slots {
				if f.Row == nil || f.Row(kind, key, s.Origin, s.Row) {
					d.add(kind, key, d.row(kind, key, s))
				}
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	err := q.Registers("", "", func(key string, r crdt.Register) bool {
		if f.Register == nil || f.Register(key, r) {
			d.add(crdt.KindRegister, key, d.register(key, &r))
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	return &d.buckets, nil
}

type digest struct {
	buckets [DigestBuckets]DigestBucket
	buf     []byte // one fact, in a form of its own: the hash of it is a format
}

func (d *digest) add(kind crdt.Kind, key string, h xxh3.Uint128) {
	b := &d.buckets[BucketOf(kind, key)]
	lo, carry := bits.Add64(binary.BigEndian.Uint64(b.Sum[8:]), h.Lo, 0)
	hi, _ := bits.Add64(binary.BigEndian.Uint64(b.Sum[:8]), h.Hi, carry)
	binary.BigEndian.PutUint64(b.Sum[:8], hi)
	binary.BigEndian.PutUint64(b.Sum[8:], lo)
	b.Count++
}

// row hashes what the lattice orders: seq and ts differ in passing.
func (d *digest) row(kind crdt.Kind, key string, s Slot) xxh3.Uint128 {
	b := d.begin(kind, key)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Origin))
	b = binary.BigEndian.AppendUint64(b, s.Row.Birth)
	b = binary.BigEndian.AppendUint64(b, s.Row.Consumed)
	b = binary.BigEndian.AppendUint64(b, s.Row.Refunded)
	d.buf = b
	return xxh3.Hash128(b)
}

// register hashes what a reader sees; the place in the index differs in passing.
func (d *digest) register(key string, r *crdt.Register) xxh3.Uint128 {
	b := d.begin(crdt.KindRegister, key)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Version))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Writer))
	b = binary.BigEndian.AppendUint64(b, uint64(r.ExpiresAt))
	if r.Deleted {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = crdt.AppendString(b, r.Meta)
	v := xxh3.Hash128(r.Value).Bytes()
	b = append(b, v[:]...)
	d.buf = b
	return xxh3.Hash128(b)
}

func (d *digest) begin(kind crdt.Kind, key string) []byte {
	return crdt.AppendString(append(d.buf[:0], byte(kind)), key)
}
