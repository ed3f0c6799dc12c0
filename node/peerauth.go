package node

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/crdt"
)

// Header fields of an authenticated call between nodes. The MAC covers all of
// them, the method and the target; the body by its hash.
const (
	fieldNode  = "X-Clawd-Node"
	fieldTime  = "X-Clawd-Time" // unix ms
	fieldNonce = "X-Clawd-Nonce"
	fieldBody  = "X-Clawd-Body" // SHA-256 of it
	fieldMAC   = "X-Clawd-Mac"
)

// macAge is how far the clocks of two nodes may be apart, and how long a nonce
// is remembered: an older call is refused for its age.
const macAge = 30 * time.Second

// peerAuth signs calls to other nodes and checks theirs, by a secret that all
// nodes have. It tells a member from a stranger; between members it trusts the
// node id a call names, and answers are not signed: where that is not enough,
// the network between the nodes must be private.
type peerAuth struct {
	secret []byte
	self   crdt.NodeID
	now    func() time.Time

	mu       sync.Mutex
	fresh    map[string]struct{} // nonces of this period,
	stale    map[string]struct{} // and of the one before
	rotateAt time.Time
}

func newPeerAuth(secret []byte, now func() time.Time) *peerAuth {
	if len(secret) == 0 {
		return nil
	}
	return &peerAuth{secret: secret, now: now, fresh: map[string]struct{}{}}
}

// sign adds the fields to a call with the given body.
func (a *peerAuth) sign(req *http.Request, body []byte) {
	if a == nil {
		return
	}
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	hash := sha256.Sum256(body)
	h := req.Header
	h.Set(fieldNode, a.self.String())
	h.Set(fieldTime, strconv.FormatInt(a.now().UnixMilli(), 10))
	h.Set(fieldNonce, hex.EncodeToString(nonce[:]))
	h.Set(fieldBody, hex.EncodeToString(hash[:]))
	h.Set(fieldMAC, hex.EncodeToString(a.mac(req.Method, req.URL.RequestURI(), h)))
}

func (a *peerAuth) mac(method, target string, h http.Header) []byte {
	m := hmac.New(sha256.New, a.secret)
	for _, part := range []string{"clawd peer 1", method, target, h.Get(fieldNode), h.Get(fieldTime), h.Get(fieldNonce), h.Get(fieldBody)} {
		_, _ = io.WriteString(m, strconv.Itoa(len(part))+":"+part)
	}
	return m.Sum(nil)
}

var (
	errNotSigned = errors.New("the call is not signed with this cluster's peer secret")
	errOldCall   = errors.New("the call is too old, or from a clock that is not within 30 s of this one")
	errReplayed  = errors.New("the call was made before")
	errOtherBody = errors.New("the body is not the one that was signed")
)

// check finds out which node makes a call, from its head alone.
func (a *peerAuth) check(r *http.Request) (crdt.NodeID, error) {
	sent, err := hex.DecodeString(r.Header.Get(fieldMAC))
	if err != nil || !hmac.Equal(sent, a.mac(r.Method, r.URL.RequestURI(), r.Header)) {
		return 0, errNotSigned
	}
	ms, err := strconv.ParseInt(r.Header.Get(fieldTime), 10, 64)
	now := a.now()
	if age := now.Sub(time.UnixMilli(ms)); err != nil || age > macAge || age < -macAge {
		return 0, errOldCall
	}
	node, err := crdt.ParseNodeID(r.Header.Get(fieldNode))
	if err != nil {
		return 0, errNotSigned
	}
	if !a.first(r.Header.Get(fieldNonce), now) {
		return 0, errReplayed
	}
	return node, nil
}

// first tells whether the nonce is new. Only signed calls get here, so that no
// stranger fills the table.
func (a *peerAuth) first(nonce string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.After(a.rotateAt) {
		a.stale, a.fresh = a.fresh, map[string]struct{}{}
		a.rotateAt = now.Add(2 * macAge) // a call may be ahead by macAge and then age as much
	}
	_, seen := a.fresh[nonce]
	_, before := a.stale[nonce]
	a.fresh[nonce] = struct{}{}
	return !seen && !before
}

// require lets only signed calls through to h, with the caller's node id where
// a handler looks for it.
func (a *peerAuth) require(h http.Handler) http.Handler {
	if a == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		node, err := a.check(r)
		if err != nil {
			api.Refuse(w, fmt.Errorf("%w: %w", api.ErrForbidden, err))
			return
		}
		if r.Body, err = a.body(w, r); err != nil {
			api.Refuse(w, fmt.Errorf("%w: %w", api.ErrForbidden, err))
			return
		}
		h.ServeHTTP(w, r.WithContext(api.WithPeer(r.Context(), node.String())))
	})
}

// maxSignedBody is what the peer routes take.
const maxSignedBody = 4 << 20

// body reads the body that was signed.
func (a *peerAuth) body(w http.ResponseWriter, r *http.Request) (io.ReadCloser, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSignedBody))
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	hash := sha256.Sum256(b)
	if hex.EncodeToString(hash[:]) != r.Header.Get(fieldBody) {
		return nil, errOtherBody
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}
