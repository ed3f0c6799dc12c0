package client

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fakeNode is the far end of a client: it answers from a script, in order, and
// keeps what it was asked. It works inside a synctest bubble, where sockets
// do not.
type fakeNode struct {
	t       *testing.T
	mu      sync.Mutex
	replies []func(*http.Request) (*http.Response, error)
	asked   []request
}

// request is what the node saw.
type request struct {
	line   string // method and target
	header http.Header
	body   string
}

func (f *fakeNode) RoundTrip(r *http.Request) (*http.Response, error) {
	seen := request{line: r.Method + " " + r.URL.RequestURI(), header: r.Header.Clone()}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		seen.body = string(body)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, seen)
	if len(f.replies) == 0 {
		f.t.Errorf("unexpected request %s", seen.line)
		return reply(http.StatusTeapot, "")(r)
	}
	next := f.replies[0]
	f.replies = f.replies[1:]
	return next(r)
}

// then adds a reply to the script.
func (f *fakeNode) then(r func(*http.Request) (*http.Response, error)) *fakeNode {
	f.replies = append(f.replies, r)
	return f
}

func (f *fakeNode) client(o Options) *Client {
	o.HTTPClient = &http.Client{Transport: f}
	c, err := New("http://node.test", o)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// reply answers with a body and headers "Name: value".
func reply(status int, body string, headers ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{}
		if strings.HasPrefix(body, "{") {
			h.Set("Content-Type", "application/json")
		}
		for _, line := range headers {
			name, value, _ := strings.Cut(line, ": ")
			h.Set(name, value)
		}
		return &http.Response{
			StatusCode: status, Header: h, Request: r,
			Body: io.NopCloser(strings.NewReader(body)),
		}, nil
	}
}

// fails answers with no response at all.
func fails(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// cut answers with a body that breaks off.
func cut(status int, body string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		resp, err := reply(status, body)(r)
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(body), brokenReader{}))
		return resp, err
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// golden reads a body a node sends.
func golden(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(b))
}
