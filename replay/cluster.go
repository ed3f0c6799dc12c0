package replay

import (
	"math"

	"github.com/openclaw/clawd/mlrefill"
	"github.com/openclaw/clawd/ratelimit"
)

// cluster is the nodes of the adaptive policy. Each has a part of the pool as a
// bucket of its own, a guarantee bucket and a record for each agent that it met,
// and hears of the others at each merge and never in between.
type cluster struct {
	load  *Load
	opts  *Options
	model *mlrefill.Model
	fair  []float64 // guarantee of each agent, requests a second

	capacity  *mlrefill.Capacity
	nodes     []*node
	depths    mlrefill.Depths
	before    float64 // allowed queue delay of the last window: it takes a while to go
	saturated bool
	lastFed   int64
}

// node is one peer.
type node struct {
	c      *cluster
	id     int
	view   *ratelimit.View
	agents []*agentAt
	met    []int32 // agents that were ever seen here

	limit         ratelimit.Limit
	bucket        ratelimit.Bucket
	floor         [3]int64 // by tier, µtok
	use           mlrefill.Use
	rate          float64 // part of Ĝ
	ghat          float64
	depth, shaped float64 // what may wait, over the share of it: now, and as limit and floors are made for
	scale         float64 // of the guarantees: Ĝ over what was promised

	shares  *mlrefill.Shares
	demand  mlrefill.Hot
	planner mlrefill.Planner
	claims  []mlrefill.Claim

	offered, admitted float64 // since the last merge
	entry             mlrefill.Entry
}

// agentAt is an agent as one node sees it.
type agentAt struct {
	record mlrefill.Record
	own    ratelimit.Bucket
	limit  ratelimit.Limit
	scale  float64 // that the limit is made for
	max    ratelimit.Bucket
	most   ratelimit.Limit
	rate   float64 // planned
	news   int64   // µtok of the own bucket consumed since the last merge
}

func newCluster(l *Load, o *Options, m *mlrefill.Model) *cluster {
	c := &cluster{load: l, opts: o, model: m, capacity: mlrefill.NewCapacity(o.Believed), depths: mlrefill.NewDepths(o.Nodes), lastFed: start}
	c.fair = shares(l)
	for i := range c.fair {
		c.fair[i] *= o.Believed
		if most := l.Agents[i].MaxRate; most > 0 {
			c.fair[i] = min(c.fair[i], most)
		}
	}
	ids := make([]uint64, o.Nodes)
	for i := range ids {
		ids[i] = uint64(i + 1)
	}
	for i := range ids {
		n := &node{c: c, id: i, agents: make([]*agentAt, len(l.Agents)), scale: 1, ghat: o.Believed, depth: c.depths.Factor(), use: mlrefill.Shared}
		if o.Nodes > 1 {
			n.view = &ratelimit.View{Members: o.Nodes}
			for range o.Nodes - 1 {
				n.view.Peers = append(n.view.Peers, ratelimit.NewPeer(uint64(len(n.view.Peers)), start))
			}
		}
		n.shares = mlrefill.NewShares(ids[i], ids)
		n.demand = mlrefill.NewHot(m, start, mlrefill.Jitter(o.Seed+uint64(i), "pool"))
		n.rate = n.shares.Part(o.Believed, false, o.Nodes)
		n.shape()
		n.bucket = ratelimit.NewBucket(start, &n.limit, nil)
		c.nodes = append(c.nodes, n)
	}
	return c
}

// shape makes limit and floors for the present part.
func (n *node) shape() {
	lender := mlrefill.NewLender(n.rate, n.delay(), 1, n.use)
	n.limit = limitOf(n.rate, lender.Depth)
	n.shaped = n.depth
	for t := range n.floor {
		n.floor[t] = int64(lender.Floor(mlrefill.Tier(t)) * ratelimit.Token)
	}
}

// delay is how long the requests of this node's part may wait.
func (n *node) delay() float64 { return n.c.opts.MaxDelay.Seconds() * n.depth }

// resize follows a change of the part.
func (n *node) resize(now int64, rate float64, use mlrefill.Use) {
	if rate == n.rate && use == n.use && n.depth == n.shaped {
		return
	}
	old := n.limit
	n.rate, n.use = rate, use
	n.shape()
	n.bucket.Relimit(now, &old, &n.limit, nil)
}

