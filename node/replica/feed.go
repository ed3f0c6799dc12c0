package replica

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/storage"
)

// ErrToken: a resume token that no node has given out.
var ErrToken = errors.New("not a resume token")

// Change is a key that changed, with what it holds now.
type Change struct {
	Tenant  string
	Deleted bool // Entry has only the key
	Entry   KVEntry
}

func counterChange(c *cell) Change {
	k, err := crdt.ParseCounterKey(c.key())
	if err != nil {
		return Change{}
	}
	return Change{Tenant: k.Tenant, Entry: KVEntry{Key: k.Name, Counter: true, Number: clampInt64(c.total())}}
}

func registerChange(key string, reg crdt.Register) Change {
	k, err := crdt.ParseRegisterKey(key)
	if err != nil || k.Space != crdt.SpaceKV {
		return Change{}
	}
	if reg.Deleted {
		return Change{Tenant: k.Tenant, Deleted: true, Entry: KVEntry{Key: k.Name}}
	}
	return Change{Tenant: k.Tenant, Entry: entryOf(k.Name, reg)}
}

// feed keeps the changes of the latest flushes for watchers that keep up.
// Those that do not resume from the by-seq index, which forgets nothing.
type feed struct {
	mu     sync.Mutex
	first  uint64 // number of the oldest flush kept
	kept   []fedFlush
	size   int
	signal chan struct{} // closed and replaced with every flush that changed something
}

type fedFlush struct {
	version crdt.VersionVector // as of its end
	changes []Change
}

// maxFed bounds the changes kept, and with them the memory.
const maxFed = 8192

func (f *feed) init() { f.signal = make(chan struct{}) }

func (f *feed) append(changes []Change, version crdt.VersionVector) {
	kept := make([]Change, 0, len(changes))
	for _, c := range changes {
		if c.Entry.Key != "" {
			kept = append(kept, c)
		}
	}
	if len(kept) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = append(f.kept, fedFlush{version, kept})
	for f.size += len(kept); f.size > maxFed && len(f.kept) > 1; {
		f.size -= len(f.kept[0].changes)
		f.kept = f.kept[1:]
		f.first++
	}
	close(f.signal)
	f.signal = make(chan struct{})
}

// Watch follows the keys of a tenant with a prefix.
type Watch struct {
	r              *Replica
	tenant, prefix string
	version        crdt.VersionVector // everything up to it was delivered
	next           uint64             // flush to read next, when joined
	joined         bool               // reads the feed; else the index
	reset          bool               // begins with a full listing
}

// Watch begins a change stream: with an empty token from now, else from where
// the token was given out, on this node or another.
func (r *Replica) Watch(now Instant, tenant, prefix, token string) (*Watch, error) {
	w := &Watch{r: r, tenant: tenant, prefix: prefix}
	if token == "" {
		r.feed.mu.Lock()
		w.next, w.joined = r.feed.first+uint64(len(r.feed.kept)), true
		r.feed.mu.Unlock()
		r.merge.Lock()
		w.version = r.durableVV.Clone()
		r.merge.Unlock()
		return w, nil
	}
	version, at, err := decodeToken(token)
	if err != nil {
		return nil, err
	}
	w.version = version
	// Tombstones older than this may be gone, and with them the news of a deletion.
	w.reset = now.Wall-at > r.opts.Tombstones.Milliseconds()
	return w, nil
}

// Token resumes after everything delivered so far.
func (w *Watch) Token(now Instant) string { return encodeToken(w.version, now.Wall) }

// Batch is what Next delivers.
type Batch struct {
	Reset   bool // forget what you hold; the present content follows
	Changes []Change
	// Ready is closed when there may be more; nil when there is more already.
	Ready <-chan struct{}
}

// Next returns the changes since the last call; it never blocks.
func (w *Watch) Next(now Instant) (Batch, error) {
	if w.joined {
		if b, kept := w.fromFeed(); kept {
			return b, nil
		}
		w.joined = false // fell behind
	}
	return w.fromIndex(now)
}

