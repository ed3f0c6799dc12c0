package replica

import (
	"fmt"
	"testing"
	"time"

	"github.com/openclaw/clawd/crdt"
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

// BenchmarkMerge is the cost of one merged row of a hot agent.
func BenchmarkMerge(b *testing.B) {
	const rows = 4096
	r, names := benchReplica(b, rows)
	now := Instant{Wall: 1_700_000_000_000, Mono: int64(time.Second)}
	p := *r.IdlePage(now)
	p.From, p.Run = 2, crdt.Run{Origin: 2, Node: 2, Name: "m", Started: 1}
	var seq uint64
	n := 0
	for b.Loop() {
		p.FromSeq, p.AfterSeq, p.Entries = seq, seq, p.Entries[:0]
		for i, name := range names {
			seq++
			p.Entries = append(p.Entries, crdt.Entry{
				Kind: crdt.KindBucket, Key: crdt.BucketKey{Tenant: "default", Agent: name}.Encode(),
				Row: crdt.Row{Birth: uint64(i) + 1, Consumed: seq * token, TS: now.Wall, Seq: seq},
			})
		}
		p.Upto, p.Complete = seq, true
		if _, err := r.MergePush(now, &p); err != nil {
			b.Fatal(err)
		}
		now.Wall += 100
		now.Mono += int64(100 * time.Millisecond)
		r.EndFlush(r.BeginFlush(now), now, nil)
		n += rows
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/row")
}
