package api

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// alwaysAllow is a limiter that costs nothing, to measure what is around it.
type alwaysAllow struct{ PublicBackend }

func (alwaysAllow) Consume(_ context.Context, c Check) (Decision, error) {
	return decision("default", 1000, 1000-c.Tokens, 1, c.Tokens), nil
}

// TestAnswerAllocates: the hot route on bytes costs no allocation.
func TestAnswerAllocates(t *testing.T) {
	c := &consumer{limiter: alwaysAllow{}}
	call := &consumeCall{agent: "agent:42:tokens", query: "deny_status=403", body: []byte(`{"tokens":5}`)}
	if n := testing.AllocsPerRun(100, func() {
		if err := c.answer(context.Background(), call); err != nil || call.status != http.StatusOK {
			t.Fatal(call.status, err)
		}
	}); n > 0 {
		t.Errorf("the hot route costs %v allocations", n)
	}
}

// nowhere is a ResponseWriter that keeps nothing.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) WriteHeader(int)             {}
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }

func BenchmarkConsume(b *testing.B) {
	h, err := NewPublic(Options{Public: alwaysAllow{}, Registerer: prometheus.NewRegistry()})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("bytes", func(b *testing.B) {
		c := &consumer{limiter: alwaysAllow{}}
		call := &consumeCall{agent: "agent:42:tokens", body: []byte(`{"tokens":5}`)}
		b.ReportAllocs()
		for b.Loop() {
			if err := c.answer(context.Background(), call); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, body := range map[string]string{"no body": "", "body": `{"tokens":5}`} {
		b.Run(name, func(b *testing.B) {
			req := httptest.NewRequest(http.MethodPost, "/v1/agents/agent:42:tokens/consume", nil)
			req.Header.Set("Content-Type", "application/json")
			r := strings.NewReader(body)
			req.ContentLength = int64(len(body))
			w := nowhere{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				r.Reset(body)
				req.Body = io.NopCloser(r)
				clear(w.header)
				h.ServeHTTP(w, req)
			}
			if w.header.Get("Ratelimit") == "" {
				b.Fatal("no decision was made")
			}
		})
	}
}