func (n *node) agent(i int32, now int64) *agentAt {
	a := n.agents[i]
	if a == nil {
		a = n.meet(i, now)
	}
	if a.scale != n.scale {
		old := a.limit
		a.limit, a.scale = guarantee(n.c.fair[i]*n.scale), n.scale
		a.own.Relimit(now, &old, &a.limit, n.view)
	}
	return a
}

func guarantee(rate float64) ratelimit.Limit { return limitOf(rate, mlrefill.GuaranteeDepth(rate, 1)) }

func (n *node) meet(i int32, now int64) *agentAt {
	agent := &n.c.load.Agents[i]
	a := &agentAt{
		record: mlrefill.NewRecord(n.c.model, now, mlrefill.Jitter(n.c.opts.Seed, agent.Name)),
		limit:  guarantee(n.c.fair[i] * n.scale), scale: n.scale, rate: n.c.fair[i],
	}
	a.own = ratelimit.NewBucket(now, &a.limit, n.view)
	if agent.MaxRate > 0 {
		a.most = limitOf(agent.MaxRate, max(1, agent.MaxRate*Tick.Seconds()))
		a.max = ratelimit.NewBucket(now, &a.most, nil)
	}
	n.agents[i] = a
	n.met = append(n.met, i)
	return a
}

// admit is what a node does at each request: the guarantee, the pool's bucket
// down to the floor of the tier, and the agent's maximum all have to agree.
func (c *cluster) admit(id int, agent int32, now int64) bool {
	n := c.nodes[id]
	a := n.agent(agent, now)
	n.demand.Observe(c.model, now, 1)
	a.record.Observe(c.model, now, 1)
	n.offered++
	tier := mlrefill.Borrowed
	switch {
	case a.own.Level(now, &a.limit, n.view) >= ratelimit.Token:
		tier = mlrefill.Guaranteed
	case a.record.Current() <= a.rate:
		tier = mlrefill.Planned
	}
	if a.most.RateDen > 0 && a.max.Level(now, &a.most, nil) < ratelimit.Token {
		return false
	}
	if n.bucket.Level(now, &n.limit, nil)-ratelimit.Token < n.floor[tier] {
		c.saturated = true
		return false
	}
	n.bucket.Admit(now, &n.limit, nil, ratelimit.Token)
	if tier == mlrefill.Guaranteed {
		a.own.Admit(now, &a.limit, n.view, ratelimit.Token)
		a.news += ratelimit.Token
	}
	if a.most.RateDen > 0 {
		a.max.Admit(now, &a.most, nil, ratelimit.Token)
	}
	n.admitted++
	return true
}

func (c *cluster) tick(now int64, down *downstream) {
	since := now - start
	if since%second == 0 && since > 0 {
		c.feedback(now, down)
	}
	if since > 0 && since%int64(c.opts.MergeInterval) == 0 {
		c.merge(now)
	}
	if since%second == 0 {
		for _, n := range c.nodes {
			n.plan(now)
		}
	}
}

// feedback hands on what a sidecar reports of the last second. All nodes hear it
// with their next merge; one alone at once.
func (c *cluster) feedback(now int64, down *downstream) {
	seconds := float64(now-c.lastFed) / second
	report := down.report(now-start, seconds, max(c.allowed(), c.before), c.saturated)
	c.saturated, c.lastFed, c.before = false, now, c.allowed()
	if c.opts.NoFeedback {
		return
	}
	delay := c.capacity.Report(report)
	c.depths.Report(delay, c.opts.MaxDelay.Seconds(), seconds)
	for _, n := range c.nodes {
		n.ghat = c.capacity.Rate()
		n.depth = c.depths.Factor()
		n.drain(now, delay)
	}
}

// allowed is how long requests wait at most as long as Ĝ is right.
func (c *cluster) allowed() float64 {
	longest := 0.0
	for _, n := range c.nodes {
		longest = max(longest, float64(n.limit.Capacity)/ratelimit.Token/n.rate)
	}
	return longest
}

