package replica

import (
	"sync"

	"github.com/openclaw/clawd/storage"
)

// syncedView hands out views of what is certainly on disk. Pulls are answered
// from it: a register must not leave the node before its fsync, and while a
// commit is under way the store already shows what is not yet synced.
type syncedView struct {
	mu    sync.Mutex
	held  *sharedView // during a commit: the state before it
	blind error       // during a commit: why there is no such view
}

type sharedView struct {
	*storage.View
	mu   sync.Mutex
	refs int
}

// freeze keeps the present state as the synced one until thaw. Without a view of it
// nobody is answered meanwhile.
func (s *syncedView) freeze(st *storage.Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := st.View()
	if err != nil {
		s.blind = err
		return
	}
	s.held = &sharedView{View: v, refs: 1}
}

func (s *syncedView) thaw() {
	s.mu.Lock()
	held := s.held
	s.held, s.blind = nil, nil
	s.mu.Unlock()
	if held != nil {
		held.release()
	}
}

// acquire returns a view of synced state; release it after use.
func (s *syncedView) acquire(st *storage.Store) (*sharedView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blind != nil {
		return nil, s.blind
	}
	if s.held != nil {
		s.held.mu.Lock()
		s.held.refs++
		s.held.mu.Unlock()
		return s.held, nil
	}
	v, err := st.View()
	if err != nil {
		return nil, err
	}
	return &sharedView{View: v, refs: 1}, nil
}

func (v *sharedView) release() {
	v.mu.Lock()
	v.refs--
	last := v.refs == 0
	v.mu.Unlock()
	if last {
		_ = v.Close() // a view that cannot be closed pins disk space and nothing else
	}
}
