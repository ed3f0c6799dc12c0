package storage

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
)

// Memory is an Engine for simulations and tests, with the crash behaviour of a
// disk: what was applied without sync lies in a volatile layer that Crash takes
// away. Creating, copying and crashing one cost next to nothing.
type Memory struct {
	mu       sync.Mutex
	now      ordered  // what reads see
	durable  ordered  // what a crash cannot take
	unsynced [][]byte // batches on top of durable, oldest first
	fault    Fault
	rotten   []byte // key, see Rot
	ops      int
	failed   error // sticky: ErrFailed after a bad write, or ErrClosed
}

var _ Engine = (*Memory)(nil)

// NewMemory returns an empty engine.
func NewMemory() *Memory { return new(Memory) }

// Op is one call of a Memory engine, shown to a Fault.
type Op struct {
	Kind OpKind
	N    int // position among all calls of this engine, from 1
	Sync bool
}

// OpKind is the kind of an Op.
type OpKind byte

// The kinds of operations a Fault can strike.
const (
	OpGet OpKind = iota
	OpScan
	OpApply
	OpSnapshot
)

// Fault decides what an operation answers; nil lets it pass. An Apply that is
// answered with ErrFull (or an error that wraps it) is refused untouched. Any
// other error is a write that went wrong half-way: the engine answers ErrFailed
// until it is opened again by Crash, and the batch may or may not be there then.
type Fault func(Op) error

// FailNth is a Fault that strikes the n-th call from now, counted from 1.
func FailNth(n int, err error) Fault {
	return func(Op) error {
		if n--; n == 0 {
			return err
		}
		return nil
	}
}

// Inject installs a Fault; nil removes it.
func (m *Memory) Inject(f Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
}

// Get implements Engine.
func (m *Memory) Get(key, buf []byte) (val []byte, found bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(OpGet, false); err != nil {
		return buf, false, err
	}
	return (&memorySnapshot{m.now, m.rotten}).Get(key, buf)
}

// Scan implements Engine.
func (m *Memory) Scan(lower, upper []byte, fn func(k, v []byte) bool) error {
	m.mu.Lock()
	err := m.begin(OpScan, false)
	view := memorySnapshot{m.now.snapshot(), m.rotten} // fn runs without the lock and may write
	m.mu.Unlock()
	if err != nil {
		return err
	}
	return view.Scan(lower, upper, fn)
}

// Apply implements Engine.
func (m *Memory) Apply(b *Batch, sync bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	fault := m.begin(OpApply, sync)
	if m.failed != nil || errors.Is(fault, ErrFull) {
		return fault
	}
	repr, err := b.sealed()
	if err != nil {
		return err
	}
	repr = bytes.Clone(repr) // one allocation; the entries point into it
	m.unsynced = append(m.unsynced, repr)
	if fault != nil {
		m.failed = fmt.Errorf("storage: %w: %w", ErrFailed, fault)
		return m.failed
	}
	if err := applyRepr(&m.now, repr); err != nil {
		return err
	}
	if sync {
		m.durable, m.unsynced = m.now.snapshot(), nil
	}
	return nil
}

// Snapshot implements Engine.
func (m *Memory) Snapshot() (Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(OpSnapshot, false); err != nil {
		return nil, err
	}
	return &memorySnapshot{m.now.snapshot(), m.rotten}, nil
}

// Close implements Engine. As with a disk, what is there can be opened again,
// with Crash or Clone.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed == nil {
		m.durable, m.unsynced = m.now.snapshot(), nil
		m.failed = fmt.Errorf("storage: %w", ErrClosed)
	}
	return nil
}

// Unsynced is the number of batches a crash could take.
func (m *Memory) Unsynced() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.unsynced)
}

// Crash ends this engine and returns it as it is opened after the crash: with
// everything that was durable and the oldest keep of the unsynced batches, for a
// prefix of the log may have reached the disk. keep nil keeps none.
func (m *Memory) Crash(keep func(unsynced int) int) *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	if keep != nil {
		n = min(max(keep(len(m.unsynced)), 0), len(m.unsynced))
	}
	state := m.durable.snapshot()
	for _, repr := range m.unsynced[:n] {
		// It was applied once already, or was whole when the fault struck.
		if err := applyRepr(&state, repr); err != nil {
			panic(err)
		}
	}
	if m.failed == nil {
		m.failed = fmt.Errorf("storage: crashed: %w", ErrClosed)
	}
	return &Memory{now: state.snapshot(), durable: state, rotten: m.rotten}
}

// Clone returns an engine with what this one shows now, all of it durable: a
// data directory copied by a careless operator, or a backup.
func (m *Memory) Clone() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Memory{now: m.now.snapshot(), durable: m.now.snapshot(), rotten: m.rotten}
}

// begin counts an operation and asks the fault.
func (m *Memory) begin(kind OpKind, sync bool) error {
	if m.failed != nil {
		return m.failed
	}
	m.ops++
	if m.fault == nil {
		return nil
	}
	return m.fault(Op{Kind: kind, N: m.ops, Sync: sync})
}

// applyRepr applies a batch; the map keeps parts of repr.
func applyRepr(m *ordered, repr []byte) error {
	r := batchrepr.Read(repr)
	for {
		kind, key, val, ok, err := r.Next()
		if err != nil {
			return fmt.Errorf("storage: batch: %w", err)
		}
		if !ok {
			return nil
		}
		switch kind {
		case pebble.InternalKeyKindSet:
			m.set(key, val)
		case pebble.InternalKeyKindDelete:
			m.delete(key)
		case pebble.InternalKeyKindRangeDelete:
			m.deleteRange(key, val)
		}
	}
}
