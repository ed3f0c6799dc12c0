package crdt

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// Limits that the decoders enforce, in bytes.
const (
	MaxKeyBytes   = 2048    // any encoded key
	MaxMetaBytes  = 1024    // Register.Meta
	MaxValueBytes = 1 << 20 // Register.Value
)

// Ids and hybrid times fill their 64 bits, so they take eight bytes, where a
// varint would take nine or ten. Everything else is small and a varint. An instant
// in milliseconds is a varint of its two's complement: none lies before 1970.

// AppendRow appends a row: birth, consumed, refunded, ts, seq.
func AppendRow(b []byte, r Row) []byte {
	b = binary.AppendUvarint(b, r.Birth)
	b = binary.AppendUvarint(b, r.Consumed)
	b = binary.AppendUvarint(b, r.Refunded)
	b = binary.AppendUvarint(b, uint64(r.TS))
	return binary.AppendUvarint(b, r.Seq)
}

// Row reads what AppendRow wrote.
func (d *Reader) Row() (r Row) {
	r.Birth = d.Uvarint()
	r.Consumed = d.Uvarint()
	r.Refunded = d.Uvarint()
	r.TS = int64(d.Uvarint())
	r.Seq = d.Uvarint()
	return d.rowOrZero(r)
}

// rowOrZero keeps half a row from being taken for a whole one.
func (d *Reader) rowOrZero(r Row) Row {
	if d.err != nil {
		return Row{}
	}
	return r
}

const flagDeleted = 1

// AppendRegister appends a register: version, writer, flags, expiry, meta, value,
// origin, gen, seq.
func AppendRegister(b []byte, r Register) []byte {
	return binary.AppendUvarint(appendRegisterBody(b, &r), r.Seq)
}

// Register reads what AppendRegister wrote. The value is a copy.
func (d *Reader) Register() Register {
	r := d.registerBody()
	r.Seq = d.Uvarint()
	return d.registerOrZero(r)
}

func (d *Reader) registerOrZero(r Register) Register {
	if d.err != nil {
		return Register{}
	}
	return r
}

// appendRegisterBody appends all but the seq, which a page codes as a difference.
func appendRegisterBody(b []byte, r *Register) []byte {
	var flags byte
	if r.Deleted {
		flags |= flagDeleted
	}
	b = binary.BigEndian.AppendUint64(b, uint64(r.Version))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Writer))
	b = append(b, flags)
	b = binary.AppendUvarint(b, uint64(r.ExpiresAt))
	b = AppendString(b, r.Meta)
	b = AppendBytes(b, r.Value)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Origin))
	return binary.AppendUvarint(b, uint64(r.Gen))
}

func (d *Reader) registerBody() (r Register) {
	r.Version = HLC(d.Uint64())
	r.Writer = NodeID(d.Uint64())
	flags := d.Byte()
	r.Deleted = flags&flagDeleted != 0
	r.ExpiresAt = int64(d.Uvarint())
	r.Meta = d.String(MaxMetaBytes)
	r.Value = bytes.Clone(d.Bytes(MaxValueBytes))
	r.Origin = Origin(d.Uint64())
	gen := d.Uvarint()
	r.Gen = uint32(gen)
	if flags&^flagDeleted != 0 || gen > math.MaxUint32 {
		d.Fail(ErrCorrupt)
	}
	return r
}

// AppendRun appends a run: origin, node, name, started, sealed at, final.
func AppendRun(b []byte, r Run) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(r.Origin))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Node))
	b = AppendString(b, r.Name)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Started))
	b = binary.AppendUvarint(b, uint64(r.SealedAt))
	return binary.AppendUvarint(b, r.Final)
}

// Run reads what AppendRun wrote.
func (d *Reader) Run() (r Run) {
	r.Origin = Origin(d.Uint64())
	r.Node = NodeID(d.Uint64())
	r.Name = d.String(MaxNameBytes)
	r.Started = HLC(d.Uint64())
	r.SealedAt = int64(d.Uvarint())
	r.Final = d.Uvarint()
	if d.err != nil {
		return Run{}
	}
	return r
}

