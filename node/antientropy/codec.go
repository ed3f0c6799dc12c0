package antientropy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/openclaw/clawd/crdt"
)

// ContentType is the media type of the binary messages.
const ContentType = "application/x-clawd-merge;v=1"

// Version bytes that lead the binary messages. They tell the kinds apart, too.
const (
	pageVersion   = 0x11
	ackVersion    = 0x21
	pullVersion   = 0x31
	digestVersion = 0x41
)

const (
	flagComplete = 1 << iota
	flagCollected
)

// Append encodes the page.
func (p *Page) Append(b []byte) []byte {
	start := len(b)
	b = append(b, pageVersion)
	b = crdt.AppendString(b, p.Cluster)
	b = binary.BigEndian.AppendUint64(b, uint64(p.From))
	b = binary.BigEndian.AppendUint64(b, uint64(p.Clock))
	b = crdt.AppendRun(b, p.Run)
	b = binary.BigEndian.AppendUint64(b, p.Session)
	b = binary.AppendUvarint(b, p.FromSeq)
	b = binary.AppendUvarint(b, p.AfterSeq)
	var flags byte
	if p.Complete {
		flags |= flagComplete
	}
	if p.Collected {
		flags |= flagCollected
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, p.Upto)
	b = binary.AppendVarint(b, p.Stable)
	base := p.Clock.WallMS()
	b = binary.AppendUvarint(b, uint64(len(p.Entries)))
	prev := p.AfterSeq
	for i := range p.Entries {
		b = crdt.AppendEntry(b, &p.Entries[i], prev, base)
		prev = p.Entries[i].Seq()
	}
	return crdt.Seal(b, start)
}

// DecodePage reads a page and checks that its fields agree.
func DecodePage(b []byte) (*Page, error) {
	d, err := crdt.Open(b, pageVersion)
	if err != nil {
		return nil, malformed(err)
	}
	p := &Page{Cluster: d.String(MaxName)}
	p.From = crdt.NodeID(d.Uint64())
	p.Clock = crdt.HLC(d.Uint64())
	p.Run = d.Run()
	p.Session = d.Uint64()
	p.FromSeq, p.AfterSeq = d.Uvarint(), d.Uvarint()
	flags := d.Byte()
	p.Complete, p.Collected = flags&flagComplete != 0, flags&flagCollected != 0
	p.Upto, p.Stable = d.Uvarint(), d.Varint()
	n := d.Count(minEntryBytes)
	if n > MaxPageEntries {
		return nil, fmt.Errorf("%w: %d entries, at most %d", ErrMalformed, n, MaxPageEntries)
	}
	if n > 0 {
		p.Entries = make([]crdt.Entry, 0, n)
	}
	base, prev := p.Clock.WallMS(), p.AfterSeq
	for range n {
		e := d.Entry(prev, base)
		if d.Err() != nil {
			break
		}
		prev = e.Seq()
		p.Entries = append(p.Entries, e)
	}
	if err := d.End(); err != nil {
		return nil, malformed(err)
	}
	return p, p.Check()
}

// minEntryBytes is the least an entry takes: it bounds what a claimed count
// can make the decoder allocate.
const minEntryBytes = 6

// Append encodes the acknowledgement.
func (a *Ack) Append(b []byte) []byte {
	start := len(b)
	b = append(b, ackVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(a.From))
	b = binary.BigEndian.AppendUint64(b, uint64(a.Clock))
	b = crdt.AppendVersionVector(b, a.Durable)
	return crdt.Seal(b, start)
}

// DecodeAck reads an acknowledgement.
func DecodeAck(b []byte) (*Ack, error) {
	d, err := crdt.Open(b, ackVersion)
	if err != nil {
		return nil, malformed(err)
	}
	a := &Ack{From: crdt.NodeID(d.Uint64()), Clock: crdt.HLC(d.Uint64()), Durable: d.VersionVector()}
	if err := d.End(); err != nil {
		return nil, malformed(err)
	}
	return a, nil
}

// Append encodes the request.
func (p *Pull) Append(b []byte) []byte {
	start := len(b)
	b = append(b, pullVersion)
	b = crdt.AppendString(b, p.Cluster)
	b = crdt.AppendRun(b, p.Run)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Clock))
	b = crdt.AppendVersionVector(b, p.Have)
	b = crdt.AppendVersionVector(b, p.Durable)
	return crdt.Seal(b, start)
}

// DecodePull reads a request.
func DecodePull(b []byte) (*Pull, error) {
	d, err := crdt.Open(b, pullVersion)
	if err != nil {
		return nil, malformed(err)
	}
	p := &Pull{Cluster: d.String(MaxName), Run: d.Run(), Clock: crdt.HLC(d.Uint64())}
	p.Have, p.Durable = d.VersionVector(), d.VersionVector()
	if err := d.End(); err != nil {
		return nil, malformed(err)
	}
	return p, p.check()
}

func (p *Pull) check() error {
	if p.Run.Node == 0 || p.Run.Origin == 0 {
		return fmt.Errorf("%w: node and run must be set", ErrMalformed)
	}
	return nil
}

// Append encodes the digest.
func (g *Digest) Append(b []byte) []byte {
	start := len(b)
	b = append(b, digestVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(g.From))
	b = crdt.AppendVersionVector(b, g.Vector)
	b = binary.AppendUvarint(b, uint64(len(g.Buckets)))
	for i := range g.Buckets {
		b = append(b, g.Buckets[i].Sum[:]...)
		b = binary.AppendUvarint(b, g.Buckets[i].Count)
	}
	return crdt.Seal(b, start)
}

// DecodeDigest reads a digest.
func DecodeDigest(b []byte) (*Digest, error) {
	d, err := crdt.Open(b, digestVersion)
	if err != nil {
		return nil, malformed(err)
	}
	g := &Digest{From: crdt.NodeID(d.Uint64()), Vector: d.VersionVector()}
	n := d.Count(17)
	for range n {
		var k DigestBucket
		for i := range k.Sum {
			k.Sum[i] = d.Byte()
		}
		k.Count = d.Uvarint()
		g.Buckets = append(g.Buckets, k)
	}
	if err := d.End(); err != nil {
		return nil, malformed(err)
	}
	return g, nil
}

func malformed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}

// AppendFrame prefixes an encoded message with its length, so that several can
// follow each other in one body.
func AppendFrame(b, message []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(message)))
	return append(b, message...)
}

// ReadFrame reads one framed message into buf, growing it as needed. io.EOF
// means a clean end; a stream cut inside a frame is io.ErrUnexpectedEOF.
func ReadFrame(r interface {
	io.Reader
	io.ByteReader
}, buf []byte,
) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > MaxFrame {
		return nil, fmt.Errorf("%w: frame of %d bytes, at most %d", ErrMalformed, n, MaxFrame)
	}
	buf = buf[:0]
	for uint64(len(buf)) < n { // grow with what really arrives, not with what is claimed
		step := min(n-uint64(len(buf)), 64<<10)
		at := len(buf)
		buf = append(buf, make([]byte, step)...)
		if _, err := io.ReadFull(r, buf[at:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return buf, nil
}

// IsAck tells an acknowledgement from a page in a stream of frames.
func IsAck(message []byte) bool { return len(message) > 0 && message[0] == ackVersion }
