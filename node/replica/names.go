package replica

import "strings"

// names makes strings of the keys of cells, many to one piece of memory. They
// outlive the cells: rows wait in push queues with them.
type names struct{ piece strings.Builder }

const namesPiece = 4 << 10

func (n *names) of(c *cell) string {
	if c.nameLen == longName {
		return c.more.name
	}
	if n.piece.Cap()-n.piece.Len() < int(c.nameLen) {
		n.piece = strings.Builder{} // growing would copy what is there
		n.piece.Grow(namesPiece)
	}
	start := n.piece.Len()
	n.piece.Write(c.short[:c.nameLen])
	return n.piece.String()[start:]
}
