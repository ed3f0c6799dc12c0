package refill

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"github.com/openclaw/clawd/mlrefill"
)

// loose are the agents whose rate moves between the bounds of their policy
// without a pool. The rate of an agent is one schedule for the cluster with one
// writer: among the members that can be reached the one that rendezvous hashing
// picks. All nodes tell what they expect of their busy agents; the owner adds
// that up and decides; every receiver clips to the policy's bounds and falls back
// to the policy's rate when the decision is not renewed. Two owners in a
// partition can at worst both give max_rate.
type loose struct {
	flock
	epoch    uint64
	lastSent []byte
	sentAt   int64
	peers    map[uint64]*peerRates
	counters LooseTotals
	feeds    map[string]*agentFeed
}

// LooseTotals count for the metrics.
type LooseTotals struct {
	Agents, Raised, Lowered, Fallback int    // as of the last tick
	Expired                           uint64 // decisions that were not renewed in time
	Refused                           uint64 // statements that cannot be
}

// peerRates is what one peer said last.
type peerRates struct {
	epoch  uint64
	at     int64
	expect map[string]expectation
	rates  map[string]float64
}

// rates is the value of the register: what a node expects of agents, and what it
// decided.
type rates struct {
	Epoch  uint64        `json:"epoch"`
	Expect []expectation `json:"expect,omitempty"`
	Rates  []decision    `json:"rates,omitempty"`
}

type expectation struct {
	Agent []byte  `json:"agent"` // names need not be text
	Mean  float64 `json:"mean"`
	Bound float64 `json:"bound"`
	Trust float64 `json:"trust"`
}

type decision struct {
	Agent []byte  `json:"agent"`
	Rate  float64 `json:"rate"`
}

const (
	// maxRates bounds what one node tells of agents: the ones that want most.
	maxRates = 1024
	// ratesLife is how long a decision holds without being renewed.
	ratesLife = 5 * second
	// ratesRenew is how often decisions are renewed that have not changed.
	ratesRenew = 2 * second
	// hysteresis is how far a rate must move to be worth telling.
	hysteresis = 0.1
)

func (l *loose) init() {
	l.byName = make(map[string]*Agent)
	l.peers = make(map[uint64]*peerRates)
	l.feeds = make(map[string]*agentFeed)
}

// RatesName is the name of the register in which node tells of agents.
func RatesName(node uint64) string { return strconv.FormatUint(node, 16) }

// HearRates takes in what a node says of agents. It reports false for what cannot
// be one.
func (c *Controller) HearRates(now int64, name string, value []byte) bool {
	node, err := strconv.ParseUint(name, 16, 64)
	if err != nil || node == 0 {
		return false
	}
	if node == c.opts.Self {
		return true
	}
	var r rates
	if json.Unmarshal(value, &r) != nil || len(r.Expect) > maxRates || len(r.Rates) > maxRates {
		return false
	}
	p := &peerRates{epoch: r.Epoch, at: now, expect: make(map[string]expectation), rates: make(map[string]float64)}
	for _, e := range r.Expect {
		if !usable(e.Mean) || !usable(e.Bound) || !usable(e.Trust) || e.Trust > 1 {
			return false
		}
		p.expect[string(e.Agent)] = e
	}
	for _, d := range r.Rates {
		if !usable(d.Rate) {
			return false
		}
		p.rates[string(d.Agent)] = d.Rate
	}
	l := &c.loose
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.peers[node]; !known && len(l.peers) >= maxPeers {
		return true
	}
	l.peers[node] = p
	return true
}

// maxPeers bounds the nodes that are listened to.
const maxPeers = 1024

func usable(x float64) bool { return x >= 0 && x <= math.MaxFloat32 }

// tick plans the agents without a pool and returns what the others are to know.
func (l *loose) tick(c *Controller, now int64, writes []Write) []Write {
	agents := l.active(func(a *Agent) bool {
		return a.pool == nil && a.policy.Policy.Pool == "" && now-a.lastSeen() < idleAfter
	})
	m := c.members.Load()
	l.forget(now)
	var expect []expectation
	var decided []decision
	totals := LooseTotals{Agents: len(agents)}
	jumped := c.hasJumped(now)
	for _, a := range agents {
		f, t := a.forecast(now)
		trust := t.Weight()
		if jumped {
			trust = 0
		}
		if trust == 0 && t.Fallback() {
			totals.Fallback++
		}
		static := a.policy.Policy.StaticRate()
		rate, source, ok := l.rateOf(c, a, m, f, trust, now)
		if ok { // this node decides
			if rate != static {
				decided = append(decided, decision{[]byte(a.name), rate})
			}
		}
		if f.Bound >= static/float64(2*m.count()) {
			expect = append(expect, expectation{[]byte(a.name), f.Mean, f.Bound, trust})
		}
		if t.Fallback() && source == SourcePolicy {
			source = SourceFallback
		}
		l.mu.Lock()
		a.shown = Shown{Forecast: f, Trust: t, Source: source, Considered: true}
		l.mu.Unlock()
		a.publish(rate, now)
		switch {
		case rate > static*1.001:
			totals.Raised++
		case rate < static*0.999:
			totals.Lowered++
		}
	}
	l.mu.Lock()
	totals.Expired, totals.Refused = l.counters.Expired, l.counters.Refused
	l.counters = totals
	l.mu.Unlock()
	if m.count() == 1 {
		return writes
	}
	if value := l.statement(expect, decided, now); value != nil {
		writes = append(writes, Write{WriteRates, "", RatesName(c.opts.Self), value})
	}
	return writes
}

