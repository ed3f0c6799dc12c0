package storage

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// pebbleLog passes Pebble's messages on. Its Fatalf returns: what Pebble would
// have the process die of turns the engine failed instead (see fence).
type pebbleLog struct {
	logger  *slog.Logger
	failure *failure
}

func (l pebbleLog) Infof(format string, args ...any) {
	l.logger.Debug("pebble", "message", fmt.Sprintf(format, args...))
}

func (l pebbleLog) Errorf(format string, args ...any) {
	l.logger.Warn("pebble", "message", fmt.Sprintf(format, args...))
}

func (l pebbleLog) Fatalf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			l.failure.set(fatalError{text, err})
			return
		}
	}
	l.failure.set(fatalError{text, nil})
}

// fatalError is what Pebble's Fatalf said, and the error in it if there is one.
type fatalError struct {
	text  string
	cause error
}

func (e fatalError) Error() string { return e.text }
func (e fatalError) Unwrap() error { return e.cause }

// events counts what Pebble's listener reports and its metrics do not hold.
type events struct {
	stalls         atomic.Uint64
	stallNanos     atomic.Int64
	stallStart     atomic.Int64 // unix ns, 0 = writes flow
	slow           atomic.Uint64
	backgroundErrs atomic.Uint64
	lastErr        atomic.Int64               // unix ns of the last background error
	waiter         atomic.Pointer[chan error] // of awaitBackgroundError
}

// failing reports whether background work has just failed.
func (e *events) failing() bool {
	return time.Now().UnixNano()-e.lastErr.Load() < int64(time.Second)
}

// awaitBackgroundError returns a channel that gets the next background error.
func (e *events) awaitBackgroundError() <-chan error {
	c := make(chan error, 1)
	e.waiter.Store(&c)
	return c
}

func (e *events) listener(logger *slog.Logger, f *failure, dir string) *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			e.backgroundErrs.Add(1)
			e.lastErr.Store(time.Now().UnixNano())
			if f.opening() { // Pebble would try again for ever, and Open wait for it
				f.set(err)
				return
			}
			if c := e.waiter.Swap(nil); c != nil {
				*c <- err
			}
			logger.Warn("background work of the store failed and will be tried again", "dir", dir, "error", err)
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			f.set(fmt.Errorf("%s: %w: %w", info.Path, ErrCorrupt, info.Details))
		},
		DiskSlow: func(info pebble.DiskSlowInfo) {
			e.slow.Add(1)
			logger.Warn("the disk is slow", "path", info.Path, "op", info.OpType.String(), "took", info.Duration)
		},
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			e.stalls.Add(1)
			e.stallStart.Store(time.Now().UnixNano())
			logger.Warn("the store stalls writes until its background work has caught up", "dir", dir, "reason", info.Reason)
		},
		WriteStallEnd: func() {
			if start := e.stallStart.Swap(0); start != 0 {
				e.stallNanos.Add(time.Now().UnixNano() - start)
			}
		},
	}
}
