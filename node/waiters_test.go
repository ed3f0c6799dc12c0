package node

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/openclaw/clawd/api"
)

func TestWaitersAreWokenByTheirGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiters()
		answers := make(chan uint64, 3)
		for _, gen := range []uint64{1, 2, 3} {
			go func() {
				if err := w.wait(t.Context(), gen); err != nil {
					t.Errorf("generation %d: %v", gen, err)
				}
				answers <- gen
			}()
		}
		synctest.Wait()
		if len(answers) != 0 {
			t.Fatal("somebody was answered before anything was durable")
		}
		w.done(2)
		synctest.Wait()
		if len(answers) != 2 {
			t.Fatalf("%d were answered once generation 2 was durable, want 2", len(answers))
		}
		w.done(3)
		synctest.Wait()
		if len(answers) != 3 {
			t.Fatal("generation 3 was not answered")
		}
	})
}

func TestAFailedFlushAnswersThoseWhoWaitForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiters()
		cause := errors.New("no space")
		errs := make(chan error, 1)
		go func() { errs <- w.wait(t.Context(), 5) }()
		synctest.Wait()
		w.fail(5, cause)
		if err := <-errs; !errors.Is(err, cause) || !errors.Is(err, api.ErrUnavailable) {
			t.Errorf("%v", err)
		}
		w.done(6)
		if err := w.wait(t.Context(), 5); err != nil {
			t.Errorf("a later flush made it durable: %v", err)
		}
	})
}

func TestAWaiterLeavesWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWaiters()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.wait(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := w.wait(ctx, 0); err != nil {
		t.Errorf("nothing to wait for: %v", err)
	}
}