// drain takes from the bucket what waits downstream beyond what it knows of.
func (n *node) drain(now int64, delay float64) {
	n.adopt(now)
	beyond := int64((delay - n.c.allowed()) * n.rate * ratelimit.Token)
	if beyond <= 0 {
		return
	}
	if debt := n.bucket.Level(now, &n.limit, nil) + beyond; debt > 0 {
		n.bucket.Charge(now, &n.limit, nil, debt)
	}
}

// adopt applies the present Ĝ and share.
func (n *node) adopt(now int64) {
	capacity := n.shares.Capacity(n.ghat)
	n.scale = min(capacity/n.c.opts.Believed, 1)
	n.resize(now, n.shares.Part(capacity, false, len(n.c.nodes)), n.use)
}

// merge is one anti-entropy round of all with all.
func (c *cluster) merge(now int64) {
	if len(c.nodes) == 1 {
		return
	}
	for _, n := range c.nodes {
		n.publish(now)
	}
	for _, n := range c.nodes {
		var tokens uint64
		for _, other := range c.nodes {
			if other != n {
				tokens += n.shares.Observe(other.entry)
				n.hear(other, now)
			}
		}
		n.adopt(now)
		n.bucket.Refund(now, &n.limit, nil, int64(min(tokens, math.MaxInt64)))
	}
	for _, n := range c.nodes {
		for _, i := range n.met {
			n.agents[i].news = 0
		}
		for _, p := range n.viewPeers() {
			p.Heard.Store(now)
		}
	}
}

func (n *node) viewPeers() []*ratelimit.Peer {
	if n.view == nil {
		return nil
	}
	return n.view.Peers
}

// hear applies the other's rows of agents that are known here.
func (n *node) hear(other *node, now int64) {
	slot := other.id
	if other.id > n.id {
		slot--
	}
	for _, i := range other.met {
		if news := other.agents[i].news; news > 0 && n.agents[i] != nil {
			a := n.agent(i, now)
			a.own.Observe(now, &a.limit, n.view, slot, news)
		}
	}
}

// publish writes this node's entry and lets go of what it gives away.
func (n *node) publish(now int64) {
	n.demand.Advance(n.c.model, now)
	f := n.demand.Expect()
	period := n.c.opts.MergeInterval.Seconds()
	d := mlrefill.Demand{
		Forecast: f.Mean, Deviation: f.Deviation, Protected: n.protected(now),
		Offered: n.offered / period, Admitted: n.admitted / period,
	}
	n.offered, n.admitted = 0, 0
	if n.c.opts.Parts == PartsEqual {
		return
	}
	level := n.bucket.Level(now, &n.limit, nil)
	var tokens uint64
	n.entry, tokens = n.shares.Publish(d, n.ghat, level)
	n.bucket.Charge(now, &n.limit, nil, int64(tokens))
	n.adopt(now)
}

// protected is how much of the expected demand is within guarantees.
func (n *node) protected(now int64) (sum float64) {
	for _, i := range n.met {
		a := n.agents[i]
		a.record.Advance(n.c.model, now)
		sum += min(a.record.Forecast().Mean, n.c.fair[i]*n.scale)
	}
	return sum
}

// plan sets the rates up to which agents are lent to before others.
func (n *node) plan(now int64) {
	n.claims = n.claims[:0]
	expected := 0.0
	for _, i := range n.met {
		a := n.agents[i]
		a.record.Advance(n.c.model, now)
		f := a.record.Forecast()
		expected += f.Mean
		g := n.c.fair[i] * n.scale
		n.claims = append(n.claims, mlrefill.Claim{
			Forecast: f.Mean, Bound: f.Bound, Weight: n.c.fair[i], Guarantee: g, Max: n.c.load.Agents[i].MaxRate,
			Static: g, Trust: a.record.Trust().Weight(), Rate: a.rate,
		})
	}
	n.planner.Plan(n.rate, n.claims)
	for k, i := range n.met {
		n.agents[i].rate = n.claims[k].Rate
	}
	n.resize(now, n.rate, n.useNow(expected))
}

func (n *node) useNow(expected float64) mlrefill.Use {
	switch {
	case len(n.met) == 1:
		return mlrefill.Lone
	case expected > n.rate:
		return mlrefill.Contended
	}
	return mlrefill.Shared
}
