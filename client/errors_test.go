package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestErrorKinds maps statuses to what callers test for.
func TestErrorKinds(t *testing.T) {
	for status, want := range map[int]error{
		400: ErrInvalid, 405: ErrInvalid, 413: ErrInvalid, 415: ErrInvalid, 422: ErrInvalid,
		401: ErrUnauthorized, 403: ErrForbidden, 404: ErrNotFound, 409: ErrConflict, 412: ErrPrecondition,
		429: ErrDenied, 502: ErrUnavailable, 503: ErrUnavailable, 504: ErrUnavailable,
	} {
		node := (&fakeNode{t: t}).then(reply(status, ""))
		err := node.client(Options{MaxRetries: -1}).Agents.Reset(context.Background(), "a")
		if !errors.Is(err, want) {
			t.Errorf("%d: got %v, want %v", status, err, want)
		}
		for _, other := range []error{ErrDenied, ErrInvalid, ErrNotFound, ErrUnavailable, ErrUnreachable} {
			if !errors.Is(want, other) && errors.Is(err, other) {
				t.Errorf("%d is %v as well", status, other)
			}
		}
	}
}

// TestErrorSpeaks prefers the node's words over a status.
func TestErrorSpeaks(t *testing.T) {
	for _, tc := range []struct {
		status                  int
		body, contentType, want string
	}{
		{400, golden(t, "problem_invalid"), "application/problem+json", "tokens must be at least 1"},
		{400, `{"title":"Bad Request"}`, "application/problem+json", "Bad Request"},
		{404, "<html>no</html>", "text/html", "POST /v1/agents/a/reset answered 404 Not Found"},
		{404, "{not json", "application/json", "POST /v1/agents/a/reset answered 404 Not Found"},
	} {
		node := (&fakeNode{t: t}).then(reply(tc.status, tc.body, "Content-Type: "+tc.contentType))
		err := node.client(Options{}).Agents.Reset(context.Background(), "a")
		if err == nil || err.Error() != tc.want {
			t.Errorf("got %q, want %q", err, tc.want)
		}
	}
	node := (&fakeNode{t: t}).then(reply(400, golden(t, "problem_invalid")))
	_, err := node.client(Options{}).Agents.Consume(context.Background(), "a", 0)
	var e *Error
	if !errors.As(err, &e) || e.Problem.Field != "tokens" || e.Problem.RequestID != "r7" || e.Status != 400 {
		t.Errorf("got %#v, want the problem document", err)
	}
}

// TestGatewayThrottle keeps a 429 that carries no decision apart from a
// decision: it says nothing about the agent.
func TestGatewayThrottle(t *testing.T) {
	for _, body := range []string{"<html>slow down</html>", `{"title":"Too Many Requests"}`, ""} {
		node := (&fakeNode{t: t}).then(reply(429, body, "Retry-After: 7")).then(reply(429, body, "Retry-After: 7"))
		c := node.client(Options{})
		_, err := c.Agents.Consume(context.Background(), "a", 1)
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrDenied) || e.RetryAfter != 7*time.Second {
			t.Errorf("consume, %q: got %v", body, err)
		}
		_, err = c.Agents.ConsumeBatch(context.Background(), BatchRequest{})
		if !errors.As(err, &e) || !errors.Is(err, ErrDenied) {
			t.Errorf("batch, %q: got %v", body, err)
		}
	}
}

// TestStrangeAnswer names the likely mistake when a 200 is not from clawd.
func TestStrangeAnswer(t *testing.T) {
	node := (&fakeNode{t: t}).then(reply(200, "<html>welcome</html>"))
	_, err := node.client(Options{}).Cluster.Get(context.Background())
	if err == nil || !strings.Contains(err.Error(), "is this the right address?") {
		t.Errorf("got %v", err)
	}
	node = (&fakeNode{t: t}).then(reply(503, "<html>sorry</html>"))
	if _, err := node.client(Options{MaxRetries: -1}).Health.Check(context.Background()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

func TestDecisionErr(t *testing.T) {
	var d Decision
	d.Agent, d.Tokens, d.Limit, d.RetryAfterMS = "a", 5, 10, 1500
	if err := d.Err(); !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "retry in 1.5s") {
		t.Errorf("got %v", err)
	}
	d.Allowed = true
	if err := d.Err(); err != nil {
		t.Errorf("allowed, yet %v", err)
	}
}

// TestKeyStaysWithTheHost follows a redirect without handing the API key to
// whoever the node points at.
func TestKeyStaysWithTheHost(t *testing.T) {
	var leaked string
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked = r.Header.Get("Authorization")
	}))
	defer thief.Close()
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target := strings.Replace(thief.URL, "127.0.0.1", "localhost", 1)
		http.Redirect(w, r, target+"/livez", http.StatusTemporaryRedirect)
	}))
	defer node.Close()
	c, err := New(node.URL, Options{APIKey: "secret", HTTPClient: node.Client()})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Health.Live(context.Background()) // how it ends is beside the point
	if leaked != "" {
		t.Errorf("another host was sent %q", leaked)
	}
}
