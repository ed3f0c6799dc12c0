package replica

import "strings"

// names makes strings of the keys of cells, many to one piece of memory. They
// outlive the cells: rows wait in push queues with them.
type names struct {
	piece strings.Builder
	size  int // of the piece
}

// The first piece is small, since most flushes of a quiet node are.
const (
	firstPiece = 256
	namesPiece = 4 << 10
)

func (n *names) of(c *cell) string {
	if c.nameLen == longName {
		return c.more.name
	}
	if n.piece.Cap()-n.piece.Len() < int(c.nameLen) {
		n.piece = strings.Builder{} // growing would copy what is there
		n.size = min(max(2*n.size, firstPiece), namesPiece)
		n.piece.Grow(max(n.size, int(c.nameLen)))
	}
	start := n.piece.Len()
	n.piece.Write(c.short[:c.nameLen])
	return n.piece.String()[start:]
}