const minVectorEntry = 8 + 1 // origin, shortest seq

// AppendVersionVector appends a count, then origin and seq of each run in
// ascending order. A seq of 0 says nothing and is left out.
func AppendVersionVector(b []byte, v VersionVector) []byte {
	origins := make([]Origin, 0, len(v)) // of its final size: this runs for every message
	for o := range v {
		origins = append(origins, o)
	}
	slices.Sort(origins)
	origins = slices.DeleteFunc(origins, func(o Origin) bool { return v[o] == 0 })
	b = binary.AppendUvarint(b, uint64(len(origins)))
	for _, o := range origins {
		b = binary.BigEndian.AppendUint64(b, uint64(o))
		b = binary.AppendUvarint(b, v[o])
	}
	return b
}

// VersionVector reads what AppendVersionVector wrote; it is nil after an error
// and writable otherwise.
func (d *Reader) VersionVector() VersionVector {
	n := d.Count(minVectorEntry)
	v := make(VersionVector, n)
	var prev Origin
	for i := range n {
		o, seq := Origin(d.Uint64()), d.Uvarint()
		if seq == 0 || i > 0 && o <= prev {
			d.Fail(ErrCorrupt)
			break
		}
		v[o] = seq
		prev = o
	}
	if d.err != nil {
		return nil
	}
	return v
}

// AppendTotal appends a total: both sums, each with its high half first.
func AppendTotal(b []byte, t Total) []byte {
	for _, n := range [...]uint64{t.Consumed.Hi, t.Consumed.Lo, t.Refunded.Hi, t.Refunded.Lo} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

// Total reads what AppendTotal wrote.
func (d *Reader) Total() (t Total) {
	t.Consumed.Hi = d.Uvarint()
	t.Consumed.Lo = d.Uvarint()
	t.Refunded.Hi = d.Uvarint()
	t.Refunded.Lo = d.Uvarint()
	if d.err != nil {
		return Total{}
	}
	return t
}

// AppendEntry appends one entry of a page: kind, key, and the fact with its seq as
// the difference to prevSeq and its ts to pageTS. prevSeq is the seq of the entry
// before (0 for the first), pageTS any instant near those of the page, stated in
// its header. Both are only there to make small numbers: an entry comes back
// whole whatever they are, if they are the same on both sides.
func AppendEntry(b []byte, e *Entry, prevSeq uint64, pageTS int64) []byte {
	b = append(b, byte(e.Kind))
	b = AppendString(b, e.Key)
	if e.Kind == KindRegister {
		b = appendRegisterBody(b, &e.Register)
		return binary.AppendUvarint(b, e.Register.Seq-prevSeq)
	}
	r := &e.Row
	b = binary.AppendUvarint(b, r.Birth)
	b = binary.AppendUvarint(b, r.Consumed)
	b = binary.AppendUvarint(b, r.Refunded)
	b = binary.AppendUvarint(b, r.Seq-prevSeq)
	return binary.AppendVarint(b, r.TS-pageTS)
}

// Entry reads what AppendEntry wrote with the same prevSeq and pageTS. Key and
// value are copies.
func (d *Reader) Entry(prevSeq uint64, pageTS int64) (e Entry) {
	e.Kind = Kind(d.Byte())
	e.Key = d.String(MaxKeyBytes)
	switch e.Kind {
	case KindBucket, KindCounter, KindUsage:
		e.Row.Birth = d.Uvarint()
		e.Row.Consumed = d.Uvarint()
		e.Row.Refunded = d.Uvarint()
		e.Row.Seq = prevSeq + d.Uvarint()
		e.Row.TS = pageTS + d.Varint()
	case KindRegister:
		e.Register = d.registerBody()
		e.Register.Seq = prevSeq + d.Uvarint()
	default:
		d.Fail(ErrCorrupt)
	}
	if d.err != nil {
		return Entry{}
	}
	return e
}

// AppendBytes appends a length and the bytes, for Reader.Bytes.
func AppendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// AppendString appends a length and the string, for Reader.String.
func AppendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
