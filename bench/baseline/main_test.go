package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// client talks to a server of the given kind.
func client(t *testing.T, kind string) *http.Client {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	addr := freeAddr(t)
	done := make(chan error, 1)
	go func() { done <- serve(ctx, kind, addr, "") }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		for { // the server listens in a moment
			c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
			if err == nil || ctx.Err() != nil {
				return c, err
			}
		}
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestAllAnswerTheConsumeCallAndCountIt(t *testing.T) {
	for _, kind := range []string{"nethttp", "mux", "fasthttp", "xrate"} {
		t.Run(kind, func(t *testing.T) {
			c := client(t, kind)
			for _, row := range []struct {
				method, path string
				status       int
			}{
				{http.MethodPost, "/v1/agents/agent:42:tokens/consume", http.StatusOK},
				{http.MethodGet, "/v1/agents/a/consume", http.StatusMethodNotAllowed},
				{http.MethodPost, "/v1/agents/a/b/consume", http.StatusNotFound},
				{http.MethodGet, "/readyz", http.StatusOK},
			} {
				if status, body := do(t, c, row.method, row.path, `{"tokens":1}`); status != row.status {
					t.Errorf("%s %s: status %d, want %d: %s", row.method, row.path, status, row.status, body)
				}
			}
			if _, got := do(t, c, http.MethodGet, "/answered", ""); got != "1" {
				t.Errorf("answered %s consume calls, want 1", got)
			}
		})
	}
}

func do(t *testing.T, c *http.Client, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://x"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestLimitersLimit(t *testing.T) {
	l := newLimiters()
	if ok, left, _ := l.take(t.Context(), "a", capacity); !ok || left > refillRate {
		t.Errorf("a full bucket: %v, %d left", ok, left)
	}
	if ok, _, _ := l.take(t.Context(), "a", capacity); ok {
		t.Error("an empty bucket admitted")
	}
	if ok, _, _ := l.take(t.Context(), "b", 1); !ok {
		t.Error("another agent was denied")
	}
}

func TestTheFixedAnswerIsJSON(t *testing.T) {
	if !json.Valid([]byte(answer)) {
		t.Fatalf("not JSON: %s", answer)
	}
}

func TestAnUnknownKindIsRefused(t *testing.T) {
	if err := serve(t.Context(), "chi", "127.0.0.1:0", ""); err == nil {
		t.Fatal("a kind that does not exist was accepted")
	}
}
