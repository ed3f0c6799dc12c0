package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
)

// TestRetry tells for each failure whether a read and a consume are made
// again. A consume that may have been counted never is.
func TestRetry(t *testing.T) {
	ok := reply(200, `{"allowed":true,"agent":"a"}`)
	cases := []struct {
		name       string
		first      func(*http.Request) (*http.Response, error)
		read, post int // attempts expected
	}{
		{"connection refused", fails(errRefused), 2, 2},
		{"connection reset", fails(errReset), 2, 1},
		{"body cut off", cut(200, `{"allowed":`), 2, 1},
		{"overloaded", reply(503, `{"title":"Service Unavailable"}`), 2, 1},
		{"bad gateway", reply(502, "<html>"), 2, 1},
		{"gateway timeout", reply(504, ""), 2, 1},
		{"internal error", reply(500, ""), 1, 1},
		{"not found", reply(404, ""), 1, 1},
		{"invalid", reply(400, ""), 1, 1},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node := (&fakeNode{t: t}).then(tc.first).then(ok)
				_, err := node.client(Options{}).Agents.Get(context.Background(), "a")
				check(t, "read", len(node.asked), tc.read, err)

				node = (&fakeNode{t: t}).then(tc.first).then(ok)
				_, err = node.client(Options{}).Agents.Consume(context.Background(), "a", 1)
				check(t, "consume", len(node.asked), tc.post, err)
				if len(node.asked) == 2 && node.asked[1].body != node.asked[0].body {
					t.Errorf("the repetition sent %q, the first attempt %q", node.asked[1].body, node.asked[0].body)
				}
			})
		})
	}
}

func check(t *testing.T, what string, got, want int, err error) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %d attempts, want %d", what, got, want)
	}
	if (err == nil) != (want == 2) {
		t.Errorf("%s: error %v", what, err)
	}
}

// TestRetryGivesUp counts attempts and time: three pauses from the upper halves
// of 100, 200 and 400 ms.
func TestRetryGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := &fakeNode{t: t}
		for range DefaultMaxRetries + 1 {
			node.then(fails(errRefused))
		}
		start := time.Now()
		_, err := node.client(Options{}).Cluster.Get(context.Background())
		if !errors.Is(err, ErrUnreachable) || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v, want it to be ErrUnreachable because of ECONNREFUSED", err)
		}
		if took := time.Since(start); took < 350*time.Millisecond || took > 700*time.Millisecond {
			t.Errorf("took %v, want 350ms to 700ms", took)
		}
	})
}

func TestRetryNever(t *testing.T) {
	node := (&fakeNode{t: t}).then(fails(errRefused))
	if _, err := node.client(Options{MaxRetries: -1}).Cluster.Get(context.Background()); err == nil || len(node.asked) != 1 {
		t.Errorf("%d attempts, error %v", len(node.asked), err)
	}
}

// TestRetryAfter waits as long as the node asks, but not for ever.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := (&fakeNode{t: t}).then(reply(503, "", "Retry-After: 3")).then(reply(200, `{}`))
		start := time.Now()
		if err := node.client(Options{}).Health.Live(context.Background()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("waited %v, want 3s", took)
		}

		node = (&fakeNode{t: t}).then(reply(503, "", "Retry-After: 60"))
		err := node.client(Options{}).Health.Live(context.Background())
		var e *Error
		if !errors.As(err, &e) || e.RetryAfter != time.Minute {
			t.Errorf("got %v, want the node's error with its Retry-After", err)
		}
	})
}

// TestContextEndsPause does not sit out a pause nobody waits for.
func TestContextEndsPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		node := (&fakeNode{t: t}).then(fails(errRefused))
		start := time.Now()
		if _, err := node.client(Options{}).Cluster.Get(ctx); !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v, want the error of the last attempt", err)
		}
		if took := time.Since(start); took != 10*time.Millisecond {
			t.Errorf("took %v, want 10ms", took)
		}
	})
}

// TestTimeoutBoundsOneAttempt lets a silent node cost Timeout per attempt.
func TestTimeoutBoundsOneAttempt(t *testing.T) {
	silent := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	synctest.Test(t, func(t *testing.T) {
		node := (&fakeNode{t: t}).then(silent)
		start := time.Now()
		_, err := node.client(Options{Timeout: time.Second}).Agents.Consume(context.Background(), "a", 1)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}
