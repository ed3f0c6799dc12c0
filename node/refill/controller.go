package refill

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/openclaw/clawd/mlrefill"
	"github.com/openclaw/clawd/ratelimit"
)

// Options configures a Controller.
type Options struct {
	// Self is this node's identity; required.
	Self uint64
	// Seed spreads the recalibration of nodes and agents over the window.
	Seed uint64
	// Model is where forecasts start; nil = the one in the binary.
	Model *mlrefill.Model
}

// Controller is the adaptive side of one node. See the package comment.
type Controller struct {
	opts    Options
	model   *mlrefill.Model
	members atomic.Pointer[Members]
	jumped  atomic.Int64 // instant at which the process was found to have stood still

	pools atomic.Pointer[map[string]*Pool]
	mu    sync.Mutex // of who replaces pools and ledgers
	books map[string]book
	loose loose

	ticking  sync.Mutex
	lastTick int64
	planner  planner
	ticks    Ticks
}

// book is what is known of a pool's ledgers before, or without, the pool itself.
type book struct {
	version    uint64
	begin      Beginning
	statements map[uint64]heardStatement
}

type heardStatement struct {
	s        mlrefill.Statement
	at       int64
	restored bool
}

// Ticks is how long the last plan took and how many agents it was for.
type Ticks struct {
	Took   int64 // ns
	Agents int
	Count  uint64
	Jumps  uint64
}

// Members is who there is, as the caller's membership has it.
type Members struct {
	// Nodes are all members, this one included: neither left nor forgotten.
	Nodes []uint64
	// Ready are those of them that can be reached, this one included.
	Ready []uint64
	// Gone have left or were forgotten.
	Gone []uint64
	// Minority: this node sees less than half of the members.
	Minority bool
}

func (m *Members) count() int { return max(len(m.Nodes), 1) }

// New returns a controller without pools, alone.
func New(o Options) *Controller {
	c := &Controller{opts: o, model: o.Model, books: make(map[string]book)}
	if c.model == nil {
		c.model = mlrefill.NewModel(mlrefill.DefaultPrior())
	}
	c.members.Store(&Members{Nodes: []uint64{o.Self}, Ready: []uint64{o.Self}})
	c.pools.Store(&map[string]*Pool{})
	c.loose.init()
	return c
}

func (c *Controller) pool(id string) *Pool { return (*c.pools.Load())[id] }

// Pool finds a pool of a tenant by name; nil when there is none.
func (c *Controller) Pool(tenant, name string) *Pool { return c.pool(poolID(tenant, name)) }

// Pools lists the pools by tenant and name.
func (c *Controller) Pools() []*Pool {
	m := *c.pools.Load()
	list := make([]*Pool, 0, len(m))
	for _, id := range slices.Sorted(maps.Keys(m)) {
		list = append(list, m[id])
	}
	return list
}

