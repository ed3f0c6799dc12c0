package node

import (
	"cmp"
	"container/heap"
	"encoding/hex"
	"hash/maphash"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openclaw/clawd/api"
)

// topAgents finds the agents with the most admitted tokens in bounded memory.
//
// It is the Space-Saving sketch: a full table gives the place of its smallest
// entry to a newcomer, which inherits that count as its possible error. An
// agent whose share of the tokens exceeds 1/capacity is always in the table.
// Agents are spread over shards by hash, so that two rarely meet at one lock;
// an agent lives in one shard only, hence the best of all shards are the best.
type topAgents struct {
	seed   maphash.Seed
	shards [topShards]topShard
}

const topShards = 16

type topShard struct {
	mu      sync.Mutex
	limit   int
	entries map[agentName]*topEntry
	least   topHeap
	total   uint64 // everything ever added here, µtok
}

type agentName struct{ tenant, agent string }

// topEntry is one agent of the table. Amounts are µtok.
type topEntry struct {
	name  agentName
	count uint64 // never too low: gain plus what it inherited
	gain  uint64 // counted for this very agent since it entered the table
	other uint64 // part of gain that a scrape has reported as "other"
	told  uint64 // part of gain that a scrape has reported under its name
	index int    // in the heap
}

// newTopAgents keeps room to name n agents; n < 1 gives nil, which counts
// nothing.
func newTopAgents(n int) *topAgents {
	if n < 1 {
		return nil
	}
	t := &topAgents{seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].limit = 2 * n
		t.shards[i].entries = make(map[agentName]*topEntry)
	}
	return t
}

// add counts admitted µtok of an agent.
func (t *topAgents) add(tenant, agent string, amount uint64) {
	if t == nil {
		return
	}
	s := &t.shards[maphash.String(t.seed, agent)%topShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(agentName{tenant, agent}, amount)
}

func (s *topShard) add(name agentName, amount uint64) {
	s.total += amount
	e, ok := s.entries[name]
	switch {
	case ok:
		e.count += amount
		e.gain += amount
		heap.Fix(&s.least, e.index)
	case len(s.entries) < s.limit:
		e = &topEntry{name: name, count: amount, gain: amount}
		s.entries[name] = e
		heap.Push(&s.least, e)
	default:
		e = s.least[0]
		delete(s.entries, e.name)
		*e = topEntry{name: name, count: e.count + amount, gain: amount, index: e.index}
		s.entries[name] = e
		heap.Fix(&s.least, e.index)
	}
}

// rankedAgent is one line of the ranking. Tokens are µtok.
type rankedAgent struct {
	name  agentName
	count uint64
}

// best lists the n agents with the highest counts, highest first.
func (t *topAgents) best(n int) []rankedAgent {
	if t == nil {
		return nil
	}
	var all []rankedAgent
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, e := range s.least {
			all = append(all, rankedAgent{e.name, e.count})
		}
		s.mu.Unlock()
	}
	slices.SortFunc(all, byCount)
	return all[:min(n, len(all))]
}

// byCount orders by count, highest first, then by name so that the order is
// the same at each look.
func byCount(a, b rankedAgent) int {
	return cmp.Or(cmp.Compare(b.count, a.count),
		cmp.Compare(a.name.tenant, b.name.tenant), cmp.Compare(a.name.agent, b.name.agent))
}

// topHeap keeps the smallest count on top.
type topHeap []*topEntry

func (h topHeap) Len() int           { return len(h) }
func (h topHeap) Less(i, j int) bool { return h[i].count < h[j].count }
func (h topHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *topHeap) Push(x any) {
	e := x.(*topEntry)
	e.index = len(*h)
	*h = append(*h, e)
}

func (h *topHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}

// topCollector shows the sketch as openclaw_tokens_used_total.
//
// All of its series must only ever grow, or Prometheus takes a step down for a
// restart and adds the whole value again. So each µtok is reported once: as
// "other" while its agent is not named, under the name from then on. A named
// agent that falls out of the ranking loses its series, and starts a new one
// should it return.
type topCollector struct {
	top   *topAgents
	named int
	desc  *prometheus.Desc

	mu   sync.Mutex
	told uint64 // µtok ever reported under a name
}

const otherAgents = "other"

func newTopCollector(top *topAgents, named int) *topCollector {
	return &topCollector{top: top, named: named, desc: prometheus.NewDesc(
		"openclaw_tokens_used_total",
		"Tokens this node admitted, for its busiest agents; all others are summed as other.",
		[]string{"agent_id"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *topCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect implements prometheus.Collector.
func (c *topCollector) Collect(ch chan<- prometheus.Metric) {
	for agent, amount := range c.report() {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(amount)/microTokens, agent)
	}
}

// microTokens is how many µtok make a token.
const microTokens = 1_000_000

// report attributes what was admitted since the report before, and returns the
// value of each series in µtok.
func (c *topCollector) report() map[string]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	ranking := make(map[agentName]bool, c.named)
	for _, r := range c.top.best(c.named) {
		ranking[r.name] = true
	}
	series := map[string]uint64{otherAgents: 0}
	var total uint64
	for i := range c.top.shards {
		s := &c.top.shards[i]
		s.mu.Lock()
		total += s.total
		for _, e := range s.least {
			if ranking[e.name] {
				c.told += e.tell()
				series[e.name.label()] += e.told
			} else {
				e.other, e.told = e.gain, 0
			}
		}
		s.mu.Unlock()
	}
	series[otherAgents] += total - c.told
	return series
}

// tell moves the part of gain nobody has reported yet to the agent's name.
func (e *topEntry) tell() uint64 {
	news := e.gain - e.other - e.told
	e.told += news
	return news
}

// label is the agent as a label value, which must be UTF-8. The default tenant
// goes without saying.
func (n agentName) label() string {
	name := n.agent
	if n.tenant != api.DefaultTenant {
		name = n.tenant + "/" + n.agent
	}
	if utf8.ValidString(name) {
		return name
	}
	return "0x" + hex.EncodeToString([]byte(name))
}
