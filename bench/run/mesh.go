package main

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/node/replica"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

// mesh is a full mesh of replicas in this process, in virtual time: more nodes
// than a machine could run as processes. Its messages are real ones, in their
// wire form; its stores are memory.
type mesh struct {
	now   replica.Instant
	nodes []*replica.Replica
	store []*storage.Store
	wire  []byte
	meshMeasure
}

// meshMeasure is what went over the wire and what merging it took.
type meshMeasure struct {
	bytes, rows float64 // summed over receivers
	merging     time.Duration
}

func newMesh(n int) (*mesh, error) {
	m := &mesh{now: replica.Instant{Wall: 1_700_000_000_000, Mono: int64(time.Second)}}
	for i := range n {
		store, err := storage.New(storage.NewMemory())
		if err != nil {
			return nil, err
		}
		r, err := replica.Open(replica.Options{
			Cluster: "bench", Node: crdt.NodeID(i + 1), Name: fmt.Sprint("n", i+1), Run: crdt.Origin(i + 1), Store: store, Seed: 1,
			Default: ratelimit.Policy{Capacity: 1_000_000, RefillRate: ratelimit.Whole(1000), IntervalSeconds: ratelimit.Whole(1)},
		}, m.now)
		if err != nil {
			return nil, err
		}
		m.nodes, m.store = append(m.nodes, r), append(m.store, store)
	}
	for i, r := range m.nodes {
		var peers []replica.PeerStatus
		for k := range m.nodes {
			if k != i {
				peers = append(peers, replica.PeerStatus{Node: crdt.NodeID(k + 1), Run: crdt.Origin(k + 1), State: replica.PeerAlive})
			}
		}
		r.SetPeers(m.now, peers)
	}
	return m, nil
}

// tick lets 100 ms pass, in which each node admits calls of so many agents of
// its own, and has everybody flush and push.
func (m *mesh) tick(agents int) error {
	m.now.Wall += interval.Milliseconds()
	m.now.Mono += interval.Nanoseconds()
	var out replica.Outcome
	for i, r := range m.nodes {
		for a := range agents {
			q := replica.Request{Tenant: "default", Agent: fmt.Sprintf("tenant:agent-%02d-%05d", i, a), Tokens: ratelimit.Token}
			if err := r.Consume(m.now, &q, &out); err != nil {
				return err
			}
		}
	}
	for i := range m.nodes {
		if err := m.flush(i); err != nil {
			return err
		}
	}
	return nil
}

func (m *mesh) flush(i int) error {
	r := m.nodes[i]
	f := r.BeginFlush(m.now)
	err := m.store[i].Commit(f.Batch, true)
	r.EndFlush(f, m.now, err)
	if err != nil {
		return err
	}
	for _, page := range f.Pages {
		m.wire = page.Append(m.wire[:0])
		for k, peer := range m.nodes {
			if k == i {
				continue
			}
			m.bytes += float64(len(m.wire))
			m.rows += float64(len(page.Entries))
			began := threadCPU()
			got, err := antientropy.DecodePage(m.wire)
			if err != nil {
				return err
			}
			ack, err := peer.MergePush(m.now, got)
			if err != nil {
				return err
			}
			m.merging += threadCPU() - began
			r.NoteAck(m.now, &ack)
		}
	}
	return nil
}

// threadCPU is what this thread has used, whatever else the machine does.
func threadCPU() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano())
}

// meshOf measures n nodes of which each has so many agents that change ten times
// a second.
func meshOf(n, agents, ticks int) (meshMeasure, error) {
	runtime.LockOSThread() // whose CPU time is read
	defer runtime.UnlockOSThread()
	m, err := newMesh(n)
	if err != nil {
		return meshMeasure{}, err
	}
	for range 3 { // agents become known, peers meet
		if err := m.tick(agents); err != nil {
			return meshMeasure{}, err
		}
	}
	m.meshMeasure = meshMeasure{}
	for range ticks {
		if err := m.tick(agents); err != nil {
			return meshMeasure{}, err
		}
	}
	return m.meshMeasure, nil
}
