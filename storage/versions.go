package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// Pebble takes any bad record of its manifest for the end of it. After a crash
// that is right: the last record may be torn. But if a byte was damaged, the
// store would open at an older version, replay a log that belongs to a newer
// one, and miss what lay between, without a word. So the manifest is read here
// first, and a tail that no crash can have left is refused.

// checkFiles refuses a directory that Pebble would open with a loss.
func checkFiles(fsys vfs.FS, dir string) error {
	names, err := fsys.List(dir)
	if err != nil {
		return fmt.Errorf("storage: %s: %w: %w", dir, ErrUnreadable, err)
	}
	manifest, err := atomicfs.ReadMarker(fsys, dir, "manifest")
	if err != nil {
		return fmt.Errorf("storage: %s: %w: %w", dir, ErrUnreadable, err)
	}
	if manifest == "" {
		if slices.ContainsFunc(names, isData) { // Pebble would begin a new store beside it
			return fmt.Errorf("storage: %s: %w: there are data, but the name of the manifest is missing", dir, ErrCorrupt)
		}
		return nil
	}
	b, err := readFile(fsys, fsys.PathJoin(dir, manifest))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("storage: %s: %w: %s is missing", dir, ErrCorrupt, manifest)
	}
	if err != nil {
		return fmt.Errorf("storage: %s: %w: %w", dir, ErrUnreadable, err)
	}
	if off, ok := checkRecords(b); !ok {
		return fmt.Errorf("storage: %s: %w: %s is damaged at byte %d", dir, ErrCorrupt, manifest, off)
	}
	return checkLogs(fsys, dir, names)
}

// isData reports whether a file can hold committed data.
func isData(name string) bool { return isTable(name) || strings.HasSuffix(name, ".log") }

// A record file is made of blocks, a block of chunks, and a chunk of a checksum
// over all after the length, a length, an encoding, and a payload. Chunks do not
// cross blocks; less room than a header is left zero.
const (
	recordBlock  = 32 << 10
	recordHeader = 7
	diskSector   = 512 // what a disk writes whole or not at all
)

// checkRecords reads chunks to the end, or to one that a crash may have torn. It
// is false at one that must have been damaged.
func checkRecords(b []byte) (off int, ok bool) {
	for off < len(b) {
		room := recordBlock - off%recordBlock
		if room < recordHeader {
			off += room
			continue
		}
		size, valid := chunkAt(b, off)
		if !valid {
			return off, torn(b, off, size)
		}
		off += size
	}
	return off, true
}

// chunkAt returns the size of the chunk at off, header included, as far as it can
// be told, and whether its checksum is right.
func chunkAt(b []byte, off int) (size int, valid bool) {
	if off+recordHeader > len(b) {
		return recordHeader, false
	}
	size = recordHeader + int(binary.LittleEndian.Uint16(b[off+4:]))
	if off+size > len(b) || off%recordBlock+size > recordBlock {
		return size, false
	}
	return size, checksumOf(b[off+6:off+size]) == binary.LittleEndian.Uint32(b[off:])
}

// checksumOf is Pebble's: CRC32C, rotated and offset.
func checksumOf(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// torn reports whether a crash can have left the bad chunk at off: cut off by
// the end of the file, or with sectors that never reached the disk.
func torn(b []byte, off, size int) bool {
	for at := off; at < min(off+size, len(b)); at += diskSector - at%diskSector {
		if allZero(b[at:min(at+diskSector-at%diskSector, off+size, len(b))]) {
			return true
		}
	}
	if off%recordBlock+size > recordBlock {
		return false // no chunk is that long
	}
	if off+size <= len(b) {
		return false // all of it is there, and wrong
	}
	// The end is missing, unless only the length is wrong: then the checksum
	// fits what is there, or another chunk begins in it.
	if len(b)-off >= recordHeader && checksumOf(b[off+6:]) == binary.LittleEndian.Uint32(b[off:]) {
		return false
	}
	for at := off + recordHeader; at+recordHeader <= len(b); at++ {
		if _, valid := chunkAt(b, at); valid && !allZero(b[at:at+recordHeader]) {
			return false
		}
	}
	return true
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
