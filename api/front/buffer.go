package front

import "sync"

// buffer holds what was read and what is to be written. One is a connection's
// at a time.
type buffer struct {
	in   []byte
	n    int // bytes of in that were read and not yet consumed
	out  []byte
	size int // index into sizes
}

// sizes are those of in. A connection begins with the first and moves on only
// when what it has sent fills the present one, so that what it pins is at most
// a few times what it has sent; with nothing under way it goes back.
var sizes = [...]int{4 << 10, 16 << 10, 64 << 10, maxHead + maxBody}

// maxOut is how large an answer's memory may be to be kept for the next one.
const maxOut = 1 << 20

var buffers [len(sizes)]sync.Pool

func newBuffer(size int) *buffer {
	if b, _ := buffers[size].Get().(*buffer); b != nil {
		return b
	}
	return &buffer{in: make([]byte, sizes[size]), out: make([]byte, 0, sizes[size]), size: size}
}

func (b *buffer) release() {
	if b.size == 0 && cap(b.out) > sizes[0] || cap(b.out) > maxOut {
		b.out = nil // a large answer to a small request: let the next one grow its own
	}
	b.n, b.out = 0, b.out[:0]
	buffers[b.size].Put(b)
}

// grown returns a buffer with room for more input and the contents of b, which
// is given back.
func (b *buffer) grown() *buffer { return b.movedTo(newBuffer(b.size + 1)) }

// shrunk returns a buffer of the first size when b, with nothing in it, is
// larger.
func (b *buffer) shrunk() *buffer {
	if b.size == 0 || b.n > 0 || len(b.out) > 0 {
		return b
	}
	return b.movedTo(newBuffer(0))
}

func (b *buffer) movedTo(to *buffer) *buffer {
	to.n = copy(to.in, b.in[:b.n])
	to.out = append(to.out, b.out...)
	b.release()
	return to
}

// consume drops the first n bytes.
func (b *buffer) consume(n int) {
	copy(b.in, b.in[n:b.n])
	b.n -= n
}
