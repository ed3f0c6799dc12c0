package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/openclaw/clawd/api/wire"
)

// Shapes of package wire under the names callers use.
type (
	Counter     = wire.Counter
	KeyInfo     = wire.KeyInfo
	KeyList     = wire.KeyList
	KVOperation = wire.KVOperation
	KVResult    = wire.KVResult
	Value       = wire.Value
)

// KV is the store: registers (the last writer wins) and counters, both
// eventually consistent. Reads are of the asked node; conditions compare with
// that node's view.
type KV struct{ t *transport }

// Entry is the content of a key.
type Entry struct {
	Value       []byte
	ContentType string
	ETag        string    // with its quotes, to be used as IfMatch
	ExpiresAt   time.Time // zero = never
	// Counter is set when the key is a counter; Value then holds what the node
	// sent, a JSON document.
	Counter *int64
}

// Get returns the content of a key, or ErrNotFound.
func (k *KV) Get(ctx context.Context, key string) (Entry, error) {
	c := call{method: http.MethodGet, path: keyPath(key, "")}
	a, err := k.t.do(ctx, c)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{
		Value:       a.body,
		ContentType: a.header.Get("Content-Type"),
		ETag:        a.header.Get("ETag"),
	}
	if e.ETag == "" { // every register has one, no counter does
		var n Counter
		if err := json.Unmarshal(a.body, &n); err == nil && n.Key == key {
			e.Counter = &n.Value
		}
	}
	if at, err := http.ParseTime(a.header.Get("Expires")); err == nil {
		e.ExpiresAt = at
	}
	return e, nil
}

// PutOptions qualify a Put. The zero value stores bytes for ever, whatever was
// there before.
type PutOptions struct {
	ContentType string        // default application/octet-stream
	TTL         time.Duration // whole seconds, rounded up; 0 = for ever
	IfMatch     string        // only if the key has this ETag, or "*": only if it exists
	IfNoneMatch string        // "*": only if the key does not exist
}

// Put stores a value, at most wire.MaxValueBytes, and returns its ETag. It is
// durable on the asked node when Put returns.
func (k *KV) Put(ctx context.Context, key string, value []byte, o PutOptions) (etag string, err error) {
	c := call{method: http.MethodPut, path: keyPath(key, ""), query: url.Values{}, body: value}
	if value == nil {
		c.body = []byte{}
	}
	c.header = withHeader(nil, "Content-Type", orElse(o.ContentType, wire.ContentTypeBytes))
	if o.TTL > 0 {
		c.query.Set("ttl_seconds", strconv.FormatInt(int64((o.TTL+time.Second-1)/time.Second), 10))
	}
	conditions(c.header, o.IfMatch, o.IfNoneMatch)
	a, err := k.t.do(ctx, c)
	if err != nil {
		return "", err
	}
	return a.header.Get("ETag"), nil
}

// Delete removes a key; ifMatch, unless empty, is the ETag it must have.
func (k *KV) Delete(ctx context.Context, key, ifMatch string) error {
	c := call{method: http.MethodDelete, path: keyPath(key, ""), header: http.Header{}}
	conditions(c.header, ifMatch, "")
	_, err := k.t.do(ctx, c)
	return err
}

// Increment adds by, which may be negative, to a counter and returns the value
// as the node sees it then. Concurrent increments on other nodes are added to
// it, never lost.
func (k *KV) Increment(ctx context.Context, key string, by int64) (Counter, error) {
	var out Counter
	return out, k.t.json(ctx, call{method: http.MethodPost, path: keyPath(key, "/increment")}, wire.IncrementRequest{By: &by}, &out)
}

// KeyListOptions choose a page of keys.
type KeyListOptions struct {
	ListOptions
	// Values asks for the contents of registers too. A page then ends early
	// when it gets large. Counters always come with their value.
	Values bool
}

// List returns one page of keys.
func (k *KV) List(ctx context.Context, o KeyListOptions) (KeyList, error) {
	var out KeyList
	q := o.query()
	if o.Values {
		q.Set("values", "1")
	}
	return out, k.t.json(ctx, call{method: http.MethodGet, path: "/v1/kv", query: q}, nil, &out)
}

// All walks over every key that starts with prefix, a page at a time and
// without contents. It ends after the first error.
func (k *KV) All(ctx context.Context, prefix string) iter.Seq2[KeyInfo, error] {
	return pages(func(after string) ([]KeyInfo, string, error) {
		l, err := k.List(ctx, KeyListOptions{ListOptions: ListOptions{Prefix: prefix, After: after, Limit: 1000}})
		return l.Keys, l.Next, err
	})
}

// Batch runs operations in order, at most wire.MaxBatchOperations; each
// succeeds or fails on its own, as its result says.
func (k *KV) Batch(ctx context.Context, ops []KVOperation) ([]KVResult, error) {
	var out wire.KVBatchResponse
	err := k.t.json(ctx, call{method: http.MethodPost, path: "/v1/kv"}, wire.KVBatchRequest{Operations: ops}, &out)
	return out.Results, err
}

func conditions(h http.Header, match, noneMatch string) {
	if match != "" {
		h.Set("If-Match", match)
	}
	if noneMatch != "" {
		h.Set("If-None-Match", noneMatch)
	}
}

func keyPath(key, verb string) string { return "/v1/kv/" + segment(key) + verb }

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
