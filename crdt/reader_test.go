package crdt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestReaderPrimitives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u, i, f := number().Draw(t, "u"), rapid.Int64().Draw(t, "i"), rapid.Uint64().Draw(t, "f")
		s := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "s")
		b := binary.AppendUvarint(nil, u)
		b = binary.AppendVarint(b, i)
		b = binary.BigEndian.AppendUint64(b, f)
		b = append(b, 7)
		b = AppendBytes(b, s)
		b = AppendString(b, string(s))

		r := NewReader(b)
		if r.Uvarint() != u || r.Varint() != i || r.Uint64() != f || r.Byte() != 7 ||
			!bytes.Equal(r.Bytes(200), s) || r.String(200) != string(s) {
			t.Fatalf("not what was written; %v", r.Err())
		}
		if r.Len() != 0 || r.End() != nil {
			t.Fatalf("%d bytes left, %v", r.Len(), r.Err())
		}
	})
}

// Uvarint reads what the standard library reads, near the end of the buffer and far
// from it, but for forms that are longer than need be.
func TestUvarintAgainstEncodingBinary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digit := rapid.OneOf(rapid.SampledFrom([]byte{0, 1, 2, 0x7f, 0x80, 0xff}), rapid.ByteMin(0x80))
		b := rapid.SliceOfN(digit, 1, 24).Draw(t, "bytes")
		want, n := binary.Uvarint(b)
		r := NewReader(b)
		got := r.Uvarint()
		switch {
		case n == 0:
			if !errors.Is(r.Err(), ErrTruncated) {
				t.Fatalf("unfinished: %v", r.Err())
			}
		case n < 0 || n != len(binary.AppendUvarint(nil, want)):
			if !errors.Is(r.Err(), ErrCorrupt) {
				t.Fatalf("overflow or needless bytes: %v", r.Err())
			}
		case got != want || r.Len() != len(b)-n || r.Err() != nil:
			t.Fatalf("%d with %d left, %v; want %d with %d left", got, r.Len(), r.Err(), want, len(b)-n)
		}
	})
}

func TestReaderErrorStays(t *testing.T) {
	r := NewReader([]byte{1, 2, 3, 4})
	r.Uint64()
	if !errors.Is(r.Err(), ErrTruncated) {
		t.Fatalf("err = %v", r.Err())
	}
	r.Fail(ErrCorrupt)
	if r.Byte() != 0 || r.Uvarint() != 0 || r.Varint() != 0 || r.Uint64() != 0 || r.Bytes(9) != nil ||
		r.String(9) != "" || r.Count(1) != 0 || r.Len() != 0 || r.Row() != (Row{}) {
		t.Error("a read after an error gave something")
	}
	if !errors.Is(r.End(), ErrTruncated) {
		t.Errorf("the first error became %v", r.Err())
	}
}

func TestReaderLimits(t *testing.T) {
	five := AppendString(nil, "12345")
	for _, c := range []struct {
		name string
		read func(r *Reader)
		from []byte
		want error
	}{
		{"at the limit", func(r *Reader) { r.Bytes(5) }, five, nil},
		{"above the limit", func(r *Reader) { r.Bytes(4) }, five, ErrTooLarge},
		{"negative limit", func(r *Reader) { r.Bytes(-1) }, five, ErrTooLarge},
		{"shorter than it says", func(r *Reader) { r.Bytes(5) }, five[:5], ErrTruncated},
		{"left over", func(r *Reader) { r.Byte() }, five, ErrCorrupt},
		{"count that fits", func(r *Reader) { r.Count(2); r.Uint64() }, append([]byte{4}, make([]byte, 8)...), nil},
		{"count that does not", func(r *Reader) { r.Count(2) }, append([]byte{5}, make([]byte, 8)...), ErrTruncated},
		{"count of nothings", func(r *Reader) { r.Count(0) }, []byte{3}, ErrTruncated},
		{"unfinished varint", func(r *Reader) { r.Uvarint() }, []byte{0x80}, ErrTruncated},
		{"greatest varint", func(r *Reader) { r.Uvarint() }, binary.AppendUvarint(nil, math.MaxUint64), nil},
		{"nothing", func(r *Reader) { r.Byte() }, nil, ErrTruncated},
	} {
		r := NewReader(c.from)
		c.read(r)
		if err := r.End(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// A part handed out cannot be appended over what follows it.
func TestReaderBytesAreCapped(t *testing.T) {
	b := AppendString(AppendString(nil, "a"), "b")
	r := NewReader(b)
	_ = append(r.Bytes(1), 'x', 'y')
	if got := r.String(1); got != "b" {
		t.Errorf("got %q", got)
	}
}

func TestFrame(t *testing.T) {
	const version = 3
	body := []byte("before the frame")
	sealed := Seal(AppendString(append(body, version), "payload"), len(body))
	frame := sealed[len(body):]

	r, err := Open(frame, version)
	if err != nil || r.String(99) != "payload" || r.End() != nil {
		t.Fatalf("%v %v", err, r)
	}
	if _, err := Open(frame, version+1); !errors.Is(err, ErrVersion) {
		t.Errorf("other version: %v", err)
	}
	for n := range frame {
		if _, err := Open(frame[:n], version); err == nil {
			t.Errorf("%d of %d bytes opened", n, len(frame))
		}
	}
	for bit := range len(frame) * 8 {
		flipped := bytes.Clone(frame)
		flipped[bit/8] ^= 1 << (bit % 8)
		if _, err := Open(flipped, version); !errors.Is(err, ErrCorrupt) {
			t.Errorf("bit %d flipped: %v", bit, err)
		}
	}
}
