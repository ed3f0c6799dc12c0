package replica

import (
	"testing"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/storage"
)

// FuzzMerge: whatever page decodes, the node takes or refuses it whole; it then
// flushes, answers and tells its digest as before.
func FuzzMerge(f *testing.F) {
	f.Add((&antientropy.Page{Cluster: "test", From: 7, Run: crdt.Run{Origin: 7, Node: 7}, Complete: true}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		page, err := antientropy.DecodePage(crdt.Seal(append([]byte{1}, b...), 0))
		if err != nil {
			if page, err = antientropy.DecodePage(b); err != nil {
				return
			}
		}
		page.Cluster = "test"
		now := Instant{Wall: 1_700_000_000_000, Mono: int64(time.Second)}
		store, err := storage.New(storage.NewMemory())
		if err != nil {
			t.Fatal(err)
		}
		r, err := Open(Options{Cluster: "test", Node: 1, Name: "n", Run: 1, Store: store, Default: perHour(1000), Idle: 24 * time.Hour, Seed: 1}, now)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time nothing is news
			_, mergeErr := r.MergePush(now, page)
			flush := r.BeginFlush(now)
			err := store.Commit(flush.Batch, true)
			r.EndFlush(flush, now, err)
			if err != nil {
				t.Fatalf("after %v: %v", mergeErr, err)
			}
			if _, err := r.Digest(now); err != nil {
				t.Fatalf("after %v: %v", mergeErr, err)
			}
			now.Wall += 100
			now.Mono += int64(100 * time.Millisecond)
			r.Tick(now)
		}
		for i := range page.Entries {
			if e := &page.Entries[i]; e.Kind == crdt.KindBucket {
				k, err := crdt.ParseBucketKey(e.Key)
				if err != nil {
					t.Fatalf("a page with the key %q was taken: %v", e.Key, err)
				}
				if _, err := r.Explain(now, &Request{Tenant: k.Tenant, Agent: k.Agent, Tokens: 1}); err != nil {
					t.Logf("%+v: %v", k, err)
				}
			}
		}
	})
}
