package node

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheFirstTaskThatFailsStopsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t.Context())
		cause := errors.New("broken")
		var ended atomic.Int32
		for range 3 {
			g.Go("waits", func(ctx context.Context) error {
				<-ctx.Done()
				ended.Add(1)
				return ctx.Err()
			})
		}
		g.Go("fails", func(context.Context) error { return cause })
		synctest.Wait()
		if err := g.Stop(); !errors.Is(err, cause) || ended.Load() != 3 {
			t.Errorf("stop: %v after %d tasks ended", err, ended.Load())
		}
	})
}

func TestStopIsNoError(t *testing.T) {
	t.Parallel()
	g := newGroup(t.Context())
	g.Go("waits", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	if err := errors.Join(g.Stop(), g.Stop()); err != nil {
		t.Error(err)
	}
}

func TestCleanupsRunBackwardsAndAllOfThem(t *testing.T) {
	t.Parallel()
	var c cleanups
	var order []string
	cause := errors.New("stuck")
	for _, name := range []string{"first", "second", "third"} {
		c.add(name, func(context.Context) error {
			order = append(order, name)
			if name == "second" {
				return cause
			}
			return nil
		})
	}
	if err := c.run(t.Context()); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	if !slices.Equal(order, []string{"third", "second", "first"}) {
		t.Errorf("order %v", order)
	}
	if err := c.run(t.Context()); err != nil || len(order) != 3 {
		t.Errorf("a second run: %v, %v", err, order)
	}
}

func TestPhasesOnlyMoveForward(t *testing.T) {
	t.Parallel()
	h := newHealth(Options{}.WithDefaults().Logger)
	if !h.advance(phaseReady) || h.advance(phaseSyncing) || h.advance(phaseReady) || !h.advance(phaseDraining) {
		t.Error("a phase came back")
	}
	for _, ch := range []chan struct{}{h.ready, h.draining} {
		select {
		case <-ch:
		case <-time.After(patience):
			t.Error("a phase was not announced")
		}
	}
}
