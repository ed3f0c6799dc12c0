package node

import (
	"context"
	"fmt"
	"sync"

	"github.com/openclaw/clawd/api"
)

// waiters lets callers wait until a flush generation is on disk. Any number of
// them share one fsync: they are woken together when a flush ends.
type waiters struct {
	mu      sync.Mutex
	durable uint64
	failed  uint64 // newest generation a flush could not write
	cause   error
	turn    chan struct{} // closed when durable or failed moves
}

func newWaiters() *waiters { return &waiters{turn: make(chan struct{})} }

// done tells that all generations up to gen are durable.
func (w *waiters) done(gen uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if gen > w.durable {
		w.durable = gen
		w.wakeLocked()
	}
}

// fail tells that the flush of gen failed. Those who wait for gen or an older
// one are answered with an error: what they wrote counts in memory, is kept
// for the next flush, and may yet become durable.
func (w *waiters) fail(gen uint64, cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if gen > w.failed {
		w.failed, w.cause = gen, cause
		w.wakeLocked()
	}
}

func (w *waiters) wakeLocked() {
	close(w.turn)
	w.turn = make(chan struct{})
}

// wait returns nil once gen is durable; generation 0 always is.
func (w *waiters) wait(ctx context.Context, gen uint64) error {
	for {
		turn, err := w.look(gen)
		if turn == nil {
			return err
		}
		select {
		case <-turn:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *waiters) look(gen uint64) (turn <-chan struct{}, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case gen <= w.durable:
		return nil, nil
	case gen <= w.failed:
		return nil, fmt.Errorf("%w: not on disk: %w", api.ErrUnavailable, w.cause)
	}
	return w.turn, nil
}
