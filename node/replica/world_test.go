package replica

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/antientropy"
	"github.com/openclaw/clawd/node/refill"
	"github.com/openclaw/clawd/ratelimit"
	"github.com/openclaw/clawd/storage"
)

const token = ratelimit.Token

// world is a few replicas in virtual time, with a network that the test plays.
type world struct {
	t     *testing.T
	now   Instant
	nodes []*host
	runs  uint64
	idle  time.Duration
	def   ratelimit.Policy
	plans bool // nodes have an adaptive side
}

// host is a node of the world: its disk outlives its process.
type host struct {
	w    *world
	id   crdt.NodeID
	disk *storage.Memory
	*Replica
	plan *refill.Controller
}

func perHour(capacity int64) ratelimit.Policy {
	return ratelimit.Policy{Capacity: capacity, RefillRate: ratelimit.Whole(capacity), IntervalSeconds: ratelimit.Whole(3600)}
}

func newWorld(t *testing.T, n int, def ratelimit.Policy) *world { return newWorldOf(t, n, def, false) }

func newWorldOf(t *testing.T, n int, def ratelimit.Policy, plans bool) *world {
	w := &world{t: t, plans: plans, now: Instant{Wall: 1_700_000_000_000, Mono: int64(time.Second)}, def: def, idle: 24 * time.Hour}
	for i := range n {
		h := &host{w: w, id: crdt.NodeID(i + 1), disk: storage.NewMemory()}
		w.nodes = append(w.nodes, h)
		h.start()
	}
	for _, h := range w.nodes {
		h.seePeers()
	}
	return w
}

func (h *host) start() {
	h.w.t.Helper()
	h.w.runs++
	store, err := storage.New(h.disk)
	if err != nil {
		h.w.t.Fatal(err)
	}
	if h.w.plans {
		h.plan = refill.New(refill.Options{Self: uint64(h.id), Seed: 1})
	}
	h.Replica, err = Open(Options{
		Cluster: "test", Node: h.id, Name: fmt.Sprint("n", h.id), Run: crdt.Origin(h.w.runs),
		Store: store, Default: h.w.def, Idle: h.w.idle, Seed: 1, Refill: h.plan,
	}, h.w.now)
	if err != nil {
		h.w.t.Fatal(err)
	}
	h.seePeers()
}

func (h *host) seePeers() {
	var list []PeerStatus
	for _, p := range h.w.nodes {
		if p.id != h.id && p.Replica != nil {
			list = append(list, PeerStatus{Node: p.id, Run: p.run, State: PeerAlive})
		}
	}
	h.SetPeers(h.w.now, list)
}

// crash loses what was not flushed and starts the node again.
func (h *host) crash() {
	h.disk = h.disk.Crash(func(int) int { return 0 })
	h.start()
}

func (w *world) pass(d time.Duration) {
	w.now.Wall += d.Milliseconds()
	w.now.Mono += d.Nanoseconds()
}

func (h *host) flush() *Flush {
	h.w.t.Helper()
	f := h.BeginFlush(h.w.now)
	err := h.store.Commit(f.Batch, true)
	h.EndFlush(f, h.w.now, err)
	if err != nil {
		h.w.t.Fatal(err)
	}
	return f
}

// flushTo flushes and pushes to the given peers.
func (h *host) flushTo(peers ...*host) {
	h.w.t.Helper()
	f := h.flush()
	pages := f.Pages
	if len(pages) == 0 {
		pages = []*antientropy.Page{h.IdlePage(h.w.now)}
	}
	for _, p := range peers {
		for _, page := range pages {
			if !h.push(p, page) {
				break
			}
		}
	}
}

// push sends a page through the wire form.
func (h *host) push(to *host, page *antientropy.Page) bool {
	h.w.t.Helper()
	got, err := antientropy.DecodePage(page.Append(nil))
	if err != nil {
		h.w.t.Fatal(err)
	}
	ack, err := to.MergePush(h.w.now, got)
	var gap *antientropy.GapError
	if errors.As(err, &gap) {
		return false
	}
	if err != nil {
		h.w.t.Fatal(err)
	}
	h.NoteAck(h.w.now, &ack)
	return true
}

func (h *host) pull(from *host) {
	h.w.t.Helper()
	q, err := antientropy.DecodePull(h.PullRequest(h.w.now).Append(nil))
	if err != nil {
		h.w.t.Fatal(err)
	}
	err = from.AnswerPull(h.w.now, q, func(p *antientropy.Page) error {
		got, err := antientropy.DecodePage(p.Append(nil))
		if err != nil {
			return err
		}
		return h.MergePulled(h.w.now, got)
	})
	if err != nil {
		h.w.t.Fatal(err)
	}
	ack := from.Ack(h.w.now)
	h.NoteAck(h.w.now, &ack)
}

// settle flushes and pulls until nothing more can be news.
func (w *world) settle() {
	w.t.Helper()
	for range 3 {
		for _, h := range w.nodes {
			h.flush()
		}
		for _, h := range w.nodes {
			for _, from := range w.nodes {
				if from != h {
					h.pull(from)
				}
			}
		}
		for _, h := range w.nodes {
			h.flush()
		}
	}
}

func (h *host) take(agent string, n int64) bool {
	h.w.t.Helper()
	var out Outcome
	if err := h.Consume(h.w.now, &Request{Tenant: "default", Agent: agent, Tokens: n * token}, &out); err != nil {
		h.w.t.Fatal(err)
	}
	for out.Again {
		h.flush()
		if err := h.Consume(h.w.now, &Request{Tenant: "default", Agent: agent, Tokens: n * token}, &out); err != nil {
			h.w.t.Fatal(err)
		}
	}
	return out.Decision.Allowed
}

func (h *host) view(agent string) AgentView {
	h.w.t.Helper()
	v, err := h.Explain(h.w.now, &Request{Tenant: "default", Agent: agent})
	if err != nil {
		h.w.t.Fatal(err)
	}
	return v
}

func (h *host) consumed(agent string) uint64 {
	return h.view(agent).Total.Consumed.Div64(token).Lo
}

func (h *host) level(agent string) int64 { return h.view(agent).Buckets[0].Level }

// sameEverywhere checks that all nodes agree on totals and digests.
func (w *world) sameEverywhere(agents ...string) {
	w.t.Helper()
	first, err := w.nodes[0].Digest(w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range w.nodes[1:] {
		d, err := h.Digest(w.now)
		if err != nil {
			w.t.Fatal(err)
		}
		for i := range d.Buckets {
			if d.Buckets[i] != first.Buckets[i] {
				w.t.Errorf("node %s: digest bucket %d differs", h.id, i)
			}
		}
		for _, a := range agents {
			if x, y := w.nodes[0].view(a).Total, h.view(a).Total; x != y {
				w.t.Errorf("agent %s: total %v at %s, %v at %s", a, x, w.nodes[0].id, y, h.id)
			}
		}
	}
}

func seeded(n uint64) *rand.Rand { return rand.New(rand.NewPCG(n, n)) }
