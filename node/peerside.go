package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/storage"
)

// peerside answers what the other nodes ask: the Node, seen from the peer
// listener.
type peerside struct{ n *Node }

var _ api.PeerBackend = peerside{}

// Merge implements api.PeerMerger. A binary body is one framed page or
// several; a JSON body is one page.
func (p peerside) Merge(_ context.Context, r api.PeerRequest) ([]byte, error) {
	if err := p.n.started(); err != nil {
		return nil, err
	}
	pages, err := decodePages(r)
	if err != nil {
		p.n.metrics.rejected(err)
		return nil, peerError(err)
	}
	for _, page := range pages {
		if err = pushedBy(r.Peer, page); err == nil {
			err = p.mergeOne(page)
		}
		if err != nil {
			break
		}
	}
	if err != nil && !errors.Is(err, api.ErrGap) {
		return nil, err
	}
	ack := p.n.replica.Ack(p.n.now())
	if r.Encoding == api.JSON {
		answer, jsonErr := ack.JSON()
		return answer, errors.Join(err, jsonErr)
	}
	return ack.Append(nil), err
}

// pushedBy holds a pushed page against the node that was found to push it: a
// node speaks for itself alone.
func pushedBy(peer string, page *antientropy.Page) error {
	if peer != "" && page.From.String() != peer {
		return fmt.Errorf("%w: node %s pushes in the name of %s", api.ErrForbidden, peer, page.From)
	}
	return nil
}

func (p peerside) mergeOne(page *antientropy.Page) error {
	_, err := p.n.replica.MergePush(p.n.now(), page)
	var gap *antientropy.GapError
	if errors.As(err, &gap) {
		p.n.metrics.gaps.Inc()
		p.n.gaps.add(page.Run.Origin, p.n.now().Mono)
		return fmt.Errorf("%w: %w", api.ErrGap, err)
	}
	if err != nil {
		p.n.metrics.rejected(err)
	}
	return peerError(err)
}

func decodePages(r api.PeerRequest) ([]*antientropy.Page, error) {
	if r.Encoding == api.JSON {
		page, err := antientropy.DecodePageJSON(r.Body)
		return []*antientropy.Page{page}, err
	}
	var pages []*antientropy.Page
	in := bytes.NewReader(r.Body)
	for {
		message, err := antientropy.ReadFrame(in, nil)
		if errors.Is(err, io.EOF) {
			if len(pages) == 0 {
				return nil, fmt.Errorf("%w: no page", antientropy.ErrMalformed)
			}
			return pages, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", antientropy.ErrMalformed, err)
		}
		page, err := antientropy.DecodePage(message)
		if err != nil {
			return nil, err
		}
		pages = append(pages, page)
	}
}

// peerError gives an error of the sync protocol the kind the api knows.
func peerError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, antientropy.ErrForeignCluster),
		errors.Is(err, antientropy.ErrForeignOrigin),
		errors.Is(err, antientropy.ErrOwnOrigin):
		return fmt.Errorf("%w: %w", api.ErrForbidden, err)
	case errors.Is(err, antientropy.ErrForgotten):
		return fmt.Errorf("%w: %w", api.ErrGone, err)
	case errors.Is(err, antientropy.ErrMalformed):
		return fmt.Errorf("%w: %w", api.ErrInvalid, err)
	case errors.Is(err, storage.ErrFull), errors.Is(err, storage.ErrFailed), errors.Is(err, storage.ErrClosed):
		return fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	return err
}

// Pull implements api.PeerSource: framed pages, and an acknowledgement at the
// end, without which the answer counts as cut off.
func (p peerside) Pull(_ context.Context, r api.PeerRequest, w io.Writer) error {
	if err := p.n.started(); err != nil {
		return err
	}
	q, err := decodePull(r)
	if err != nil {
		return peerError(err)
	}
	out := framer{w: w, json: r.Encoding == api.JSON}
	if err := p.n.replica.AnswerPull(p.n.now(), q, out.page); err != nil {
		return peerError(err)
	}
	ack := p.n.replica.Ack(p.n.now())
	return out.ack(&ack)
}

func decodePull(r api.PeerRequest) (*antientropy.Pull, error) {
	if r.Encoding == api.JSON {
		return antientropy.DecodePullJSON(r.Body)
	}
	return antientropy.DecodePull(r.Body)
}

// framer writes messages of one answer: framed, or one JSON document a line.
type framer struct {
	w       io.Writer
	json    bool
	message []byte
	frame   []byte
}

func (f *framer) page(p *antientropy.Page) error {
	if f.json {
		return f.line(p.JSON())
	}
	f.message = p.Append(f.message[:0])
	return f.flush()
}

func (f *framer) ack(a *antientropy.Ack) error {
	if f.json {
		return f.line(a.JSON())
	}
	f.message = a.Append(f.message[:0])
	return f.flush()
}

func (f *framer) flush() error {
	f.frame = antientropy.AppendFrame(f.frame[:0], f.message)
	_, err := f.w.Write(f.frame)
	return err
}

func (f *framer) line(b []byte, err error) error {
	if err != nil {
		return err
	}
	_, err = f.w.Write(append(b, '\n'))
	return err
}

// Snapshot implements api.PeerSource. A node that is not ready may itself lack
// something, and hands nothing out.
func (p peerside) Snapshot(_ context.Context, _ api.PeerRequest, w io.Writer) error {
	if phase := p.n.health.current(); phase != phaseReady {
		return fmt.Errorf("%w: this node is %s", api.ErrUnavailable, phase)
	}
	return p.n.replica.WriteSnapshot(w)
}

// Digest implements api.PeerAuditor.
func (p peerside) Digest(_ context.Context, r api.PeerRequest, w io.Writer) error {
	if err := p.n.started(); err != nil {
		return err
	}
	d, err := p.n.replica.Digest(p.n.now())
	if err != nil {
		return peerError(err)
	}
	out := framer{w: w}
	if r.Encoding == api.JSON {
		return out.line(d.JSON())
	}
	_, err = w.Write(d.Append(nil))
	return err
}

// Bucket implements api.PeerAuditor.
func (p peerside) Bucket(_ context.Context, r api.PeerRequest, w io.Writer) error {
	if err := p.n.started(); err != nil {
		return err
	}
	bucket, err := decodeBucket(r)
	if err != nil {
		return peerError(err)
	}
	out := framer{w: w, json: r.Encoding == api.JSON}
	return peerError(p.n.replica.AuditBucket(p.n.now(), bucket, out.page))
}

// decodeBucket reads which bucket of the digest a peer asks for: its number.
func decodeBucket(r api.PeerRequest) (int, error) {
	if r.Encoding == api.JSON {
		bucket, err := strconv.ParseUint(string(bytes.TrimSpace(r.Body)), 10, 16)
		if err != nil || bucket >= storage.DigestBuckets {
			return 0, errBucket
		}
		return int(bucket), nil
	}
	bucket, n := binary.Uvarint(r.Body)
	if n != len(r.Body) || bucket >= storage.DigestBuckets {
		return 0, errBucket
	}
	return int(bucket), nil
}

var errBucket = fmt.Errorf("%w: no such bucket", antientropy.ErrMalformed)
