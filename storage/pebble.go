package storage

import (
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// pebbleEngine is the Engine on Pebble.
type pebbleEngine struct {
	db       *pebble.DB
	dir      string
	fs       vfs.FS // as the caller gave it
	lock     *pebble.Lock
	readOnly bool
	failure  *failure
	events   *events
	closed   atomic.Bool
}

var _ Engine = (*pebbleEngine)(nil)

// usable says why the engine cannot be used.
func (e *pebbleEngine) usable() error {
	if e.closed.Load() {
		return fmt.Errorf("storage: %s: %w", e.dir, ErrClosed)
	}
	return e.failure.err()
}

func (e *pebbleEngine) Get(key, buf []byte) (val []byte, found bool, err error) {
	return e.get(e.db, key, buf)
}

func (e *pebbleEngine) Scan(lower, upper []byte, fn func(k, v []byte) bool) error {
	return e.scan(e.db, lower, upper, fn)
}

func (e *pebbleEngine) get(r pebble.Reader, key, buf []byte) (val []byte, found bool, err error) {
	if err := e.usable(); err != nil {
		return buf, false, err
	}
	v, closer, err := r.Get(key)
	if err == pebble.ErrNotFound { //nolint:errorlint // never wrapped, and this is the hot miss
		return buf, false, nil
	}
	if err != nil {
		return buf, false, e.readError(err)
	}
	buf = append(buf, v...)
	return buf, true, closer.Close()
}

func (e *pebbleEngine) scan(r pebble.Reader, lower, upper []byte, fn func(k, v []byte) bool) error {
	if err := e.usable(); err != nil {
		return err
	}
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return e.readError(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil || !fn(it.Key(), v) {
			break // the iterator keeps the error
		}
	}
	err = it.Error()
	if err := firstError(err, it.Close()); err != nil {
		return e.readError(err)
	}
	return e.failure.err() // a walk that broke an invariant may have skipped keys
}

// readError gives an error of Pebble its kind.
func (e *pebbleEngine) readError(err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("storage: %s: %w: %w", e.dir, ErrCorrupt, err)
	}
	return fmt.Errorf("storage: %s: %w", e.dir, err)
}

func (e *pebbleEngine) Apply(b *Batch, sync bool) error {
	if err := e.usable(); err != nil {
		return err
	}
	repr, err := b.sealed()
	if err != nil {
		return err
	}
	opts := pebble.NoSync
	if sync {
		opts = pebble.Sync
	}
	if b.Len() == 0 {
		err = e.db.LogData(nil, opts) // Pebble skips empty batches, synced ones too
	} else {
		err = e.apply(b, repr, opts)
	}
	if err != nil {
		e.failure.set(fmt.Errorf("%s: commit: %w", e.dir, err))
	}
	return e.failure.err() // Pebble itself does not know that its log has failed: see fence
}

// apply hands the buffer of b to Pebble without a copy. A batch made by Pebble
// would be pooled with the buffer in it, so this one belongs to no DB.
func (e *pebbleEngine) apply(b *Batch, repr []byte, opts *pebble.WriteOptions) error {
	var pb pebble.Batch
	if err := pb.SetRepr(repr); err != nil {
		return err
	}
	err := e.db.Apply(&pb, opts)
	if err != nil || pb.Empty() {
		b.surrender() // Pebble keeps a large batch as it is until it is flushed
	}
	return err
}

func (e *pebbleEngine) Snapshot() (Snapshot, error) {
	if err := e.usable(); err != nil {
		return nil, err
	}
	return &pebbleSnapshot{engine: e, snap: e.db.NewSnapshot()}, nil
}

// Close writes out the memory table, so that the log is empty and damage to it
// cannot hide, and releases the directory. The directory of a failed engine is
// left as it is.
func (e *pebbleEngine) Close() error {
	if e.closed.Swap(true) {
		return fmt.Errorf("storage: %s: %w", e.dir, ErrClosed)
	}
	failed := e.failure.err()
	var flushErr error
	if failed == nil && !e.readOnly {
		flushErr = e.flush()
	}
	closeErr := firstError(e.db.Close(), e.lock.Close())
	if failed != nil {
		return failed // what Pebble says after it is only a consequence
	}
	if err := firstError(e.failure.err(), flushErr, closeErr); err != nil {
		return fmt.Errorf("storage: close %s: %w", e.dir, err)
	}
	return nil
}

// flush writes out the memory table. Pebble's own Flush tries again until it
// succeeds, on a full disk for ever; nothing is lost if it fails, since the log
// has it all.
func (e *pebbleEngine) flush() error {
	failed := e.events.awaitBackgroundError()
	done, err := e.db.AsyncFlush()
	if err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case err := <-failed:
		return err
	}
}

type pebbleSnapshot struct {
	engine *pebbleEngine
	snap   *pebble.Snapshot
}

func (s *pebbleSnapshot) Get(key, buf []byte) (val []byte, found bool, err error) {
	return s.engine.get(s.snap, key, buf)
}

func (s *pebbleSnapshot) Scan(lower, upper []byte, fn func(k, v []byte) bool) error {
	return s.engine.scan(s.snap, lower, upper, fn)
}

func (s *pebbleSnapshot) Close() error { return s.snap.Close() }
