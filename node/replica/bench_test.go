package replica

import (
	"fmt"
	"testing"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/storage"
)

func benchReplica(b *testing.B, agents int) (*Replica, []string) {
	names := agentNamesFor(agents)
	return benchReplicaOf(b, names), names
}

func agentNamesFor(agents int) []string {
	names := make([]string, agents)
	for i := range names {
		names[i] = fmt.Sprintf("agent:%07d", i)
	}
	return names
}

// benchReplicaOf has used each of the agents once.
func benchReplicaOf(b *testing.B, names []string) *Replica {
	store, err := storage.New(storage.NewMemory())
	if err != nil {
		b.Fatal(err)
	}
	now := Instant{Wall: 1_700_000_000_000, Mono: int64(time.Second)}
	r, err := Open(Options{Cluster: "bench", Node: 1, Name: "n", Run: 1, Store: store, Default: perHour(1_000_000_000), Seed: 1}, now)
	if err != nil {
		b.Fatal(err)
	}
	var out Outcome
	for _, name := range names {
		if err := r.Consume(now, &Request{Tenant: "default", Agent: name, Tokens: token}, &out); err != nil {
			b.Fatal(err)
		}
	}
	return r
}

// BenchmarkFlush is the cost of one flushed row, without the disk's fsync.
func BenchmarkFlush(b *testing.B) {
	for _, engine := range []string{"capture", "pebble"} {
		b.Run(engine, func(b *testing.B) {
			const rows = 5000
			r, names := benchReplica(b, rows)
			if engine == "pebble" {
				store, err := storage.OpenPebble(b.TempDir(), storage.Options{})
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = store.Close() }()
				r.store = store
			}
			now := Instant{Wall: 1_700_000_000_000, Mono: int64(time.Second)}
			var out Outcome
			n := 0
			before := cpuTime(b)
			for b.Loop() {
				for _, name := range names {
					if err := r.Consume(now, &Request{Tenant: "default", Agent: name, Tokens: token}, &out); err != nil {
						b.Fatal(err)
					}
				}
				now.Wall += 100
				now.Mono += int64(100 * time.Millisecond)
				f := r.BeginFlush(now)
				if engine == "pebble" {
					if err := r.store.Commit(f.Batch, false); err != nil {
						b.Fatal(err)
					}
				}
				r.EndFlush(f, now, nil)
				n += rows
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/row")
			b.ReportMetric(float64(cpuTime(b)-before)/float64(n), "cpu-ns/row")
		})
	}
}

// BenchmarkMerge is the cost of one merged row of an agent in memory: reading it
// off the wire and joining it (join), and that with the flush that makes it
// durable (pebble, without the disk's fsync). Pages are those of a peer on which
// each agent consumes now and then.
func BenchmarkMerge(b *testing.B) {
	for _, engine := range []string{"join", "pebble"} {
		b.Run(engine, func(b *testing.B) {
			const rows = 4096
			r, names := benchReplica(b, rows)
			if engine == "pebble" {
				store, err := storage.OpenPebble(b.TempDir(), storage.Options{})
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = store.Close() }()
				r.store = store
			}
			now := Instant{Wall: 1_700_000_000_000, Mono: int64(time.Second)}
			var used time.Duration
			var bytes, seq uint64
			n := 0
			for b.Loop() {
				page := peerPage(r, now, names, &seq)
				bytes += uint64(len(page))
				began := cpuTime(b)
				p, err := antientropy.DecodePage(page)
				if err == nil {
					_, err = r.MergePush(now, p)
				}
				if engine == "join" {
					used += cpuTime(b) - began
				}
				if err != nil {
					b.Fatal(err)
				}
				now.Wall += 100
				now.Mono += int64(100 * time.Millisecond)
				f := r.BeginFlush(now)
				if engine == "pebble" {
					err = r.store.Commit(f.Batch, false)
				}
				r.EndFlush(f, now, err)
				if engine == "pebble" {
					used += cpuTime(b) - began
				}
				n += rows
			}
			b.ReportMetric(float64(used)/float64(n), "cpu-ns/row")
			b.ReportMetric(float64(bytes)/float64(n), "wire-B/row")
		})
	}
}

// peerPage is a page of a peer on which each agent consumed once more.
func peerPage(r *Replica, now Instant, names []string, seq *uint64) []byte {
	p := *r.IdlePage(now)
	p.From, p.Run = 2, crdt.Run{Origin: 2, Node: 2, Name: "m", Started: 1}
	p.FromSeq, p.AfterSeq = *seq, *seq
	for i, name := range names {
		*seq++
		p.Entries = append(p.Entries, crdt.Entry{
			Kind: crdt.KindBucket, Key: crdt.BucketKey{Tenant: "default", Agent: name}.Encode(),
			Row: crdt.Row{Birth: uint64(i) + 1, Consumed: *seq * token, TS: now.Wall, Seq: *seq},
		})
	}
	p.Upto, p.Complete = *seq, true
	return p.Append(nil)
}

// BenchmarkFirstTouch is the first decision about an agent that is only on disk.
func BenchmarkFirstTouch(b *testing.B) {
	const agents = 200_000
	store, err := storage.OpenPebble(b.TempDir(), storage.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	now := Instant{Wall: 1_700_000_000_000, Mono: int64(time.Second)}
	r, err := Open(Options{Cluster: "bench", Node: 1, Name: "n", Run: 1, Store: store, Default: perHour(1_000_000_000), Seed: 1, HotCells: 1}, now)
	if err != nil {
		b.Fatal(err)
	}
	flush := func() {
		now.Wall += 2000
		now.Mono += int64(2 * time.Second)
		f := r.BeginFlush(now)
		r.EndFlush(f, now, store.Commit(f.Batch, false))
	}
	var out Outcome
	for i, name := range agentNamesFor(agents) {
		if err := r.Consume(now, &Request{Tenant: "default", Agent: name, Tokens: token}, &out); err != nil {
			b.Fatal(err)
		}
		if i%10_000 == 9999 {
			flush()
		}
	}
	names, rng := agentNamesFor(agents), seeded(1)
	var used time.Duration
	n := 0
	for b.Loop() {
		for r.Stats(now).Hot > agents/100 { // those touched last
			flush()
		}
		began := cpuTime(b)
		for range 1000 {
			if err := r.Consume(now, &Request{Tenant: "default", Agent: names[rng.IntN(agents)], Tokens: token}, &out); err != nil {
				b.Fatal(err)
			}
		}
		used += cpuTime(b) - began
		n += 1000
	}
	b.ReportMetric(float64(used)/float64(n), "cpu-ns/touch")
}
