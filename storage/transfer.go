package storage

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/openclaw/clawd/crdt"
)

// A transfer is what an empty node needs to begin as its donor's equal: cells,
// registers, index, vectors and runs of one view, key by key as they are on
// disk. What belongs to the donor alone (its identity, its marks) stays out.
//
// The stream is a header, chunks of key-value pairs, each chunk framed with a
// checksum, and an end that counts the pairs, so that a stream cut anywhere is
// noticed.
const (
	transferMagic  = "clawd-transfer-1\n"
	chunkVersion   = 0x61
	endVersion     = 0x62
	chunkBytes     = 256 << 10
	maxChunkBytes  = 8 << 20 // the largest value and then some
	importingKey   = metaSpace + "importing"
	importingValue = "1"
)

// transferSpaces are sent in this order: the vectors last, so that a receiver
// that stops short knows less, not more, than it has.
var transferSpaces = []string{cellSpace, registerSpace, indexSpace, collectedSpace, runSpace, vectorSpace}

// Export writes everything of v that another node can begin with.
func Export(v *View, w io.Writer) error {
	if _, err := io.WriteString(w, transferMagic); err != nil {
		return err
	}
	x := exporter{w: w, chunk: []byte{chunkVersion}}
	for _, space := range transferSpaces {
		err := v.reader.Scan([]byte(space), prefixEnd([]byte(space)), func(k, val []byte) bool {
			x.err = x.add(k, val)
			return x.err == nil
		})
		if err = firstError(x.err, err); err != nil {
			return err
		}
	}
	return x.close()
}

type exporter struct {
	w     io.Writer
	chunk []byte
	pairs uint64
	err   error
}

func (x *exporter) add(k, v []byte) error {
	x.chunk = crdt.AppendBytes(x.chunk, k)
	x.chunk = crdt.AppendBytes(x.chunk, v)
	x.pairs++
	if len(x.chunk) < chunkBytes {
		return nil
	}
	return x.flush()
}

func (x *exporter) flush() error {
	sealed := crdt.Seal(x.chunk, 0)
	head := binary.AppendUvarint(nil, uint64(len(sealed)))
	if _, err := x.w.Write(append(head, sealed...)); err != nil {
		return err
	}
	x.chunk = append(x.chunk[:0], chunkVersion)
	return nil
}

func (x *exporter) close() error {
	if len(x.chunk) > 1 {
		if err := x.flush(); err != nil {
			return err
		}
	}
	x.chunk = binary.AppendUvarint([]byte{endVersion}, x.pairs)
	return x.flush()
}

// Import fills an empty store with a transfer. It is all or nothing: while it
// runs, and after it failed, ImportUnfinished is true, and the data must be
// discarded. progress, if given, is told the bytes read so far.
func Import(s *Store, r io.Reader, progress func(bytes int64)) error {
	if err := s.markImporting(true); err != nil {
		return err
	}
	in := importer{store: s, r: bufio.NewReaderSize(r, 64<<10), progress: progress}
	if err := in.run(); err != nil {
		return fmt.Errorf("storage: import: %w", err)
	}
	return s.markImporting(false)
}

// ImportUnfinished tells whether an Import into these data did not end.
func ImportUnfinished(s *Store) (bool, error) {
	_, found, err := s.engine.Get([]byte(importingKey), nil)
	return found, err
}

func (s *Store) markImporting(on bool) error {
	b := NewBatch()
	if on {
		b.putMeta(importingKey, []byte(importingValue))
	} else {
		b.delete(len(importingKey))
		b.repr = append(b.repr, importingKey...)
	}
	return s.Commit(b, true)
}

type importer struct {
	store    *Store
	r        *bufio.Reader
	progress func(int64)
	read     int64
	pairs    uint64
	buf      []byte
}

func (in *importer) run() error {
	magic := make([]byte, len(transferMagic))
	if _, err := io.ReadFull(in.r, magic); err != nil {
		return unexpected(err)
	}
	if string(magic) != transferMagic {
		return fmt.Errorf("%w: not a transfer of this version", ErrUnreadable)
	}
	for {
		chunk, err := in.next()
		if err != nil {
			return err
		}
		if chunk[0] == endVersion {
			return in.end(chunk)
		}
		if err := in.apply(chunk); err != nil {
			return err
		}
		if in.progress != nil {
			in.progress(in.read)
		}
	}
}

func (in *importer) next() ([]byte, error) {
	n, err := binary.ReadUvarint(in.r)
	if err != nil {
		return nil, unexpected(err)
	}
	if n == 0 || n > maxChunkBytes {
		return nil, fmt.Errorf("%w: chunk of %d bytes", ErrCorrupt, n)
	}
	if uint64(cap(in.buf)) < n {
		in.buf = make([]byte, n)
	}
	in.buf = in.buf[:n]
	if _, err := io.ReadFull(in.r, in.buf); err != nil {
		return nil, unexpected(err)
	}
	in.read += int64(n)
	return in.buf, nil
}

func (in *importer) apply(chunk []byte) error {
	d, err := crdt.Open(chunk, chunkVersion)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	b := NewBatch()
	for d.Len() > 0 && d.Err() == nil {
		k, v := d.Bytes(maxChunkBytes), d.Bytes(maxChunkBytes)
		if d.Err() != nil {
			break
		}
		if !transferable(k) {
			return fmt.Errorf("%w: key %q does not belong in a transfer", ErrCorrupt, k)
		}
		b.set(len(k))
		b.repr = append(b.repr, k...)
		b.setValue(v)
		in.pairs++
	}
	if err := d.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return in.store.Commit(b, false)
}

func (in *importer) end(chunk []byte) error {
	d, err := crdt.Open(chunk, endVersion)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if n := d.Uvarint(); d.End() != nil || n != in.pairs {
		return fmt.Errorf("%w: %d pairs arrived, %d were sent", ErrCorrupt, in.pairs, n)
	}
	return nil
}

func transferable(k []byte) bool {
	for _, space := range transferSpaces {
		if len(k) > len(space) && string(k[:len(space)]) == space {
			return true
		}
	}
	return false
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
