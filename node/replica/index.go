package replica

// index finds the cells of a shard: open addressing with linear probing over
// entries of eight bytes, a hash tag above a cell's number. A lookup reads one
// cache line of it and, the tag being as long as it is, one cell.
//
// All cells of an agent (its inline buckets, older epochs of it) have the same
// hash and stand in one run of the table, so that they can be listed without a
// list of their own. The zero value is an empty index.
type index struct {
	entries []uint64 // 0 = free, else tag<<32 | number+1
	used    int
}

const (
	minIndex   = 16
	maxLoadNum = 3 // of 4 entries are taken at most
	maxLoadDen = 4
)

// tagOf is what the index keeps of a hash. Which shard a cell is in depends on
// the lower bits.
func tagOf(hash uint64) uint32 { return uint32(hash >> 32) }

// probe begins a walk over the cells that may have the tag.
func (x *index) probe(tag uint32) probe {
	return probe{entries: x.entries, tag: tag, at: tag}
}

// probe is a walk over the entries of one tag.
type probe struct {
	entries []uint64
	tag, at uint32
}

// next returns the number of the next cell with the tag.
func (p *probe) next() (number uint32, ok bool) {
	if len(p.entries) == 0 {
		return 0, false
	}
	mask := uint32(len(p.entries) - 1)
	for {
		e := p.entries[p.at&mask]
		if e == 0 {
			return 0, false
		}
		p.at++
		if uint32(e>>32) == p.tag {
			return uint32(e) - 1, true
		}
	}
}

// insert adds a cell that is not in the index.
func (x *index) insert(tag, number uint32) {
	if (x.used+1)*maxLoadDen > len(x.entries)*maxLoadNum {
		x.grow()
	}
	x.put(uint64(tag)<<32 | uint64(number+1))
	x.used++
}

func (x *index) put(entry uint64) {
	mask := uint32(len(x.entries) - 1)
	at := uint32(entry>>32) & mask
	for x.entries[at] != 0 {
		at = (at + 1) & mask
	}
	x.entries[at] = entry
}

func (x *index) grow() {
	old := x.entries
	x.entries = make([]uint64, max(minIndex, 2*len(old)))
	for _, e := range old {
		if e != 0 {
			x.put(e)
		}
	}
}

// remove drops a cell, and moves those behind it up that stand there only
// because their own place was taken: there are no tombstones.
func (x *index) remove(tag, number uint32) {
	mask := uint32(len(x.entries) - 1)
	at, gone := tag&mask, uint64(tag)<<32|uint64(number+1)
	for x.entries[at] != gone {
		if x.entries[at] == 0 {
			return
		}
		at = (at + 1) & mask
	}
	for next := (at + 1) & mask; x.entries[next] != 0; next = (next + 1) & mask {
		home := uint32(x.entries[next]>>32) & mask
		if (next-home)&mask >= (next-at)&mask {
			x.entries[at] = x.entries[next]
			at = next
		}
	}
	x.entries[at] = 0
	x.used--
}
