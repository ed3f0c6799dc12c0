package replica

// slab holds the cells of a shard in large pieces of memory that are never
// moved nor given back: a cell is found by its number or by its address, costs
// no allocation of its own, and the garbage collector sees few objects.
type slab struct {
	first  []cell   // so that a replica of few keys stays small
	chunks [][]cell // of chunkCells each
	free   []uint32 // numbers to be used again
	next   uint32   // first number never used
}

const (
	firstCells = 16
	chunkShift = 8
	chunkCells = 1 << chunkShift // 48 KiB: above 32 KiB Go aligns it to pages, and so the cells to cache lines
)

// at returns the cell of a number that alloc gave out.
func (s *slab) at(number uint32) *cell {
	if number < firstCells {
		return &s.first[number]
	}
	number -= firstCells
	return &s.chunks[number>>chunkShift][number&(chunkCells-1)]
}

// alloc returns an empty cell.
func (s *slab) alloc() (uint32, *cell) {
	if n := len(s.free); n > 0 {
		number := s.free[n-1]
		s.free = s.free[:n-1]
		return number, s.at(number)
	}
	number := s.next
	s.next++
	switch {
	case number == 0:
		s.first = make([]cell, firstCells)
	case number >= firstCells && (number-firstCells)&(chunkCells-1) == 0:
		s.chunks = append(s.chunks, make([]cell, chunkCells))
	}
	return number, s.at(number)
}

// release empties a cell that nobody refers to any more.
func (s *slab) release(number uint32) {
	*s.at(number) = cell{}
	s.free = append(s.free, number)
}