// rateOf is the rate of an agent by now: this node's decision when it owns the
// agent, else the owner's as long as it holds, else the policy's.
func (l *loose) rateOf(c *Controller, a *Agent, m *Members, f mlrefill.Forecast, trust float64, now int64) (rate float64, source string, own bool) {
	p := &a.policy.Policy
	static := p.StaticRate()
	owner := rendezvous(m.Ready, a.name)
	if owner != c.opts.Self && owner != 0 {
		l.mu.Lock()
		peer := l.peers[owner]
		l.mu.Unlock()
		rate, source = static, SourcePolicy
		if peer != nil && now-peer.at < ratesLife {
			if r, decided := peer.rates[a.name]; decided {
				rate, source = r, SourceOwner
			}
		}
		return l.clip(a, rate, now), source, false
	}
	claim := mlrefill.Claim{
		Forecast: f.Mean, Bound: f.Bound, Guarantee: p.LeastRate(), Max: p.MostRate(), Static: static,
		Trust: trust, Rate: a.plannedRate(),
	}
	l.mu.Lock()
	for _, peer := range l.peers {
		if e, ok := peer.expect[a.name]; ok && now-peer.at < ratesLife {
			claim.Forecast += e.Mean
			claim.Bound += e.Bound
			claim.Trust = max(claim.Trust, e.Trust)
		}
	}
	l.mu.Unlock()
	rate, source = claim.Alone(), SourcePlan
	if prev := a.plannedRate(); m.count() > 1 && math.Abs(rate-prev) <= hysteresis*static && rate != static {
		rate = prev
	}
	rate = l.clip(a, rate, now)
	if m.count() > 1 && math.Abs(rate-static) <= hysteresis*static {
		rate = static // too little to be told, so nobody uses it
	}
	if rate == static {
		source = SourcePolicy
	}
	return rate, source, true
}

// clip bounds a rate by the policy, and by what the agent's own downstream was
// reported to take.
func (l *loose) clip(a *Agent, rate float64, now int64) float64 {
	p := &a.policy.Policy
	if limit, ok := l.taken(a.name, now); ok {
		rate = min(rate, limit)
	}
	return min(max(rate, p.LeastRate()), p.MostRate())
}

// rendezvous picks the node with the highest hash of node and agent.
func rendezvous(nodes []uint64, agent string) (owner uint64) {
	var best uint64
	for _, id := range nodes {
		if h := hash(id, agent); owner == 0 || h > best {
			owner, best = id, h
		}
	}
	return owner
}

func hash(node uint64, s string) uint64 {
	h := node ^ 0xcbf29ce484222325
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	h ^= h >> 32
	h *= 0x9e3779b97f4a7c15
	return h ^ h>>29
}

// statement is the register's value when it has to be written, else nil.
func (l *loose) statement(expect []expectation, decided []decision, now int64) []byte {
	slices.SortFunc(expect, func(a, b expectation) int {
		return cmp.Or(cmp.Compare(b.Bound, a.Bound), bytes.Compare(a.Agent, b.Agent))
	})
	slices.SortFunc(decided, func(a, b decision) int {
		return cmp.Or(cmp.Compare(b.Rate, a.Rate), bytes.Compare(a.Agent, b.Agent))
	})
	r := rates{Expect: expect[:min(len(expect), maxRates)], Rates: decided[:min(len(decided), maxRates)]}
	same, err := json.Marshal(r)
	if err != nil {
		return nil
	}
	empty := len(r.Expect) == 0 && len(r.Rates) == 0
	if empty && len(l.lastSent) == 0 || bytes.Equal(same, l.lastSent) && now-l.sentAt < ratesRenew {
		return nil
	}
	l.epoch++
	l.lastSent, l.sentAt = same, now
	if empty {
		l.lastSent = nil
	}
	r.Epoch = l.epoch
	value, err := json.Marshal(r)
	if err != nil {
		return nil
	}
	return value
}

// forget drops what peers said too long ago.
func (l *loose) forget(now int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for node, p := range l.peers {
		if now-p.at > peerSilence {
			delete(l.peers, node)
			if len(p.rates) > 0 {
				l.counters.Expired++
			}
		}
	}
	for name, f := range l.feeds {
		if now-f.heard > agentFeedLife {
			delete(l.feeds, name)
		}
	}
}