func (w *Watch) fromFeed() (Batch, bool) {
	f := &w.r.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.next < f.first {
		return Batch{}, false
	}
	var b Batch
	for ; w.next < f.first+uint64(len(f.kept)); w.next++ {
		flush := f.kept[w.next-f.first]
		if w.version.Covers(flush.version) {
			continue // the index has shown it
		}
		for _, c := range flush.changes {
			if w.wants(c) {
				b.Changes = append(b.Changes, c)
			}
		}
		w.version = flush.version
	}
	b.Ready = f.signal
	return b, true
}

func (w *Watch) wants(c Change) bool {
	return c.Tenant == w.tenant && strings.HasPrefix(c.Entry.Key, w.prefix)
}

// fromIndex delivers what changed since the watch's version from the store,
// each key once, and joins the feed where the store ends.
func (w *Watch) fromIndex(now Instant) (Batch, error) {
	f := &w.r.feed
	f.mu.Lock()
	w.next, w.joined = f.first, true
	f.mu.Unlock()
	view, err := w.r.synced.acquire(w.r.store)
	if err != nil {
		return Batch{}, err
	}
	defer view.release()
	vectors, err := view.Vectors()
	if err != nil {
		return Batch{}, err
	}
	since := w.version
	if w.reset {
		since = nil
	}
	b := Batch{Reset: w.reset}
	version := make(crdt.VersionVector, len(vectors))
	for _, o := range sortedKeys(vectors) {
		version[o] = vectors[o].Seq
		if err := w.scan(now, view, o, since[o], &b); err != nil {
			return Batch{}, err
		}
	}
	w.version, w.reset = version, false
	return b, nil
}

func (w *Watch) scan(now Instant, view *sharedView, o crdt.Origin, after uint64, b *Batch) error {
	var failed error
	err := view.Index(o, after, func(seq uint64, kind crdt.Kind, key string) bool {
		var c Change
		if c, failed = w.changeAt(now, view, o, seq, kind, key); failed != nil {
			return false
		}
		if c.Entry.Key != "" && !(b.Reset && c.Deleted) {
			b.Changes = append(b.Changes, c)
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return err
}

func (w *Watch) changeAt(now Instant, view *sharedView, o crdt.Origin, seq uint64, kind crdt.Kind, key string) (Change, error) {
	switch kind {
	case crdt.KindRegister:
		k, err := crdt.ParseRegisterKey(key)
		if err != nil || k.Space != crdt.SpaceKV || k.Tenant != w.tenant || !strings.HasPrefix(k.Name, w.prefix) {
			return Change{}, nil
		}
		reg, found, err := view.Register(key)
		if err != nil || !found || reg.Origin != o || reg.Seq != seq {
			return Change{}, err
		}
		c := registerChange(key, reg)
		if !reg.Visible(now.Wall) && !c.Deleted {
			c = Change{Tenant: k.Tenant, Deleted: true, Entry: KVEntry{Key: k.Name}}
		}
		return c, nil
	case crdt.KindCounter:
		k, err := crdt.ParseCounterKey(key)
		if err != nil || k.Tenant != w.tenant || !strings.HasPrefix(k.Name, w.prefix) {
			return Change{}, nil
		}
		var rec storage.Cell
		found, err := view.Cell(kind, key, &rec)
		if err != nil || !found {
			return Change{}, err
		}
		return Change{Tenant: k.Tenant, Entry: KVEntry{Key: k.Name, Counter: true, Number: clampInt64(rec.Total)}}, nil
	}
	return Change{}, nil
}

// A token is a version vector and the time it was given out.
const tokenVersion = 0x51

func encodeToken(v crdt.VersionVector, wall int64) string {
	b := binary.AppendVarint([]byte{tokenVersion}, wall/int64(time.Hour/time.Millisecond))
	b = crdt.AppendVersionVector(b, v)
	return base64.RawURLEncoding.EncodeToString(crdt.Seal(b, 0))
}

func decodeToken(s string) (v crdt.VersionVector, wall int64, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil, 0, ErrToken
	}
	d, err := crdt.Open(b, tokenVersion)
	if err != nil {
		return nil, 0, ErrToken
	}
	wall = d.Varint() * int64(time.Hour/time.Millisecond)
	v = d.VersionVector()
	if d.End() != nil {
		return nil, 0, ErrToken
	}
	return v, wall, nil
}
