package storage

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// failure is the sticky state of an engine that met something it cannot take
// back. It begins unarmed: while the engine is being opened, the error of the
// open tells the story.
type failure struct {
	state   atomic.Pointer[error] // nil = none
	mu      sync.Mutex
	armed   bool
	onFatal func(error)
}

// err is nil, or wraps ErrFailed and the cause.
func (f *failure) err() error {
	if p := f.state.Load(); p != nil {
		return *p
	}
	return nil
}

// opening reports whether the engine is still being opened.
func (f *failure) opening() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.armed
}

// set records the first cause; later ones are consequences.
func (f *failure) set(cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state.Load() != nil {
		return
	}
	err := fmt.Errorf("storage: %w: %w", ErrFailed, cause)
	f.state.Store(&err)
	if f.armed && f.onFatal != nil {
		f.onFatal(err)
	}
}

// arm makes later failures known to onFatal, and returns the one that happened
// before.
func (f *failure) arm() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = true
	return f.err()
}
