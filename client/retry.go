package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// maxRetryAfter is the longest pause a node may ask for before the client
// hands the error to the caller instead of waiting.
const maxRetryAfter = 5 * time.Second

// retry runs attempt until it succeeds, fails for good, has used up its
// repetitions or ctx ends. The error of the last attempt is returned.
func retry[T any](ctx context.Context, t *transport, c call, attempt func(context.Context) (T, error)) (T, error) {
	for n := 0; ; n++ {
		v, err := attempt(ctx)
		if err == nil || n >= t.opts.MaxRetries || ctx.Err() != nil || !repeatable(c.method, err) {
			return v, err
		}
		pause := jitter(t.opts.Backoff(n))
		var e *Error
		if errors.As(err, &e) && e.RetryAfter > 0 {
			if e.RetryAfter > maxRetryAfter {
				return v, err
			}
			pause = max(pause, e.RetryAfter)
		}
		if !sleep(ctx, pause) {
			return v, err
		}
	}
}

// repeatable says whether a call may be made again after err without the risk
// of taking effect twice.
func repeatable(method string, err error) bool {
	if errors.Is(err, ErrUnreachable) {
		return true // the node saw nothing
	}
	if method != http.MethodGet && method != http.MethodHead {
		return false
	}
	var e *Error
	if errors.As(err, &e) {
		return errors.Is(err, ErrUnavailable)
	}
	return true // a read that was cut off or timed out
}

// defaultBackoff doubles from 100 ms to 2 s.
func defaultBackoff(n int) time.Duration {
	return min(100*time.Millisecond<<min(n, 10), 2*time.Second)
}

// jitter draws from the upper half of d.
func jitter(d time.Duration) time.Duration {
	if d <= 1 {
		return d
	}
	return d/2 + rand.N(d/2)
}

// sleep reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
