package crdt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A frame is a version byte, a payload, and the CRC32C of both. Whatever is
// stored or sent stands in one; what is inside relies on it and carries no
// version or checksum of its own.
const (
	versionBytes = 1
	crcBytes     = 4
)

// The polynomial that CPUs have an instruction for, and that Pebble uses as well.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Seal ends the frame that began with the version byte at b[start].
func Seal(b []byte, start int) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// Open checks a frame that is all of b and returns a reader of its payload. An
// intact frame of another version is ErrVersion, anything else that is wrong
// ErrTruncated or ErrCorrupt.
func Open(b []byte, version byte) (payload *Reader, err error) {
	body, err := openFrame(b, version)
	if err != nil {
		return nil, err
	}
	return &Reader{buf: body}, nil // inlined into the caller, which keeps it off the heap
}

func openFrame(b []byte, version byte) ([]byte, error) {
	if len(b) < versionBytes+crcBytes {
		return nil, ErrTruncated
	}
	end := len(b) - crcBytes
	if binary.BigEndian.Uint32(b[end:]) != crc32.Checksum(b[:end], castagnoli) {
		return nil, fmt.Errorf("%w: checksum", ErrCorrupt)
	}
	if b[0] != version {
		return nil, fmt.Errorf("%w: %d, want %d", ErrVersion, b[0], version)
	}
	return b[versionBytes:end], nil
}