// SetPool makes, changes or (with a nil spec) deletes a pool. It reports whether
// buckets have to be bound again: whether there is a pool of that name changed.
func (c *Controller) SetPool(now int64, tenant, name string, spec *ratelimit.Pool) (rebind bool) {
	id := poolID(tenant, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	have := c.pool(id)
	switch {
	case spec == nil && have == nil:
		return false
	case spec != nil && have != nil:
		have.configure(*spec, now)
		return false
	}
	next := maps.Clone(*c.pools.Load())
	if spec == nil {
		have.retired.Store(true)
		delete(next, id)
		c.keep(id, have)
	} else {
		p := newPool(c, tenant, name, *spec, now)
		c.open(p, now)
		next[id] = p
	}
	c.pools.Store(&next)
	return true
}

// keep remembers the ledger of a deleted pool: a pool of that name may come back.
func (c *Controller) keep(id string, p *Pool) {
	p.gate.Lock()
	defer p.gate.Unlock()
	b := c.books[id]
	if b.statements == nil {
		b.statements = make(map[uint64]heardStatement)
	}
	for _, s := range append(p.ledger.Peers(), p.ledger.Statement()) {
		b.statements[s.Node] = heardStatement{s: s, restored: true}
	}
	c.books[id] = b
}

// open gives a new pool what was heard of it before it.
func (c *Controller) open(p *Pool, now int64) {
	id := poolID(p.tenant, p.name)
	b := c.books[id]
	p.gate.Lock()
	p.ledger.Gone(c.members.Load().Gone)
	p.gate.Unlock()
	for _, node := range slices.Sorted(maps.Keys(b.statements)) {
		h := b.statements[node]
		p.hear(now, h.s, true)
	}
	if b.version != 0 {
		p.gate.Lock()
		p.ledger.Adopt(b.version, b.begin.Founders, b.begin.First)
		p.adoptLocked(now)
		p.gate.Unlock()
	}
	b.statements = nil
	c.books[id] = b
}

// maxBooks bounds what is remembered of pools that are not there.
const maxBooks = 4096

// SetLedger takes in the register that begins a ledger of a pool; version is the
// register's.
func (c *Controller) SetLedger(now int64, tenant, name string, version uint64, begin Beginning) {
	pool := poolID(tenant, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	b, known := c.books[pool]
	if version <= b.version || !known && len(c.books) >= maxBooks {
		return
	}
	b.version, b.begin = version, begin
	c.books[pool] = b
	if p := c.pool(pool); p != nil {
		p.gate.Lock()
		p.ledger.Adopt(version, begin.Founders, begin.First)
		p.adoptLocked(now)
		p.gate.Unlock()
	}
}

// HasLedger reports whether a ledger of the pool was ever begun.
func (c *Controller) HasLedger(tenant, name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.books[poolID(tenant, name)].version != 0
}

// HearStatement takes in what a node says of its part of a tenant's pool: the
// register of this name. restored says that it was on this node's disk at the start. It
// reports false for what cannot be one.
func (c *Controller) HearStatement(now int64, tenant, name string, value []byte, restored bool) bool {
	pool, node, ok := ParseStatementName(name)
	pool = poolID(tenant, pool)
	if !ok {
		return false
	}
	s, ok := parseStatement(value, node)
	if !ok {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.pool(pool); p != nil {
		p.hear(now, s, restored)
		return true
	}
	b, known := c.books[pool]
	if !known && len(c.books) >= maxBooks {
		return true
	}
	if b.statements == nil {
		b.statements = make(map[uint64]heardStatement)
	}
	if b.statements[node].s.Epoch < s.Epoch {
		b.statements[node] = heardStatement{s: s, at: now, restored: true}
	}
	c.books[pool] = b
	return true
}

// SetMembers takes in who there is.
func (c *Controller) SetMembers(now int64, m Members) {
	slices.Sort(m.Nodes)
	slices.Sort(m.Ready)
	slices.Sort(m.Gone)
	c.members.Store(&m)
	for _, p := range c.Pools() {
		p.gate.Lock()
		p.ledger.Gone(m.Gone)
		p.adoptLocked(now)
		p.gate.Unlock()
	}
}

// fresh tells whether what was heard at an instant still counts.
func (c *Controller) fresh(at, now int64) bool { return at != 0 && now-at < peerSilence }

// home is the flock an agent is listed in.
func (c *Controller) home(a *Agent) *flock {
	if a.pool != nil {
		return &a.pool.flock
	}
	return &c.loose.flock
}

func (c *Controller) list(a *Agent, now int64) {
	home := c.home(a)
	home.add(a)
	if a.pool != nil && home.size() > 1 {
		a.pool.crowd(now)
	}
}

// Write is what the other nodes are to be told: a register of this node.
type Write struct {
	Kind   Kind
	Tenant string
	Name   string
	Value  []byte
}

// Kind is which name space a Write belongs to.
type Kind int

// The kinds of a Write.
const (
	WriteStatement Kind = iota // of this node's part of a pool
	WriteLedger                // a ledger begins
	WriteRates                 // what this node expects of agents, and the rates it decided
)

// A tick is late when the process was suspended, or its clock jumped.
const (
	lateTick    = 5 * second
	jumpPenance = 30 * second
)

// hasJumped tells whether that was a short while ago.
func (c *Controller) hasJumped(now int64) bool {
	at := c.jumped.Load()
	return at != 0 && now < at+jumpPenance
}

// Tick does what is due about once a second and returns what the others are to be
// told. What is returned must be durable before it leaves this node.
func (c *Controller) Tick(now int64) (writes []Write) {
	c.ticking.Lock()
	defer c.ticking.Unlock()
	elapsed := now - c.lastTick
	if c.lastTick == 0 {
		elapsed = second
	}
	if elapsed <= 0 {
		return nil
	}
	if elapsed > lateTick {
		c.jumped.Store(now)
		c.ticks.Jumps++
	}
	c.lastTick = now
	c.ticks.Agents = 0
	for _, p := range c.Pools() {
		writes = p.tick(&c.planner, now, float64(elapsed)/float64(second), writes)
		c.ticks.Agents += p.shown.Agents
	}
	writes = c.loose.tick(c, now, writes)
	c.ticks.Count++
	return writes
}

func (p *Pool) tick(pl *planner, now int64, seconds float64, writes []Write) []Write {
	p.gate.Lock()
	p.feedbackLocked(now, seconds)
	p.adoptLocked(now)
	p.gate.Unlock()
	p.plan(pl, now)
	p.gate.Lock()
	defer p.gate.Unlock()
	served := p.rate
	if p.capacity.Congested() {
		served = min(served, p.fed.complete)
	}
	p.tuner.tick(now, p, served, seconds)
	s, due := p.publishLocked(now, seconds)
	p.window.seconds = seconds
	p.last, p.window = p.window, window{}
	if due {
		if value, err := encodeStatement(s); err == nil {
			writes = append(writes, Write{WriteStatement, p.tenant, StatementName(p.name, p.c.opts.Self), value})
		}
	}
	if b, ok := p.beginLocked(); ok {
		if value, err := EncodeBeginning(b); err == nil {
			writes = append(writes, Write{WriteLedger, p.tenant, p.name, value})
		}
	}
	return writes
}

// beginLocked says whether this node is to begin a new ledger: it is the first of
// those that can be reached, and there is none, or somebody who is gone for good
// holds a part of the present one.
func (p *Pool) beginLocked() (Beginning, bool) {
	m := p.c.members.Load()
	if m.Minority || len(m.Ready) == 0 || m.Ready[0] != p.c.opts.Self {
		return Beginning{}, false
	}
	first := p.ledger.Version() == 0
	if !first && !(p.ledger.Settled() && p.ledger.Lost()) {
		return Beginning{}, false
	}
	founders := slices.Clone(m.Nodes)
	for _, id := range p.ledger.Founders() {
		if !slices.Contains(m.Gone, id) && !slices.Contains(founders, id) {
			founders = append(founders, id)
		}
	}
	slices.Sort(founders)
	return Beginning{Founders: founders, First: first}, true
}
