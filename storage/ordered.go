package storage

import (
	"bytes"
	"slices"
)

// ordered is a sorted byte map whose copies cost nothing: snapshot shares all
// chunks, and whoever writes next copies the chunk it touches. The zero value is
// empty. Keys and values are kept as given and must not change afterwards. Not
// safe for concurrent use, but for reading.
type ordered struct {
	chunks []*chunk // none is empty
	owner  *token   // chunks with this owner may be changed in place
	shared bool     // the slice of chunks is also someone else's
}

// token is an identity; it has a size so that two never share an address.
type token struct{ _ byte }

type chunk struct {
	owner   *token
	entries []entry
}

type entry struct{ key, val []byte }

// chunkLen is the size at which a chunk is split: small, since the first write
// after a snapshot copies a whole one.
const chunkLen = 32

// snapshot returns a copy; both may be written to independently.
func (m *ordered) snapshot() ordered {
	m.owner, m.shared = nil, true
	return ordered{chunks: m.chunks, shared: true}
}

// find returns the chunk in which key is or belongs. Only an empty map has none.
func (m *ordered) find(key []byte) int {
	low, high := 1, len(m.chunks) // the first chunk is right for all that is not in a later one
	for low < high {
		if mid := (low + high) / 2; bytes.Compare(m.chunks[mid].entries[0].key, key) > 0 {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low - 1
}

func (c *chunk) find(key []byte) (at int, found bool) {
	low, high := 0, len(c.entries)
	for low < high {
		mid := (low + high) / 2
		switch order := bytes.Compare(c.entries[mid].key, key); {
		case order == 0:
			return mid, true
		case order > 0:
			high = mid
		default:
			low = mid + 1
		}
	}
	return low, false
}

func (m *ordered) get(key []byte) (val []byte, found bool) {
	if len(m.chunks) == 0 {
		return nil, false
	}
	c := m.chunks[m.find(key)]
	i, found := c.find(key)
	if !found {
		return nil, false
	}
	return c.entries[i].val, true
}

func (m *ordered) set(key, val []byte) {
	if len(m.chunks) == 0 {
		m.own()
		m.chunks = append(m.chunks, &chunk{owner: m.owner, entries: []entry{{key, val}}})
		return
	}
	at := m.find(key)
	c := m.writable(at)
	i, found := c.find(key)
	if found {
		c.entries[i].val = val
		return
	}
	c.entries = slices.Insert(c.entries, i, entry{key, val})
	if len(c.entries) > chunkLen {
		m.split(at)
	}
}

// split halves a chunk, unless it grew at its end: keys often arrive in order,
// and full chunks behind the newest one save memory.
func (m *ordered) split(at int) {
	c := m.chunks[at]
	cut := len(c.entries) / 2
	if at == len(m.chunks)-1 {
		cut = len(c.entries) - 1
	}
	tail := &chunk{owner: m.owner, entries: slices.Clone(c.entries[cut:])}
	clear(c.entries[cut:])
	c.entries = c.entries[:cut]
	m.chunks = slices.Insert(m.chunks, at+1, tail)
}

func (m *ordered) delete(key []byte) {
	if len(m.chunks) == 0 {
		return
	}
	at := m.find(key)
	i, found := m.chunks[at].find(key)
	if !found {
		return
	}
	c := m.writable(at)
	c.entries = slices.Delete(c.entries, i, i+1)
	if len(c.entries) == 0 {
		m.chunks = slices.Delete(m.chunks, at, at+1)
	}
}

// deleteRange removes lower <= key < upper.
func (m *ordered) deleteRange(lower, upper []byte) {
	var doomed [][]byte
	m.scan(lower, upper, func(k, _ []byte) bool {
		doomed = append(doomed, k)
		return true
	})
	for _, k := range doomed {
		m.delete(k)
	}
}

// scan visits lower <= key < upper; a nil upper has no end. The map must not
// change meanwhile.
func (m *ordered) scan(lower, upper []byte, fn func(k, v []byte) bool) {
	if len(m.chunks) == 0 {
		return
	}
	at := m.find(lower)
	i, _ := m.chunks[at].find(lower)
	for ; at < len(m.chunks); at, i = at+1, 0 {
		for _, e := range m.chunks[at].entries[i:] {
			if upper != nil && bytes.Compare(e.key, upper) >= 0 || !fn(e.key, e.val) {
				return
			}
		}
	}
}

// writable returns a chunk that only this map has.
func (m *ordered) writable(at int) *chunk {
	m.own()
	c := m.chunks[at]
	if c.owner != m.owner {
		// Room for one more, since most writes insert.
		c = &chunk{owner: m.owner, entries: append(make([]entry, 0, len(c.entries)+4), c.entries...)}
		m.chunks[at] = c
	}
	return c
}

// own makes the slice of chunks this map's alone.
func (m *ordered) own() {
	if m.owner == nil {
		m.owner = new(token)
	}
	if m.shared {
		m.chunks, m.shared = slices.Clone(m.chunks), false
	}
}
