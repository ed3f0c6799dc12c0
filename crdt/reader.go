package crdt

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

var (
	// ErrTruncated reports that the bytes end before the value does.
	ErrTruncated = errors.New("crdt: truncated")
	// ErrCorrupt reports bytes that no encoder writes.
	ErrCorrupt = errors.New("crdt: corrupt")
	// ErrTooLarge reports a length above the limit of its field.
	ErrTooLarge = errors.New("crdt: too large")
	// ErrVersion reports an intact frame of a format this build does not know.
	ErrVersion = errors.New("crdt: unknown format version")
)

// Reader decodes bytes that may come from anyone. It never panics, and never
// believes a length beyond the bytes there are. The first error stays: every read
// after it returns a zero value, so a caller decodes a whole structure and asks
// Err once.
type Reader struct {
	buf []byte // nil after an error
	off int
	err error
}

// NewReader returns a reader of b, which must not change while it is read.
func NewReader(b []byte) *Reader { return &Reader{buf: b} }

// Err returns the first error, or nil.
func (d *Reader) Err() error { return d.err }

// Len returns how many bytes are left; none after an error.
func (d *Reader) Len() int { return len(d.buf) - d.off }

// Fail records an error of the caller's own, such as a value that makes no sense.
// An earlier error stays.
func (d *Reader) Fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.buf, d.off = nil, 0
}

// End returns the first error, or ErrCorrupt when bytes are left over.
func (d *Reader) End() error {
	if d.Len() > 0 {
		d.Fail(ErrCorrupt)
	}
	return d.err
}

// Byte reads one byte.
func (d *Reader) Byte() byte {
	if d.off >= len(d.buf) {
		d.Fail(ErrTruncated)
		return 0
	}
	c := d.buf[d.off]
	d.off++
	return c
}

// Uvarint reads a varint. A form longer than need be is ErrCorrupt.
func (d *Reader) Uvarint() uint64 {
	if d.off < len(d.buf) && d.buf[d.off] < 0x80 {
		c := d.buf[d.off]
		d.off++
		return uint64(c)
	}
	return d.longUvarint()
}

// longUvarint reads a varint of up to eight bytes in one piece where the buffer
// goes on far enough: timestamps and token counts are of that size, and byte by
// byte a row takes nearly twice as long.
func (d *Reader) longUvarint() uint64 {
	if d.Len() < 8 {
		return d.slowUvarint()
	}
	x := binary.LittleEndian.Uint64(d.buf[d.off:])
	ends := ^x & 0x8080808080808080 // the first byte without the high bit ends the varint
	if ends == 0 {
		return d.slowUvarint()
	}
	n := bits.TrailingZeros64(ends)/8 + 1
	x &= ends ^ (ends - 1) // drop what follows it
	if x>>(8*(n-1)) == 0 && n > 1 {
		d.Fail(ErrCorrupt)
		return 0
	}
	d.off += n
	// Close the gaps that the high bits leave: pairs of 7, of 14, of 28 bits.
	x = x&0x007f007f007f007f | x&0x7f007f007f007f00>>1
	x = x&0x00003fff00003fff | x&0x3fff00003fff0000>>2
	return x&0x000000000fffffff | x&0x0fffffff00000000>>4
}

func (d *Reader) slowUvarint() uint64 {
	v, n := binary.Uvarint(d.buf[d.off:])
	switch {
	case n == 0:
		d.Fail(ErrTruncated)
		return 0
	case n < 0, n > 1 && d.buf[d.off+n-1] == 0:
		d.Fail(ErrCorrupt)
		return 0
	}
	d.off += n
	return v
}

// Varint reads a signed varint (zigzag).
func (d *Reader) Varint() int64 {
	u := d.Uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// Uint64 reads eight bytes, the highest first.
func (d *Reader) Uint64() uint64 {
	if d.Len() < 8 {
		d.Fail(ErrTruncated)
		return 0
	}
	v := binary.BigEndian.Uint64(d.buf[d.off:])
	d.off += 8
	return v
}

// Bytes reads a length and that many bytes, at most limit. The result is a part
// of the input: copy it to keep it.
func (d *Reader) Bytes(limit int) []byte {
	n := d.Uvarint()
	if n > uint64(max(limit, 0)) {
		d.Fail(ErrTooLarge)
		return nil
	}
	if n > uint64(d.Len()) {
		d.Fail(ErrTruncated)
		return nil
	}
	b := d.buf[d.off : d.off+int(n) : d.off+int(n)]
	d.off += int(n)
	return b
}

// String reads a length and a string of at most limit bytes.
func (d *Reader) String(limit int) string { return string(d.Bytes(limit)) }

// Count reads a number of elements of at least size bytes each, and refuses one
// that the bytes left cannot hold. It is safe to allocate for.
func (d *Reader) Count(size int) int {
	n := d.Uvarint()
	if n > uint64(d.Len()/max(size, 1)) {
		d.Fail(ErrTruncated)
		return 0
	}
	return int(n)
}
