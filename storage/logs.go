package storage

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Pebble takes a bad chunk of its last log for the end of it, unless a later
// block begins with a chunk that says otherwise: each chunk tells up to where the
// log was durable when it was written. The last block, and so the whole log of a
// node with little to do, has no later one: a damaged byte in it would take all
// that follows, `sync` consumption included, without a word. So the logs are read
// here first, and a bad chunk that a later one knows to have been durable is
// refused.

// checkLogs refuses logs that Pebble would cut short.
func checkLogs(fsys vfs.FS, dir string, names []string) error {
	for _, name := range names {
		digits, isLog := strings.CutSuffix(name, ".log")
		number, err := strconv.ParseUint(digits, 10, 64)
		if !isLog || err != nil {
			continue
		}
		b, err := readFile(fsys, fsys.PathJoin(dir, name))
		if err != nil {
			return fmt.Errorf("storage: %s: %w: %w", dir, ErrUnreadable, err)
		}
		if off, ok := checkLog(b, uint32(number)); !ok {
			return fmt.Errorf("storage: %s: %w: %s is damaged at byte %d", dir, ErrCorrupt, name, off)
		}
	}
	return nil
}

// A chunk of a log has, behind its encoding, the number of the log, since files
// are used again, and the offset up to which the log was durable. The first log
// of a store lacks the offset: Pebble begins it before it knows its own format.
const (
	logChunkNumber = recordHeader
	logChunkSynced = logChunkNumber + 4
	logChunkHeader = logChunkSynced + 8
	// Encodings: four without the offset, then four with it.
	firstLogChunk    = 5
	firstSyncedChunk = 9
	lastLogChunk     = 12
)

// checkLog reads chunks up to the first that is not one of this log. It is false
// when a later chunk tells that there must have been one.
func checkLog(b []byte, number uint32) (off int, ok bool) {
	size := 0
	for off < len(b) {
		if room := recordBlock - off%recordBlock; room < logChunkSynced || room < logChunkHeader && allZero(b[off:min(off+room, len(b))]) {
			off += room
			continue
		}
		var valid bool
		if size, valid = logChunkAt(b, off, number); !valid {
			break
		}
		off += size
	}
	for at := off + 1; at < len(b); at++ {
		if _, valid := logChunkAt(b, at, number); valid && wasDurable(b, off, size, at) {
			return off, false
		}
	}
	return off, true
}

// wasDurable tells from the chunk at later that the bad one at off had reached
// the disk. Without an offset in it, only a hole can excuse the bad one: the
// system may write what is not synced in any order, but a page as a whole.
func wasDurable(b []byte, off, size, later int) bool {
	if b[later+6] >= firstSyncedChunk {
		return binary.LittleEndian.Uint64(b[later+logChunkSynced:]) > uint64(off)
	}
	return !torn(b, off, max(size, recordHeader))
}

// logChunkAt returns the size of the chunk at off, as far as it can be told, and
// whether it is one of the log with this number. The checksum, which takes
// longest, comes last.
func logChunkAt(b []byte, off int, number uint32) (size int, valid bool) {
	if off+logChunkSynced > len(b) || b[off+6] < firstLogChunk || b[off+6] > lastLogChunk ||
		binary.LittleEndian.Uint32(b[off+logChunkNumber:]) != number {
		return 0, false
	}
	header := logChunkSynced
	if b[off+6] >= firstSyncedChunk {
		header = logChunkHeader
	}
	size = header + int(binary.LittleEndian.Uint16(b[off+4:]))
	if off+size > len(b) || off%recordBlock+size > recordBlock {
		return size, false
	}
	return size, checksumOf(b[off+6:off+size]) == binary.LittleEndian.Uint32(b[off:])
}
