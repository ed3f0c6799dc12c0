package client

import (
	"net/http"
	"testing"
)

// FuzzAnswers: whatever is at the address, a call ends with an answer or an error,
// and a grant is never read out of anything but a success.
func FuzzAnswers(f *testing.F) {
	f.Add(200, `{"allowed":true,"agent":"a","tokens":1,"limit":5,"remaining":4}`, "application/json", "", "")
	f.Add(429, `{"type":"x","status":429,"allowed":false,"retry_after_ms":5}`, "application/problem+json", "", "1")
	f.Add(429, `{"allowed":true}`, "application/json", "", "")
	f.Add(503, `{"title":"no"}`, "application/problem+json", "", "99999999999")
	f.Add(200, `{"key":"k","value":5}`, "application/json", "", "")
	f.Add(200, "<html>", "text/html", `"v"`, "")
	f.Fuzz(func(t *testing.T, status int, body, contentType, etag, retryAfter string) {
		if status < 200 || status > 999 {
			return // net/http makes no answer of it
		}
		answer := reply(status, body, "Content-Type: "+contentType, "ETag: "+etag, "Retry-After: "+retryAfter, "Expires: "+etag)
		node := &fakeNode{t: t}
		const calls = 9
		for range calls {
			node.then(answer)
		}
		c := node.client(Options{MaxRetries: -1})
		ctx := t.Context()
		d, err := c.Agents.Consume(ctx, "a", 1)
		if err == nil && d.Allowed && status >= 300 && status != http.StatusTooManyRequests {
			t.Fatalf("status %d is read as a grant", status)
		}
		if _, err := c.Agents.ConsumeBatch(ctx, BatchRequest{}); err == nil && status >= 300 && status != http.StatusTooManyRequests {
			t.Fatalf("status %d is read as an answer to a batch", status)
		}
		_, _ = c.Agents.Get(ctx, "a")
		_, _ = c.Agents.List(ctx, ListOptions{})
		_, _ = c.Policies.Get(ctx, "p")
		_, _ = c.Cluster.Get(ctx)
		_, _ = c.Health.Check(ctx)
		if e, err := c.KV.Get(ctx, "k"); err == nil && e.Counter == nil && string(e.Value) != body {
			t.Fatalf("%q is read as %q", body, e.Value)
		}
		_, _ = c.KV.List(ctx, KeyListOptions{})
	})
}
