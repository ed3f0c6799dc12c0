package replica

import (
	"slices"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/storage"
)

// Digest sums everything on disk that the vectors cover and collection will not
// take anyway. Two replicas with equal vectors have equal digests.
func (r *Replica) Digest(now Instant) (*antientropy.Digest, error) {
	view, err := r.synced.acquire(r.store)
	if err != nil {
		return nil, err
	}
	defer view.release()
	vectors, err := view.Vectors()
	if err != nil {
		return nil, err
	}
	stable, due := r.collectable(now)
	sums, err := view.Digest(storage.DigestFilter{
		Row: func(_ crdt.Kind, _ string, o crdt.Origin, row crdt.Row) bool {
			return row.Seq <= vectors[o].Seq && !r.rowDue(o, &row, stable, due)
		},
		Register: func(key string, reg crdt.Register) bool {
			// Claims expire all the time, so that no two instants have the same.
			return reg.Seq <= vectors[reg.Origin].Seq && !isClaim(key) && !r.expired(now, key, &reg)
		},
	})
	if err != nil {
		return nil, err
	}
	d := &antientropy.Digest{
		From: r.self, Vector: make(crdt.VersionVector, len(vectors)), Buckets: make([]antientropy.DigestBucket, 0, len(sums)),
	}
	for o, v := range vectors {
		if v.Seq > 0 && !due[o] {
			d.Vector[o] = v.Seq
		}
	}
	for i := range sums {
		d.Buckets = append(d.Buckets, antientropy.DigestBucket{Sum: sums[i].Sum, Count: sums[i].Count})
	}
	return d, nil
}

// AuditBucket emits every row and register of one digest bucket, one
// incomplete page or more an origin.
func (r *Replica) AuditBucket(now Instant, bucket int, emit func(*antientropy.Page) error) error {
	view, err := r.synced.acquire(r.store)
	if err != nil {
		return err
	}
	defer view.release()
	vectors, err := view.Vectors()
	if err != nil {
		return err
	}
	found, err := bucketEntries(view, bucket)
	if err != nil {
		return err
	}
	runs := r.runsCopy()
	for _, o := range sortedKeys(found) {
		run, known := runs[o]
		if !known {
			continue
		}
		entries := found[o]
		slices.SortFunc(entries, func(a, b crdt.Entry) int {
			if a.Seq() < b.Seq() {
				return -1
			}
			return 1
		})
		for chunk := range slices.Chunk(entries, antientropy.MaxPageEntries) {
			page := &antientropy.Page{
				Cluster: r.opts.Cluster, From: r.self, Clock: r.clock.Now(now.Wall),
				Run: run, Stable: vectors[o].Stable, Entries: chunk,
			}
			if err := emit(page); err != nil {
				return err
			}
		}
	}
	return nil
}

func bucketEntries(view *sharedView, bucket int) (map[crdt.Origin][]crdt.Entry, error) {
	found := make(map[crdt.Origin][]crdt.Entry)
	for _, kind := range crdt.RowKinds {
		err := view.Cells(kind, "", "", func(key string, c *storage.Cell) bool {
			if storage.BucketOf(kind, key) == bucket {
				for _, s := range c.Slots {
					found[s.Origin] = append(found[s.Origin], crdt.Entry{Kind: kind, Key: key, Row: s.Row})
				}
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	err := view.Registers("", "", func(key string, reg crdt.Register) bool {
		if storage.BucketOf(crdt.KindRegister, key) == bucket {
			found[reg.Origin] = append(found[reg.Origin], crdt.Entry{Kind: crdt.KindRegister, Key: key, Register: reg})
		}
		return true
	})
	return found, err
}

// MergeAudit joins what a peer has of a bucket that differs although the
// vectors are equal: something was lost here that the vector says is known.
// It answers how many entries were news; more than none means a bug or bit rot.
func (r *Replica) MergeAudit(now Instant, p *antientropy.Page) (repaired int, err error) {
	if p.Cluster != r.opts.Cluster {
		return 0, r.reject(antientropy.ErrForeignCluster)
	}
	if err := p.Check(); err != nil {
		return 0, r.reject(err)
	}
	_, due := r.collectable(now)
	r.merge.Lock()
	defer r.merge.Unlock()
	if p.Run.Origin == r.run || r.collected[p.Run.Origin] || due[p.Run.Origin] {
		return 0, nil
	}
	src := r.sourceOf(p, now)
	src.repair = true
	stable := max(p.Stable, r.recv.Vector(p.Run.Origin).Stable) // also of a run that is over: it was dropped by it before
	before := r.counters.merged.Load() + r.counters.registers.Load()
	for i := range p.Entries {
		e := &p.Entries[i]
		if e.Seq() > src.seq {
			continue // half a session of the peer's: nothing says that it should be here
		}
		if e.Kind != crdt.KindRegister && r.outdated(stable, &e.Row) ||
			e.Kind == crdt.KindRegister && r.expired(now, e.Key, &e.Register) {
			continue // collected here, or about to be
		}
		if err := r.join(now, src, e); err != nil {
			return 0, err
		}
	}
	repaired = int(r.counters.merged.Load() + r.counters.registers.Load() - before)
	r.counters.repaired.Add(uint64(repaired))
	return repaired, nil
}
