package tflite

import (
	"encoding/binary"
	"math"
)

// flat is the bytes of a FlatBuffer. Reads beyond them set bad and return zero, so
// that a whole table can be read before asking.
type flat struct {
	b   []byte
	bad bool
}

// table is the position of a table; 0 = none.
type table int

func (f *flat) fail() int {
	f.bad = true
	return 0
}

func (f *flat) u16(at int) int {
	if at < 0 || at+2 > len(f.b) {
		return f.fail()
	}
	return int(binary.LittleEndian.Uint16(f.b[at:]))
}

func (f *flat) u32(at int) int {
	if at < 0 || at+4 > len(f.b) {
		return f.fail()
	}
	return int(binary.LittleEndian.Uint32(f.b[at:]))
}

func (f *flat) i32(at int) int { return int(int32(uint32(f.u32(at)))) }

func (f *flat) u8(at int) int {
	if at < 0 || at >= len(f.b) {
		return f.fail()
	}
	return int(f.b[at])
}

// follow reads an offset that is relative to where it stands.
func (f *flat) follow(at int) int {
	off := f.u32(at)
	if f.bad || off == 0 || off > len(f.b)-at {
		return f.fail()
	}
	return at + off
}

func (f *flat) root() table { return table(f.follow(0)) }

// field is where a table keeps a field; 0 = it has its default.
func (f *flat) field(t table, id int) int {
	if t == 0 {
		return 0
	}
	vtable := int(t) - f.i32(int(t))
	size := f.u16(vtable)
	slot := 4 + 2*id
	if f.bad || slot+2 > size {
		return 0
	}
	off := f.u16(vtable + slot)
	if off == 0 {
		return 0
	}
	if off >= len(f.b)-int(t) {
		return f.fail()
	}
	return int(t) + off
}

func (f *flat) sub(t table, id int) table {
	at := f.field(t, id)
	if at == 0 {
		return 0
	}
	return table(f.follow(at))
}

// vector is where the elements of a vector of so many bytes each begin, and how
// many there are.
func (f *flat) vector(t table, id, size int) (at, n int) {
	at = f.field(t, id)
	if at == 0 {
		return 0, 0
	}
	at = f.follow(at)
	n = f.u32(at)
	if f.bad || n > (len(f.b)-at-4)/size {
		return f.fail(), 0
	}
	return at + 4, n
}

// tables are the elements of a vector of tables, at most the given number.
func (f *flat) tables(t table, id, most int) []table {
	at, n := f.vector(t, id, 4)
	if n > most {
		f.fail()
		return nil
	}
	list := make([]table, 0, n)
	for i := range n {
		list = append(list, table(f.follow(at+4*i)))
	}
	return list
}

func (f *flat) ints(t table, id, most int) []int {
	at, n := f.vector(t, id, 4)
	if n > most {
		f.fail()
		return nil
	}
	list := make([]int, 0, n)
	for i := range n {
		list = append(list, f.i32(at+4*i))
	}
	return list
}

// floats reads float32s out of a vector of bytes.
func (f *flat) floats(t table, id, n int) []float32 {
	at, size := f.vector(t, id, 1)
	if f.bad || size != 4*n {
		f.fail()
		return nil
	}
	list := make([]float32, n)
	for i := range list {
		list[i] = math.Float32frombits(uint32(f.u32(at + 4*i)))
	}
	return list
}
