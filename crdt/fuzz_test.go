package crdt

import (
	"bytes"
	"testing"
)

// FuzzFacts feeds any bytes to the decoder of each fact. What one of them accepts
// is the encoding that its encoder writes, byte for byte.
func FuzzFacts(f *testing.F) {
	for i, c := range codecs {
		for _, g := range goldenValues() {
			if g.codec == c.name {
				f.Add(byte(i), c.append(nil, g.value))
			}
		}
	}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		c := codecs[int(which)%len(codecs)]
		r := NewReader(b)
		v := c.read(r)
		if r.Err() != nil {
			if !isZero(v) {
				t.Fatalf("%s: %+v in spite of %v", c.name, v, r.Err())
			}
			return
		}
		read := b[:len(b)-r.Len()]
		if again := c.append(nil, v); !bytes.Equal(again, read) {
			t.Fatalf("%s: %x reads as %+v, which is %x", c.name, read, v, again)
		}
	})
}

// FuzzReader runs any sequence of reads over any bytes.
func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6}, []byte("\x80\x01\x05hello and more"))
	f.Fuzz(func(t *testing.T, calls, b []byte) {
		r := NewReader(b)
		for _, call := range calls {
			before, failed := r.Len(), r.Err() != nil
			switch call % 7 {
			case 0:
				r.Byte()
			case 1:
				r.Uvarint()
			case 2:
				r.Varint()
			case 3:
				r.Uint64()
			case 4:
				if got := r.Bytes(int(call)); len(got) > min(before, int(call)) {
					t.Fatalf("%d bytes of %d", len(got), before)
				}
			case 5:
				if got := r.String(int(call)); len(got) > min(before, int(call)) {
					t.Fatalf("%d bytes of %d", len(got), before)
				}
			case 6:
				size := int(call)
				if got := r.Count(size); got*max(size, 1) > before {
					t.Fatalf("%d elements of %d bytes in %d", got, size, before)
				}
			}
			if r.Len() >= before && before > 0 || r.Len() < 0 {
				t.Fatalf("read %d left %d of %d", call%7, r.Len(), before)
			}
			if failed && r.Err() == nil {
				t.Fatal("the error is gone")
			}
		}
	})
}

// FuzzFrame opens any bytes; what it accepts is what Seal makes.
func FuzzFrame(f *testing.F) {
	f.Add(Seal([]byte("\x01payload"), 0), byte(1))
	f.Add([]byte{}, byte(0))
	f.Fuzz(func(t *testing.T, b []byte, version byte) {
		if _, err := Open(b, version); err == nil && !bytes.Equal(b, Seal(bytes.Clone(b[:len(b)-crcBytes]), 0)) {
			t.Fatalf("%x", b)
		}
		sealed := Seal(append([]byte{version}, b...), 0)
		r, err := Open(sealed, version)
		if err != nil || r.Len() != len(b) {
			t.Fatalf("own frame: %v", err)
		}
	})
}
