package storage

import (
	"fmt"
	"sync/atomic"
)

// Store is one node's durable state. Safe for concurrent use, but Close, which
// comes last and after all Views are closed.
type Store struct {
	Queries
	engine Engine
	full   atomic.Bool
	failed atomic.Pointer[error]
}

// New returns a Store on an engine, which it owns from then on. It refuses data
// of a newer schema.
func New(e Engine) (*Store, error) {
	s := &Store{Queries: Queries{reader: e}, engine: e}
	if err := s.checkSchema(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Store) checkSchema() error {
	val, found, err := s.engine.Get([]byte(selfKey), nil)
	if err != nil || !found {
		return err
	}
	_, schema, err := decodeSelf(val)
	if err != nil {
		return undecodable([]byte(selfKey), err)
	}
	if schema != SchemaVersion {
		return fmt.Errorf("storage: the data have schema %d and this build knows only %d: %w",
			schema, SchemaVersion, ErrUnreadable)
	}
	return nil
}

// InitSelf gives a new store its identity, durably.
func (s *Store) InitSelf(self Self) error {
	if len(self.Cluster) > maxClusterBytes {
		return fmt.Errorf("storage: the cluster name has %d bytes, at most %d are allowed", len(self.Cluster), maxClusterBytes)
	}
	b := NewBatch()
	b.putSelf(self)
	return s.Commit(b, true)
}

// Commit makes the batch visible, all of it or none. With sync it returns when
// the batch, and every one committed before it, is durable; an empty batch with
// sync thus makes earlier ones durable. Without sync a crash may undo the batch,
// together with all later ones. Reset b before it is filled again.
//
// ErrFull leaves everything as it was. After any other error the Store has
// failed: whether the batch is on the disk will be known when it is opened again.
func (s *Store) Commit(b *Batch, sync bool) error {
	if err := s.Err(); err != nil {
		return err
	}
	if s.full.Load() && b.Len() > 0 {
		return fmt.Errorf("storage: commit refused: %w", ErrFull)
	}
	if b.Len() == 0 && !sync {
		return nil
	}
	return s.engine.Apply(b, sync)
}

// Fail makes all later commits answer ErrFailed. It is for an owner that could
// not read what it had to know in order to write: what is on the disk is right,
// and what would follow may not be.
func (s *Store) Fail(cause error) {
	err := fmt.Errorf("storage: %w: %w", ErrFailed, cause)
	s.failed.CompareAndSwap(nil, &err)
}

// Err is what Fail was called with, as an ErrFailed, or nil.
func (s *Store) Err() error {
	if err := s.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// SetFull makes all commits answer ErrFull, or accepts them again: Pebble must
// not run into a full disk, since it cannot go on after a failed write of its
// log. The owner calls it when a Disk check changes to or from Critical.
func (s *Store) SetFull(full bool) { s.full.Store(full) }

// Full reports what SetFull set.
func (s *Store) Full() bool { return s.full.Load() }

// View returns the state of this instant. It keeps superseded data on the disk
// until it is closed, so it should not live longer than one exchange with a peer.
func (s *Store) View() (*View, error) {
	snap, err := s.engine.Snapshot()
	if err != nil {
		return nil, err
	}
	return &View{Queries: Queries{reader: snap}, snapshot: snap}, nil
}

// Close makes everything durable and lets go of the directory.
func (s *Store) Close() error { return s.engine.Close() }

// View is the state of one instant. Safe for concurrent use.
type View struct {
	Queries
	snapshot Snapshot
}

// Close ends the View. Its methods must not be called afterwards.
func (v *View) Close() error { return v.snapshot.Close() }
