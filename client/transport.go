package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxAnswerBytes bounds what is read of an answer that is kept in memory. The
// largest legitimate one is a batch of 10 000 decisions, about 3 MiB.
const maxAnswerBytes = 64 << 20

// transport sends calls to one base URL. All resources share it.
type transport struct {
	base string
	opts Options
}

// call is one request as a resource describes it.
type call struct {
	method string
	path   string // escaped, from "/"
	query  url.Values
	header http.Header
	body   []byte
	// accept lists statuses from 400 up that are answers, not errors.
	accept []int
	// slow calls are bounded by the caller's context alone.
	slow bool
}

// answer is a complete response.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do performs the call, repeating it where that is safe, and returns the whole
// answer. A status from 300 up that the call does not accept is an *Error.
func (t *transport) do(ctx context.Context, c call) (answer, error) {
	return retry(ctx, t, c, func(ctx context.Context) (answer, error) {
		if !c.slow {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, t.opts.Timeout)
			defer cancel()
		}
		resp, err := t.once(ctx, c)
		if err != nil {
			return answer{}, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
		if err != nil {
			return answer{}, c.wrap(err)
		}
		if len(body) > maxAnswerBytes {
			return answer{}, fmt.Errorf("%s %s: the answer is longer than %d bytes", c.method, c.path, maxAnswerBytes)
		}
		return answer{status: resp.StatusCode, header: resp.Header, body: body}, nil
	})
}

// stream performs the call and leaves the body to the caller, who closes it.
// Only ctx bounds how long the body may take.
func (t *transport) stream(ctx context.Context, c call) (*http.Response, error) {
	return retry(ctx, t, c, func(ctx context.Context) (*http.Response, error) {
		return t.once(ctx, c)
	})
}

// json performs a call whose body is in and whose answer goes to out; either
// may be nil.
func (t *transport) json(ctx context.Context, c call, in, out any) error {
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s %s: %w", c.method, c.path, err)
		}
		c.body = body
		c.header = withHeader(c.header, "Content-Type", "application/json")
	}
	a, err := t.do(ctx, c)
	if err != nil || out == nil {
		return err
	}
	return a.decode(c, out)
}

// decode accepts fields it does not know: a newer node may say more.
func (a answer) decode(c call, out any) error {
	if err := json.Unmarshal(a.body, out); err != nil {
		return fmt.Errorf("%s %s: the answer is not what a clawd node sends (is this the right address?): %w", c.method, c.path, err)
	}
	return nil
}

// once makes one attempt.
func (t *transport) once(ctx context.Context, c call) (*http.Response, error) {
	target := t.base + c.path
	if len(c.query) > 0 {
		target += "?" + c.query.Encode()
	}
	var body io.Reader
	if c.body != nil {
		body = bytes.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, target, body)
	if err != nil {
		return nil, c.wrap(err)
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", t.opts.UserAgent)
	if t.opts.APIKey != "" {
		req.Header.Set("Authorization", "Bearer "+t.opts.APIKey)
	}
	resp, err := t.opts.HTTPClient.Do(req)
	if err != nil {
		if refused(err) {
			return nil, fmt.Errorf("%w: %w", ErrUnreachable, bare(err))
		}
		return nil, c.wrap(bare(err))
	}
	if resp.StatusCode >= 300 && !slices.Contains(c.accept, resp.StatusCode) {
		defer resp.Body.Close()
		return nil, errorFrom(c, resp)
	}
	return resp, nil
}

func (c call) wrap(err error) error {
	return fmt.Errorf("%s %s: %w", c.method, c.path, err)
}

// bare drops the method and URL that net/http puts in front of its errors:
// the caller knows them, and a URL may carry more than belongs in a log.
func bare(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

// refused says that no connection came about, so the node saw nothing of the call.
func refused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// errorFrom reads the problem document of an answer, which it may not have.
func errorFrom(c call, resp *http.Response) *Error {
	e := &Error{
		Method:     c.method,
		Path:       c.path,
		Status:     resp.StatusCode,
		RetryAfter: retryAfter(resp.Header),
	}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err == nil {
			_ = json.Unmarshal(body, &e.Problem) // best effort: the status alone is an error already
		}
	}
	return e
}

// retryAfter reads whole seconds; the date form is not worth a clock here.
func retryAfter(h http.Header) time.Duration {
	s, err := strconv.ParseInt(h.Get("Retry-After"), 10, 32)
	if err != nil || s < 0 {
		return 0
	}
	return time.Duration(s) * time.Second
}

func withHeader(h http.Header, name, value string) http.Header {
	if h == nil {
		h = http.Header{}
	}
	h.Set(name, value)
	return h
}
