package replica

import (
	"cmp"
	"maps"
	"slices"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/storage"
)

// PullRequest asks for everything this replica lacks.
func (r *Replica) PullRequest(now Instant) *antientropy.Pull {
	r.merge.Lock()
	defer r.merge.Unlock()
	return &antientropy.Pull{
		Cluster: r.opts.Cluster, Run: r.runs[r.run], Clock: r.clock.Now(now.Wall),
		Have: r.headerVector(r.recv.Version()), Durable: r.acknowledged(),
	}
}

// AnswerPull emits the pages the asking replica lacks, of all origins, from
// one synced view. emit must not keep a page's entries.
func (r *Replica) AnswerPull(now Instant, q *antientropy.Pull, emit func(*antientropy.Page) error) error {
	if q.Cluster != r.opts.Cluster {
		return r.reject(antientropy.ErrForeignCluster)
	}
	r.NoteAck(now, &antientropy.Ack{From: q.Run.Node, Clock: q.Clock, Durable: q.Durable})
	r.merge.Lock()
	if r.member.forgotten[q.Run.Node] {
		r.merge.Unlock()
		return r.reject(antientropy.ErrForgotten)
	}
	r.learnRun(q.Run)
	runs := maps.Clone(r.runs)
	collected := maps.Clone(r.collected)
	ragged := maps.Clone(r.ragged)
	r.merge.Unlock()

	if err := r.tellCollected(now, q, runs, collected, emit); err != nil {
		return err
	}
	view, err := r.synced.acquire(r.store)
	if err != nil {
		return err
	}
	defer view.release()
	vectors, err := view.Vectors()
	if err != nil {
		return err
	}
	for o := range ragged {
		vectors[o] = vectors[o] //nolint:staticcheck // makes a zero entry: rows of which no session was whole yet have no vector
	}
	for _, o := range deadFirst(sortedKeys(vectors), runs) {
		run, known := runs[o]
		if o == q.Run.Origin || collected[o] || !known {
			continue
		}
		v := vectors[o]
		head := antientropy.Page{
			Cluster: r.opts.Cluster, From: r.self, Clock: r.clock.Now(now.Wall), Run: run,
			Session: r.sessions.Add(1), FromSeq: q.Have[o],
		}
		if q.Have[o] > v.Seq {
			continue // the asking replica knows more
		}
		if err := r.scanOrigin(view, head, v, emit); err != nil {
			return err
		}
	}
	return nil
}

// deadFirst puts the runs that are over before the others: a page of a living run
// says that its node was heard, and what its earlier runs consumed must have
// claimed its share of what was thrown away meanwhile by then.
func deadFirst(origins []crdt.Origin, runs map[crdt.Origin]crdt.Run) []crdt.Origin {
	slices.SortStableFunc(origins, func(a, b crdt.Origin) int {
		switch da, db := runs[a].Sealed(), runs[b].Sealed(); {
		case da == db:
			return 0
		case da:
			return -1
		}
		return 1
	})
	return origins
}

// tellCollected tells the asking replica which of the runs it still has were
// collected here: as they are not in the vectors any more, it would wait for
// this node to acknowledge them.
func (r *Replica) tellCollected(now Instant, q *antientropy.Pull, runs map[crdt.Origin]crdt.Run, collected map[crdt.Origin]bool, emit func(*antientropy.Page) error) error {
	for _, o := range sortedKeys(q.Have) {
		run, known := runs[o]
		if !known || !collected[o] || o == q.Run.Origin {
			continue
		}
		err := emit(&antientropy.Page{
			Cluster: r.opts.Cluster, From: r.self, Clock: r.clock.Now(now.Wall), Run: run, Session: r.sessions.Add(1),
			FromSeq: q.Have[o], AfterSeq: q.Have[o], Upto: q.Have[o], Complete: true, Collected: true,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// scanOrigin pages one origin's changes after head.FromSeq.
func (r *Replica) scanOrigin(view *sharedView, head antientropy.Page, v storage.Vector, emit func(*antientropy.Page) error) error {
	g := antientropy.Pager{Head: head, Rows: r.opts.PageRows, Bytes: r.opts.PageBytes, Emit: emit}
	var failed error
	var rec storage.Cell
	err := view.Index(head.Run.Origin, head.FromSeq, func(seq uint64, kind crdt.Kind, key string) bool {
		e, ok, err := r.entryAt(view, &rec, head.Run.Origin, seq, kind, key)
		if err != nil {
			failed = err
			return false
		}
		if ok {
			failed = g.Add(e)
		}
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	return g.Close(v.Seq, v.Stable)
}

// entryAt reads what an index entry leads to. ok is false for an entry that
// was superseded or collected.
func (r *Replica) entryAt(view *sharedView, rec *storage.Cell, o crdt.Origin, seq uint64, kind crdt.Kind, key string) (e crdt.Entry, ok bool, err error) {
	if kind == crdt.KindRegister {
		reg, found, err := view.Register(key)
		if err != nil || !found || reg.Origin != o || reg.Seq != seq {
			return crdt.Entry{}, false, err
		}
		return crdt.Entry{Kind: kind, Key: key, Register: reg}, true, nil
	}
	found, err := view.Cell(kind, key, rec)
	if err != nil || !found {
		return crdt.Entry{}, false, err
	}
	row := rec.Slot(o)
	if row == nil || row.Seq != seq {
		return crdt.Entry{}, false, nil
	}
	return crdt.Entry{Kind: kind, Key: key, Row: *row}, true, nil
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
