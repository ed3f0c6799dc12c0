package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/openclaw/clawd/api/wire"
)

// peer is what nodes ask of each other. Messages go through as bytes: what they mean is the backend's business.
type peer struct {
	merger  PeerMerger
	source  PeerSource
	auditor PeerAuditor
}

// mergeType is the media type of the binary form without its version parameter.
var mergeType, _, _ = strings.Cut(wire.ContentTypeMerge, ";")

// merge answers POST /v1/merge. A gap is 409 with the answer as its body, so that the sender learns where to begin
// again; every other refusal is a problem.
func (p peer) merge(w http.ResponseWriter, r *http.Request) error {
	return withMessage(w, r, func(m PeerRequest) error {
		answer, err := p.merger.Merge(r.Context(), m)
		status := http.StatusOK
		if errors.Is(err, ErrGap) && answer != nil {
			status, err = http.StatusConflict, nil
		}
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", mediaType(m.Encoding))
		w.WriteHeader(status)
		_, _ = w.Write(answer) // the peer may be gone; the page is merged
		return nil
	})
}

func (p peer) pull(w http.ResponseWriter, r *http.Request) error {
	return withMessage(w, r, func(m PeerRequest) error { return stream(w, r, m, p.source.Pull) })
}

func (p peer) bucket(w http.ResponseWriter, r *http.Request) error {
	return withMessage(w, r, func(m PeerRequest) error { return stream(w, r, m, p.auditor.Bucket) })
}

func (p peer) digest(w http.ResponseWriter, r *http.Request) error {
	return withoutMessage(r, func(m PeerRequest) error { return stream(w, r, m, p.auditor.Digest) })
}

func (p peer) snapshot(w http.ResponseWriter, r *http.Request) error {
	return withoutMessage(r, func(m PeerRequest) error { return stream(w, r, m, p.source.Snapshot) })
}

// withMessage reads the message of a POST.
func withMessage(w http.ResponseWriter, r *http.Request, do func(PeerRequest) error) error {
	if _, err := query(r); err != nil {
		return err
	}
	enc, err := encodingOf(r.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	buf := buffers.Get().(*bytes.Buffer)
	defer releaseBuffer(buf)
	if err := readBody(w, r, maxPeerBody, buf); err != nil {
		return err
	}
	if buf.Len() == 0 {
		return Invalid("body", "is empty")
	}
	return do(PeerRequest{Peer: peerName(r), Encoding: enc, Body: buf.Bytes()})
}

// withoutMessage is for the GETs, which choose the form of the answer by Accept.
func withoutMessage(r *http.Request, do func(PeerRequest) error) error {
	if _, err := query(r); err != nil {
		return err
	}
	enc := Binary
	for accepted := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		base, _, err := mime.ParseMediaType(accepted)
		if err == nil && base == mergeType {
			break
		}
		if err == nil && base == wire.ContentTypeJSON {
			enc = JSON
			break
		}
	}
	return do(PeerRequest{Peer: peerName(r), Encoding: enc})
}

// encodingOf reads a content type. A version of the binary form this node does not speak is 415, which tells the sender
// to try an older one.
func encodingOf(contentType string) (Encoding, error) {
	base, params, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
	case base == wire.ContentTypeJSON:
		return JSON, nil
	case base == mergeType && (params["v"] == "" || params["v"] == "1"):
		return Binary, nil
	}
	return 0, &FieldError{
		Field: "Content-Type", Reason: "must be " + wire.ContentTypeMerge + " or " + wire.ContentTypeJSON, Kind: ErrUnsupported,
	}
}

func mediaType(e Encoding) string {
	if e == JSON {
		return wire.ContentTypeJSON
	}
	return wire.ContentTypeMerge
}

type peerKey struct{}

// WithPeer is a context of a request of which the listener has found out which node makes it.
func WithPeer(ctx context.Context, node string) context.Context {
	return context.WithValue(ctx, peerKey{}, node)
}

// peerName is the node the listener has found out, else the name in a client certificate it has verified.
func peerName(r *http.Request) string {
	if name, ok := r.Context().Value(peerKey{}).(string); ok {
		return name
	}
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return ""
	}
	leaf := r.TLS.VerifiedChains[0][0]
	if len(leaf.DNSNames) > 0 {
		return leaf.DNSNames[0]
	}
	return leaf.Subject.CommonName
}

// stream lets source write its answer. An error after the first byte cuts the connection, so that half an answer never
// looks like a whole one.
func stream(w http.ResponseWriter, r *http.Request, m PeerRequest, source func(context.Context, PeerRequest, io.Writer) error) error {
	out := &lateHeader{w: w, contentType: mediaType(m.Encoding)}
	err := source(r.Context(), m, out)
	if out.gone {
		return context.Canceled // the peer went away: no fault of ours
	}
	if err == nil {
		_, _ = out.Write(nil) // an empty answer has its content type, too
	}
	return err
}

// lateHeader sets the content type with the first byte, since until then the answer may still become a problem.
type lateHeader struct {
	w           http.ResponseWriter
	contentType string
	begun       bool
	gone        bool // a write failed
}

func (l *lateHeader) Write(b []byte) (int, error) {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", l.contentType)
	}
	n, err := l.w.Write(b)
	l.gone = l.gone || err != nil
	return n, err
}
