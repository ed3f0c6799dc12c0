package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
)

// Patience with a peer. A push is small and is repaired by a pull when lost;
// the others stream, so only the silence within them is bounded.
const (
	peerDialTimeout = time.Second
	pushTimeout     = 3 * time.Second
	pullSilence     = 10 * time.Second
)

// maxAnswer bounds what is read of a peer's short answers.
const maxAnswer = 4 << 20

// peerClient makes the calls of the sync protocol. It moves bytes and knows
// nothing of what they mean.
type peerClient struct {
	http *http.Client
	auth *peerAuth // nil = calls are not signed
}

func newPeerClient(network Network, auth *peerAuth) *peerClient {
	return &peerClient{auth: auth, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, peerDialTimeout)
			defer cancel()
			return network.Dial(ctx, addr)
		},
		DisableCompression:    true, // pages are varints already
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       time.Minute,
		ResponseHeaderTimeout: 10 * time.Second,
	}}}
}

func (c *peerClient) close() { c.http.CloseIdleConnections() }

// merge pushes pages and returns the peer's acknowledgement. An api.ErrGap
// says that the peer lacks what came before; it will ask for it.
func (c *peerClient) merge(ctx context.Context, addr string, frames []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	body, err := c.call(ctx, http.MethodPost, addr, "/v1/merge", frames)
	if err != nil {
		return nil, err
	}
	return readAll(body)
}

// pull asks for what the peer has and this node lacks; the caller reads the
// stream and closes it.
func (c *peerClient) pull(ctx context.Context, addr string, request []byte) (io.ReadCloser, error) {
	return c.call(ctx, http.MethodPost, addr, "/v1/pull", request)
}

// digest asks for the peer's sums.
func (c *peerClient) digest(ctx context.Context, addr string) ([]byte, error) {
	body, err := c.call(ctx, http.MethodGet, addr, "/v1/digest", nil)
	if err != nil {
		return nil, err
	}
	return readAll(body)
}

// bucket asks for all the peer has in one bucket of the digest.
func (c *peerClient) bucket(ctx context.Context, addr string, request []byte) (io.ReadCloser, error) {
	return c.call(ctx, http.MethodPost, addr, "/v1/bucket", request)
}

// snapshot asks for everything the peer has; the caller closes the stream.
func (c *peerClient) snapshot(ctx context.Context, addr string) (io.ReadCloser, error) {
	return c.call(ctx, http.MethodGet, addr, "/v1/snapshot", nil)
}

func (c *peerClient) call(ctx context.Context, method, addr, path string, body []byte) (io.ReadCloser, error) {
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+addr+path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", wire.ContentTypeMerge)
	}
	req.Header.Set("Accept", wire.ContentTypeMerge)
	c.auth.sign(req, body)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer discard(resp.Body)
	return nil, refusal(path, resp)
}

// refusal makes an answer that is not a success an error of the kind the peer
// had.
func refusal(path string, resp *http.Response) error {
	detail, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
	err := fmt.Errorf("%s answered %s: %s", path, resp.Status, bytes.TrimSpace(detail))
	switch resp.StatusCode {
	case http.StatusConflict:
		return fmt.Errorf("%w: %w", api.ErrGap, err)
	case http.StatusForbidden:
		return fmt.Errorf("%w: %w", api.ErrForbidden, err)
	case http.StatusGone:
		return fmt.Errorf("%w: %w", api.ErrGone, err)
	case http.StatusServiceUnavailable:
		return fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	return err
}

func readAll(body io.ReadCloser) ([]byte, error) {
	defer discard(body)
	b, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if err == nil && len(b) > maxAnswer {
		err = errors.New("the answer is too long")
	}
	return b, err
}

// discard reads a short rest so that the connection can be used again.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 64<<10)
	_ = body.Close()
}
