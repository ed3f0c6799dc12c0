package storage

import (
	"bytes"
	"fmt"
)

// Rot damages the block of a key, now and in whatever Crash and Clone make of the
// engine: a read that comes to the key finds that the checksum is wrong. nil
// makes all good again.
func (m *Memory) Rot(key []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rotten = key
}

// Keys lists all keys, in order.
func (m *Memory) Keys() (keys [][]byte) {
	m.mu.Lock()
	view := m.now.snapshot()
	m.mu.Unlock()
	view.scan(nil, nil, func(k, _ []byte) bool {
		keys = append(keys, k)
		return true
	})
	return keys
}

type memorySnapshot struct {
	state  ordered
	rotten []byte
}

func (s *memorySnapshot) Get(key, buf []byte) (val []byte, found bool, err error) {
	if s.rotten != nil && bytes.Equal(key, s.rotten) {
		return buf, false, errRotten(key)
	}
	v, found := s.state.get(key)
	return append(buf, v...), found, nil
}

func (s *memorySnapshot) Scan(lower, upper []byte, fn func(k, v []byte) bool) error {
	if s.rotten == nil || bytes.Compare(s.rotten, lower) < 0 || upper != nil && bytes.Compare(s.rotten, upper) >= 0 {
		s.state.scan(lower, upper, fn)
		return nil
	}
	more := true
	s.state.scan(lower, s.rotten, func(k, v []byte) bool {
		more = fn(k, v)
		return more
	})
	if more {
		return errRotten(s.rotten)
	}
	return nil
}

func (s *memorySnapshot) Close() error { return nil }

func errRotten(key []byte) error {
	return fmt.Errorf("storage: the block of key %q does not match its checksum: %w", key, ErrCorrupt)
}
