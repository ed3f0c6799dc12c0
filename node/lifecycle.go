package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// group owns the goroutines of a node. The first that returns an error stops
// all the others; whoever stops the group waits until each has returned.
//
// Tasks get a context that ends when the group is stopped. What must outlive
// it, the listeners and Serf's own goroutines, is awaited by its own close.
type group struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	err    error
	failed chan struct{} // closed with the first error
}

func newGroup(ctx context.Context) *group {
	g := &group{failed: make(chan struct{})}
	g.ctx, g.cancel = context.WithCancel(ctx)
	return g
}

// Go runs a named task until it returns. Returning because the group's context
// ended is not an error.
func (g *group) Go(name string, task func(ctx context.Context) error) {
	g.wg.Add(1)
	go func() {
		defer g.wg.Done()
		if err := task(g.ctx); err != nil && (g.ctx.Err() == nil || !errors.Is(err, context.Canceled)) {
			g.fail(fmt.Errorf("%s: %w", name, err))
		}
	}()
}

func (g *group) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = err
		close(g.failed)
		g.cancel()
	}
}

// Stop ends the context and waits for every task, and returns the error of the
// first that failed. It may be called again.
func (g *group) Stop() error {
	g.cancel()
	g.wg.Wait()
	return g.Err()
}

// Err is the error of the first task that failed.
func (g *group) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// cleanups undo what Open did, last in first out. Every one runs, whatever the
// others returned.
type cleanups struct {
	steps []cleanup
}

type cleanup struct {
	name string
	run  func(ctx context.Context) error
}

func (c *cleanups) add(name string, run func(ctx context.Context) error) {
	c.steps = append(c.steps, cleanup{name: name, run: run})
}

// run empties the list. ctx bounds the patience of steps that wait; a step
// that frees something runs even after ctx has ended.
func (c *cleanups) run(ctx context.Context) error {
	var errs []error
	for i := len(c.steps) - 1; i >= 0; i-- {
		if err := c.steps[i].run(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.steps[i].name, err))
		}
	}
	c.steps = nil
	return errors.Join(errs...)
}
