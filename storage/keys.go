package storage

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/openclaw/clawd/crdt"
)

// This file alone builds and parses keys. They are a format: testdata/keys.golden
// holds their bytes.
//
//	b/ <kind> <escaped key>   cell
//	h/ <escaped bucket key>   own high-water mark
//	m/self  m/run             this node, its present run
//	m/forgotten/ <node>       a node that may never come back
//	m/collected/ <run>        a dead run whose rows were collected
//	o/ <run>                  a run's descriptor
//	r/ <escaped register key> register
//	s/ <run> <seq>            by-seq index
//	v/ <run>                  what is known of a run
//
// Numbers are eight bytes, big endian. An escaped key has each 0x00 written as
// 0x00 0xff and ends with 0x00 0x01, so that escaped keys order as the raw ones
// do, none is the beginning of another, and a prefix of a raw key is, without
// the end mark, a prefix of its escaped form.
const (
	cellSpace      = "b/"
	highWaterSpace = "h/"
	metaSpace      = "m/"
	runSpace       = "o/"
	registerSpace  = "r/"
	indexSpace     = "s/"
	vectorSpace    = "v/"

	selfKey        = metaSpace + "self"
	currentRunKey  = metaSpace + "run"
	forgottenSpace = metaSpace + "forgotten/"
	collectedSpace = metaSpace + "collected/"
)

const (
	escapeByte = 0x00
	escapedNul = 0xff
	escapedEnd = 0x01
)

// escapedLen is the number of bytes appendEscaped adds.
func escapedLen(key string) int {
	return len(key) + strings.Count(key, "\x00") + 2
}

func appendEscaped(b []byte, key string) []byte {
	return append(appendEscapedPrefix(b, key), escapeByte, escapedEnd)
}

// appendEscapedPrefix escapes without the end mark.
func appendEscapedPrefix(b []byte, key string) []byte {
	for {
		i := strings.IndexByte(key, 0)
		if i < 0 {
			return append(b, key...)
		}
		b = append(b, key[:i]...)
		b = append(b, escapeByte, escapedNul)
		key = key[i+1:]
	}
}

// unescape appends the raw form of an escaped key, end mark included in the
// input, to buf.
func unescape(buf, escaped []byte) ([]byte, error) {
	for i := 0; i < len(escaped); i++ {
		c := escaped[i]
		if c != escapeByte {
			buf = append(buf, c)
			continue
		}
		i++
		switch {
		case i < len(escaped) && escaped[i] == escapedNul:
			buf = append(buf, 0)
		case i == len(escaped)-1 && escaped[i] == escapedEnd:
			return buf, nil
		default:
			return nil, fmt.Errorf("storage: key %q: bad escape: %w", escaped, ErrCorrupt)
		}
	}
	return nil, fmt.Errorf("storage: key %q: no end mark: %w", escaped, ErrCorrupt)
}

func appendCellKey(b []byte, kind crdt.Kind, key string) []byte {
	return appendEscaped(append(append(b, cellSpace...), byte(kind)), key)
}

func cellKeyLen(key string) int { return len(cellSpace) + 1 + escapedLen(key) }

// appendNamedKey builds the keys that are a space and an escaped key.
func appendNamedKey(b []byte, space, key string) []byte {
	return appendEscaped(append(b, space...), key)
}

func namedKeyLen(space, key string) int { return len(space) + escapedLen(key) }

// appendNumberedKey builds the keys that are a space and one number.
func appendNumberedKey(b []byte, space string, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, space...), n)
}

const (
	runKeyLen       = len(runSpace) + 8
	indexKeyLen     = len(indexSpace) + 16
	forgottenKeyLen = len(forgottenSpace) + 8
)

func appendIndexKey(b []byte, origin crdt.Origin, seq uint64) []byte {
	b = appendNumberedKey(b, indexSpace, uint64(origin))
	return binary.BigEndian.AppendUint64(b, seq)
}

// number reads the big-endian number that ends a key of the given length.
func number(key []byte, keyLen int) (uint64, error) {
	if len(key) != keyLen {
		return 0, fmt.Errorf("storage: key %q has %d bytes, want %d: %w", key, len(key), keyLen, ErrCorrupt)
	}
	return binary.BigEndian.Uint64(key[keyLen-8:]), nil
}

// after is the smallest key greater than key.
func after(key []byte) []byte { return append(key, 0) }

// prefixEnd is the smallest key greater than all that begin with prefix; nil if
// there is none. It overwrites prefix.
func prefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			prefix[i]++
			return prefix[:i+1]
		}
	}
	return nil
}

// namedRange is the range of keys of a space whose raw part begins with prefix
// and is greater than from; from "" means from the beginning.
func namedRange(space, prefix, from string) (lower, upper []byte) {
	lower = appendEscapedPrefix(append(make([]byte, 0, namedKeyLen(space, prefix)), space...), prefix)
	upper = prefixEnd(append([]byte(nil), lower...))
	if from == "" || from < prefix {
		return lower, upper
	}
	return after(appendNamedKey(nil, space, from)), upper
}
