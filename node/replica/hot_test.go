package replica

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

// twins are two replicas that get the same calls: one keeps everything in
// memory, the other puts out whatever it may after each flush.
type twins struct {
	now        Instant
	roomy      *Replica
	cramped    *Replica
	perSecond  int64
	everPutOut uint64
}

func newTwins(t *rapid.T, perSecond int64) *twins {
	w := &twins{now: Instant{Wall: 1_700_000_000_000, Mono: int64(time.Second)}, perSecond: perSecond}
	w.roomy, w.cramped = w.open(t, 1000), w.open(t, 1)
	return w
}

func (w *twins) open(t *rapid.T, hot int) *Replica {
	store, err := storage.New(storage.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	policy := ratelimit.Policy{Name: "p", Capacity: 50, RefillRate: ratelimit.Decimal(w.perSecond * ratelimit.Token), IntervalSeconds: ratelimit.Token}
	r, err := Open(Options{Cluster: "c", Node: 1, Name: "n", Run: 1, Store: store, Default: policy, HotCells: hot, Shards: 2, Seed: 1}, w.now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// both makes a call on either, and compares what they say.
func (w *twins) both(t *rapid.T, what string, call func(r *Replica) string) {
	if a, b := call(w.roomy), call(w.cramped); a != b {
		t.Fatalf("%s: %s in memory, %s from disk", what, a, b)
	}
}

// flush flushes both; what is done meanwhile waits for the next one.
func (w *twins) flush(t *rapid.T, meanwhile func()) {
	replicas := []*Replica{w.roomy, w.cramped}
	var flushes []*Flush
	for _, r := range replicas {
		flushes = append(flushes, r.BeginFlush(w.now))
	}
	meanwhile()
	for i, r := range replicas {
		if err := r.store.Commit(flushes[i].Batch, true); err != nil {
			t.Fatal(err)
		}
		r.EndFlush(flushes[i], w.now, nil)
	}
	w.everPutOut = w.cramped.counters.evicted.Load()
}

func (w *twins) pass(ms int64) {
	w.now.Wall += ms
	w.now.Mono += ms * int64(time.Millisecond)
}

func (w *twins) consume(t *rapid.T, what string, q *Request) {
	w.both(t, what+": consume", func(r *Replica) string {
		var out Outcome
		err := r.Consume(w.now, q, &out)
		return fmt.Sprint(out.Decision, err)
	})
}

// Being put out of memory and read again is not to be seen in any answer. The
// clock moves by whole milliseconds and the rates are whole µtok in each: below
// that, a record on disk has no time.
func TestEvictionIsInvisible(t *testing.T) {
	var putOut uint64
	rapid.Check(t, func(t *rapid.T) {
		w := newTwins(t, rapid.SampledFrom([]int64{1, 7, 1000}).Draw(t, "rate"))
		agent := rapid.SampledFrom([]string{"a", "b", "c", "d", "a-name-that-is-too-long-for-the-cell-itself-and-lives-beside-it"})
		for i := range rapid.IntRange(10, 120).Draw(t, "steps") {
			q := &Request{Tenant: "t", Agent: agent.Draw(t, "agent"), Tokens: token * int64(rapid.IntRange(1, 50).Draw(t, "tokens"))}
			what := fmt.Sprintf("step %d, %s", i, q.Agent)
			switch rapid.IntRange(0, 9).Draw(t, "call") {
			case 0:
				w.both(t, what+": refund", func(r *Replica) string {
					given, out, err := r.Refund(w.now, q)
					return fmt.Sprint(given, out.Decision, err)
				})
			case 1:
				w.both(t, what+": reset", func(r *Replica) string {
					_, err := r.ResetAgent(w.now, q.Tenant, q.Agent)
					return fmt.Sprint(err)
				})
			case 2:
				w.both(t, what+": delete", func(r *Replica) string {
					_, err := r.DeleteAgent(w.now, q.Tenant, q.Agent)
					return fmt.Sprint(err)
				})
			case 3:
				w.both(t, what+": explain", func(r *Replica) string {
					v, err := r.Explain(w.now, q)
					return fmt.Sprint(v.Total, v.WouldAllow, v.RetryAfter, v.Buckets[0].Level, err)
				})
			case 4:
				w.flush(t, func() {})
			case 5:
				w.flush(t, func() { // a slow disk
					w.consume(t, what, q)
					w.pass(1500)
				})
			default:
				w.consume(t, what, q)
			}
			w.pass(rapid.SampledFrom([]int64{0, 1, 40, 1500, 30_000}).Draw(t, "ms"))
		}
		putOut += w.everPutOut
	})
	if putOut == 0 {
		t.Error("nothing was ever put out of memory: the test shows nothing")
	}
}

// What waits for a flush or is in debt stays in memory, however crowded.
func TestDebtorsStayInMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newTwins(t, 1)
		r := w.cramped
		consume := func(agent string) { w.consume(t, agent, &Request{Tenant: "t", Agent: agent, Tokens: token}) }
		consume("debtor")
		key := appendCellKey(nil, 'b', "t\x00debtor\x00\x00")
		sh, hash := r.locate(key)
		c := sh.find(hash, key)
		c.bucket.Charge(w.now.Mono, c.limit(), r.view.Load(), 90*token)
		for i := range 20 {
			w.pass(1100)
			consume(fmt.Sprint("other", i))
			w.flush(t, func() {})
			if sh.find(hash, key) == nil {
				t.Fatalf("put out of memory in debt, %d s after it was used", i+1)
			}
		}
		w.pass(60_000)
		for i := range 20 { // the hand comes by
			consume(fmt.Sprint("later", i))
			w.flush(t, func() {})
			w.pass(1100)
		}
		if sh.find(hash, key) != nil {
			t.Fatal("who has paid goes")
		}
	})
}
