package api_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openclaw/clawd/access"
	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/ratelimit"
)

// double is a backend in memory whose time stands still: just enough for a handler to have something to answer.
type double struct {
	mu       sync.Mutex
	consumed map[string]int64 // whole tokens by bucket: agent, or agent + inline policy
	policies map[string]wire.Policy
	pools    map[string]wire.Pool
	reports  []api.Reported
	prices   map[string]wire.Price
	events   map[string]bool // usage events seen
	keys     map[string]api.Record
	writes   int // versions are counted
	calls    int // that changed something, or tried to

	fail    error // what every call returns, if set
	panics  bool
	live    error
	checks  []wire.HealthCheck
	changes chan api.Change
	token   string // what WatchKeys was asked to resume from

	apiKeys map[string]wire.APIKey
	tenants map[string]wire.Tenant

	merged api.PeerRequest
	answer func(io.Writer) error
	gap    []byte
}

func newDouble() *double {
	return &double{
		consumed: map[string]int64{},
		policies: map[string]wire.Policy{},
		pools:    map[string]wire.Pool{},
		prices:   map[string]wire.Price{},
		events:   map[string]bool{},
		keys:     map[string]api.Record{},
		apiKeys:  map[string]wire.APIKey{},
		tenants:  map[string]wire.Tenant{},
		changes:  make(chan api.Change, 100),
		checks: []wire.HealthCheck{
			{Name: "store", Status: wire.HealthOK},
			{Name: "disk", Status: wire.HealthDegraded, Detail: "4 % left"},
		},
	}
}

var (
	_ api.PublicBackend = (*double)(nil)
	_ api.PeerBackend   = (*double)(nil)
)

// enter is what every call begins with. Its result releases the lock.
func (d *double) enter(change bool) (func(), error) {
	d.mu.Lock()
	if d.panics {
		d.mu.Unlock()
		panic("planted")
	}
	if change {
		d.calls++
	}
	return d.mu.Unlock, d.fail
}

func thousandAnHour() wire.Policy {
	return wire.Policy{Name: "default", Capacity: 1000, RefillRate: ratelimit.Whole(1000), IntervalSeconds: ratelimit.Whole(3600)}
}

// bucket finds the policy of a check and how much of it is gone.
func (d *double) bucket(c api.Check) (p wire.Policy, name, key string) {
	c.Agent = strings.Clone(c.Agent) // it may be the connection's buffer
	if c.Inline.Given {
		in := c.Inline.Policy
		p = wire.Policy{Capacity: in.Capacity, RefillRate: in.RefillRate, IntervalSeconds: in.IntervalSeconds}
		return p, "", fmt.Sprintf("%s|%v", c.Agent, in)
	}
	if p, ok := d.policies[c.Agent]; ok {
		return p, p.Name, c.Agent
	}
	return thousandAnHour(), "default", c.Agent
}

// decide answers a check without taking anything.
func (d *double) decide(c api.Check) (api.Decision, string, error) {
	p, name, key := d.bucket(c)
	if c.Tokens > p.Capacity {
		return api.Decision{}, "", api.Invalid("tokens", "is more than the capacity of %d", p.Capacity)
	}
	perToken := time.Duration(float64(p.IntervalSeconds) / float64(p.RefillRate) * float64(time.Second))
	gone := d.consumed[key]
	left := p.Capacity - gone
	dec := api.Decision{
		Allowed: c.Tokens <= left, Policy: name, Tokens: c.Tokens * ratelimit.Token, Capacity: p.Capacity * ratelimit.Token,
		Window: time.Duration(p.Capacity) * perToken,
	}
	if dec.Allowed {
		left -= c.Tokens
	} else {
		dec.RetryAfter = time.Duration(c.Tokens-left) * perToken
	}
	dec.Remaining = left * ratelimit.Token
	dec.Reset = time.Duration(p.Capacity-left) * perToken
	return dec, key, nil
}

func (d *double) Consume(_ context.Context, c api.Check) (api.Decision, error) {
	leave, err := d.enter(true)
	defer leave()
	if err != nil {
		return api.Decision{}, err
	}
	dec, key, err := d.decide(c)
	if dec.Allowed {
		d.consumed[key] += c.Tokens
	}
	return dec, err
}

func (d *double) ConsumeBatch(_ context.Context, checks []api.Check, atomic bool, out []api.Decision) (int, error) {
	leave, err := d.enter(true)
	defer leave()
	if err != nil {
		return 0, err
	}
	before := map[string]int64{}
	for i, c := range checks {
		if _, _, err := d.decide(c); err != nil {
			return 0, api.InvalidCheck(i, "tokens", "is more than the capacity")
		}
	}
	binding := -1
	for i, c := range checks {
		dec, key, _ := d.decide(c)
		if out[i] = dec; dec.Allowed {
			if _, seen := before[key]; !seen {
				before[key] = d.consumed[key]
			}
			d.consumed[key] += c.Tokens
		} else if binding < 0 || dec.RetryAfter > out[binding].RetryAfter {
			binding = i
		}
	}
	if atomic && binding >= 0 {
		for key, n := range before {
			d.consumed[key] = n
		}
		for i := range out {
			out[i].Allowed = false
		}
	}
	return binding, nil
}

func (d *double) Explain(_ context.Context, c api.Check) (wire.Agent, error) {
	leave, err := d.enter(false)
	defer leave()
	if err != nil {
		return wire.Agent{}, err
	}
	p, _, key := d.bucket(c)
	a := wire.Agent{
		Agent: c.Agent, Tenant: c.Tenant, Policy: p, PolicySource: ratelimit.SourceDefault,
		Level: p.Capacity - d.consumed[key], Limit: p.Capacity, Consumed: uint64(d.consumed[key]),
		Refill: wire.Refill{TokensPerSecond: 1000.0 / 3600, Source: "policy"},
	}
	if a.Consumed > 0 {
		a.Origins = []wire.Origin{{Node: "n1", Run: "00000000000000aa", Consumed: a.Consumed}}
	}
	if c.Tokens > 0 {
		dec, _, err := d.decide(c)
		if err != nil {
			return a, err
		}
		a.WouldAllow, a.RetryAfterMS = &dec.Allowed, dec.RetryAfter.Milliseconds()
	}
	return a, nil
}

// pageOf cuts a page out of sorted names.
func pageOf(names []string, p api.Page) (list []string, more bool) {
	slices.Sort(names)
	for _, n := range names {
		if n > p.After && strings.HasPrefix(n, p.Prefix) {
			if len(list) == p.Limit {
				return list, true
			}
			list = append(list, n)
		}
	}
	return list, false
}

func (d *double) summary(name string) wire.AgentSummary {
	n := d.consumed[name]
	return wire.AgentSummary{Agent: name, Tenant: api.DefaultTenant, Policy: "default", Level: 1000 - n, Limit: 1000, Consumed: uint64(n)}
}

func (d *double) ListAgents(_ context.Context, p api.Page) (list []wire.AgentSummary, more bool, err error) {
	leave, err := d.enter(false)
	defer leave()
	names, more := pageOf(keysOf(d.consumed), p)
	for _, n := range names {
		list = append(list, d.summary(n))
	}
	return list, more, err
}

func (d *double) TopAgents(_ context.Context, _ string, n int) (list []wire.AgentSummary, err error) {
	leave, err := d.enter(false)
	defer leave()
	for name := range d.consumed {
		s := d.summary(name)
		s.Admitted = s.Consumed
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b wire.AgentSummary) int { return cmp.Compare(b.Admitted, a.Admitted) })
	return list[:min(n, len(list))], err
}

func (d *double) Refund(_ context.Context, c api.Check) (wire.RefundResponse, error) {
	leave, err := d.enter(true)
	defer leave()
	p, _, key := d.bucket(c)
	n := min(c.Tokens, d.consumed[key])
	d.consumed[key] -= n
	return wire.RefundResponse{
		Agent: c.Agent, Tokens: c.Tokens, Refunded: n, Limit: p.Capacity, Remaining: p.Capacity - d.consumed[key],
	}, err
}

func (d *double) ResetAgent(_ context.Context, _, agent string) error {
	leave, err := d.enter(true)
	defer leave()
	d.consumed[agent] = 0
	return err
}

func (d *double) DeleteAgent(_ context.Context, _, agent string) error {
	leave, err := d.enter(true)
	defer leave()
	delete(d.consumed, agent)
	return err
}

func (d *double) Policy(_ context.Context, _, name string) (wire.Policy, string, error) {
	leave, err := d.enter(false)
	defer leave()
	p, ok := d.policies[name]
	if !ok && err == nil {
		err = fmt.Errorf("policy %q: %w", name, api.ErrNotFound)
	}
	return p, "v-" + name, err
}

func (d *double) ListPolicies(_ context.Context, p api.Page) (list []wire.Policy, more bool, err error) {
	leave, err := d.enter(false)
	defer leave()
	names, more := pageOf(keysOf(d.policies), p)
	for _, n := range names {
		list = append(list, d.policies[n])
	}
	return list, more, err
}

func (d *double) PutPolicy(_ context.Context, _ string, p wire.Policy, cond api.Condition) (api.Written, error) {
	leave, err := d.enter(true)
	defer leave()
	_, there := d.policies[p.Name]
	if err := errors.Join(err, cond.Check(there, "v-"+p.Name)); err != nil {
		return api.Written{}, err
	}
	d.policies[p.Name] = p
	return api.Written{Version: "v-" + p.Name, Created: !there}, nil
}

func (d *double) DeletePolicy(_ context.Context, _, name string, cond api.Condition) error {
	leave, err := d.enter(true)
	defer leave()
	if _, there := d.policies[name]; !there && err == nil {
		err = fmt.Errorf("policy %q: %w", name, api.ErrNotFound)
	}
	if err := errors.Join(err, cond.Check(true, "v-"+name)); err != nil {
		return err
	}
	delete(d.policies, name)
	return nil
}

func (d *double) Pool(_ context.Context, _, name string, top int) (wire.PoolState, string, error) {
	leave, err := d.enter(false)
	defer leave()
	p, ok := d.pools[name]
	if !ok && err == nil {
		err = fmt.Errorf("pool %q: %w", name, api.ErrNotFound)
	}
	s := wire.PoolState{Pool: p, Status: wire.PoolStatus{Nodes: []wire.PoolNode{}, Totals: wire.PoolTotals{Fallbacks: map[string]uint64{"warming_up": 1}}}}
	if top > 0 {
		s.Status.Top = []wire.PoolAgent{{Agent: "bot", Tenant: api.DefaultTenant, Rate: 5}}
		s.Status.Tuner = &wire.PoolTuner{Arms: []wire.TunerArm{{Headroom: 1, Depth: 1, Weight: 1}}}
	}
	return s, "v-" + name, err
}

func (d *double) ListPools(_ context.Context, p api.Page) (list []wire.Pool, more bool, err error) {
	leave, err := d.enter(false)
	defer leave()
	names, more := pageOf(keysOf(d.pools), p)
	for _, n := range names {
		list = append(list, d.pools[n])
	}
	return list, more, err
}

func (d *double) PutPool(_ context.Context, _ string, p wire.Pool, cond api.Condition) (api.Written, error) {
	leave, err := d.enter(true)
	defer leave()
	_, there := d.pools[p.Name]
	if err := errors.Join(err, cond.Check(there, "v-"+p.Name)); err != nil {
		return api.Written{}, err
	}
	d.pools[p.Name] = p
	return api.Written{Version: "v-" + p.Name, Created: !there}, nil
}

func (d *double) DeletePool(_ context.Context, _, name string, cond api.Condition) error {
	leave, err := d.enter(true)
	defer leave()
	if _, there := d.pools[name]; !there && err == nil {
		err = fmt.Errorf("pool %q: %w", name, api.ErrNotFound)
	}
	if err := errors.Join(err, cond.Check(true, "v-"+name)); err != nil {
		return err
	}
	delete(d.pools, name)
	return nil
}

func (d *double) Feedback(_ context.Context, _ string, r api.Reported) error {
	leave, err := d.enter(true)
	defer leave()
	if _, there := d.pools[r.Pool]; r.Pool != "" && !there && err == nil {
		err = fmt.Errorf("pool %q: %w", r.Pool, api.ErrNotFound)
	}
	if err == nil {
		d.reports = append(d.reports, r)
	}
	return err
}

func (d *double) GetKey(_ context.Context, _, key string) (api.Record, error) {
	leave, err := d.enter(false)
	defer leave()
	rec, ok := d.keys[key]
	if !ok && err == nil {
		err = fmt.Errorf("key %q: %w", key, api.ErrNotFound)
	}
	return rec, err
}

func (d *double) ListKeys(_ context.Context, p api.Page, values bool) (list []api.Listed, more bool, err error) {
	leave, err := d.enter(false)
	defer leave()
	names, more := pageOf(keysOf(d.keys), p)
	size := 0
	for i, n := range names {
		if size += len(d.keys[n].Value); p.MaxBytes > 0 && size > p.MaxBytes && i > 0 {
			return list, true, err
		}
		l := api.Listed{Record: d.keys[n], Size: len(d.keys[n].Value)}
		if !values {
			l.Value = nil
		}
		list = append(list, l)
	}
	return list, more, err
}

// putExpires is when what was put with a TTL expires, whatever the TTL: time stands still.
const putExpires = 1_800_000_000_000

func (d *double) PutKey(_ context.Context, p api.Put) (api.Written, error) {
	leave, err := d.enter(true)
	defer leave()
	if err != nil {
		return api.Written{}, err
	}
	return d.put(p)
}

func (d *double) put(p api.Put) (api.Written, error) {
	old, there := d.keys[p.Key]
	if old.Counter {
		return api.Written{}, fmt.Errorf("%w: the key is a counter", api.ErrConflict)
	}
	if err := p.Cond.Check(there, old.Version); err != nil {
		return api.Written{}, err
	}
	d.writes++
	rec := api.Record{Key: p.Key, Value: p.Value, ContentType: p.ContentType, Version: fmt.Sprintf("v%d", d.writes)}
	if p.TTL > 0 {
		rec.ExpiresAt = putExpires
	}
	d.keys[p.Key] = rec
	return api.Written{Version: rec.Version, Created: !there}, nil
}

func (d *double) DeleteKey(_ context.Context, _, key string, cond api.Condition) error {
	leave, err := d.enter(true)
	defer leave()
	if err != nil {
		return err
	}
	return d.drop(key, cond)
}

func (d *double) drop(key string, cond api.Condition) error {
	old, there := d.keys[key]
	if err := cond.Check(there, old.Version); err != nil {
		return err
	}
	if !there {
		return fmt.Errorf("key %q: %w", key, api.ErrNotFound)
	}
	delete(d.keys, key)
	return nil
}

func (d *double) IncrementKey(_ context.Context, _, key string, by int64) (int64, error) {
	leave, err := d.enter(true)
	defer leave()
	if err != nil {
		return 0, err
	}
	return d.increment(key, by)
}

func (d *double) increment(key string, by int64) (int64, error) {
	rec, there := d.keys[key]
	if there && !rec.Counter {
		return 0, fmt.Errorf("%w: the key is a register", api.ErrConflict)
	}
	rec = api.Record{Key: key, Counter: true, Number: rec.Number + by}
	d.keys[key] = rec
	return rec.Number, nil
}

func (d *double) BatchKeys(_ context.Context, _ string, ops []api.Operation, out []api.Outcome) error {
	leave, err := d.enter(true)
	defer leave()
	if err != nil {
		return err
	}
	for i, op := range ops {
		o := &out[i]
		switch op.Op {
		case wire.OpGet:
			rec, ok := d.keys[op.Put.Key]
			if o.Record = rec; !ok {
				o.Err = api.ErrNotFound
			}
		case wire.OpPut:
			o.Written, o.Err = d.put(op.Put)
		case wire.OpDelete:
			o.Err = d.drop(op.Put.Key, op.Put.Cond)
		case wire.OpIncrement:
			o.Record.Counter = true
			o.Record.Number, o.Err = d.increment(op.Put.Key, op.By)
		}
	}
	return nil
}

func (d *double) WatchKeys(_ context.Context, _, _, token string) (api.Subscription, error) {
	leave, err := d.enter(false)
	defer leave()
	d.token = token
	return api.Subscription{Token: "t0", Changes: d.changes}, err
}

func (d *double) Cluster(context.Context) (wire.Cluster, error) {
	leave, err := d.enter(false)
	defer leave()
	return wire.Cluster{Name: "clawd", Self: "n1", Members: []wire.Member{{
		Name: "n1", Node: "0000000000000001", Run: "00000000000000aa", State: wire.StateReady,
		HTTPAddr: "127.0.0.1:8080", PeerAddr: "127.0.0.1:8081",
	}}}, err
}

func (d *double) Join(_ context.Context, addresses []string) (int, error) {
	leave, err := d.enter(true)
	defer leave()
	return len(addresses), err
}

func (d *double) Leave(context.Context) error {
	leave, err := d.enter(true)
	defer leave()
	return err
}

func (d *double) Forget(_ context.Context, member string) (wire.ForgetResponse, error) {
	leave, err := d.enter(true)
	defer leave()
	if member == "n1" && err == nil {
		err = fmt.Errorf("%w: %s is this node", api.ErrConflict, member)
	}
	return wire.ForgetResponse{Member: member, Node: "0000000000000002"}, err
}

func (d *double) Live() error               { return d.live }
func (d *double) Ready() []wire.HealthCheck { return d.checks }

func (d *double) Backup(_ context.Context, directory string) (wire.BackupResponse, error) {
	leave, err := d.enter(true)
	defer leave()
	return wire.BackupResponse{Directory: directory, Bytes: 4096, Files: 3}, err
}

func (d *double) Merge(_ context.Context, r api.PeerRequest) ([]byte, error) {
	leave, err := d.enter(true)
	defer leave()
	d.merged = api.PeerRequest{Peer: r.Peer, Encoding: r.Encoding, Body: slices.Clone(r.Body)}
	if d.gap != nil {
		return d.gap, fmt.Errorf("%w: have 5", api.ErrGap)
	}
	if err != nil {
		return nil, err
	}
	return []byte(`{"ack":1}`), nil
}

func (d *double) stream(r api.PeerRequest, w io.Writer) error {
	leave, err := d.enter(false)
	defer leave()
	d.merged = api.PeerRequest{Peer: r.Peer, Encoding: r.Encoding, Body: slices.Clone(r.Body)}
	if err != nil {
		return err
	}
	if d.answer != nil {
		return d.answer(w)
	}
	_, err = io.WriteString(w, `{"rows":[]}`)
	return err
}

func (d *double) Pull(_ context.Context, r api.PeerRequest, w io.Writer) error { return d.stream(r, w) }

func (d *double) Snapshot(_ context.Context, r api.PeerRequest, w io.Writer) error {
	return d.stream(r, w)
}

func (d *double) Digest(_ context.Context, r api.PeerRequest, w io.Writer) error {
	return d.stream(r, w)
}

func (d *double) Bucket(_ context.Context, r api.PeerRequest, w io.Writer) error {
	return d.stream(r, w)
}

func keysOf[V any](m map[string]V) (names []string) {
	for n := range m {
		names = append(names, n)
	}
	return names
}

const madeAt = "2026-01-02T03:04:05.000Z"

func (d *double) CreateAPIKey(_ context.Context, _ *access.Caller, n wire.NewAPIKey) (wire.APIKey, error) {
	leave, err := d.enter(true)
	defer leave()
	id := fmt.Sprintf("%016x", len(d.apiKeys)+1)
	k := wire.APIKey{
		ID: id, Prefix: access.PrefixOf(id), Role: n.Role, Tenant: cmp.Or(n.Tenant, api.DefaultTenant), Name: n.Name,
		State: wire.KeyLive, CreatedAt: madeAt,
	}
	if n.ExpiresInSeconds > 0 {
		ends := madeAt
		k.ExpiresAt = &ends
	}
	d.apiKeys[id] = k
	k.Key = "shown once"
	return k, err
}

func (d *double) RotateAPIKey(ctx context.Context, by *access.Caller, id string, _ time.Duration) (wire.APIKey, error) {
	old, ok := d.apiKeys[id]
	if !ok {
		return old, api.ErrNotFound
	}
	k, err := d.CreateAPIKey(ctx, by, wire.NewAPIKey{Role: old.Role, Tenant: old.Tenant})
	k.Replaces = id
	return k, err
}

func (d *double) RevokeAPIKey(_ context.Context, _ *access.Caller, id string) error {
	leave, err := d.enter(true)
	defer leave()
	if _, ok := d.apiKeys[id]; !ok {
		return errors.Join(err, api.ErrNotFound)
	}
	return err
}

func (d *double) APIKeys(_ context.Context, _ *access.Caller, p api.Page) (list []wire.APIKey, more bool, err error) {
	leave, err := d.enter(false)
	defer leave()
	names, more := pageOf(keysOf(d.apiKeys), p)
	for _, n := range names {
		list = append(list, d.apiKeys[n])
	}
	return list, more, err
}

func (d *double) Tenant(_ context.Context, _ *access.Caller, name string) (wire.Tenant, error) {
	leave, err := d.enter(false)
	defer leave()
	t, ok := d.tenants[name]
	if !ok {
		err = errors.Join(err, api.ErrNotFound)
	}
	return t, err
}

func (d *double) ListTenants(_ context.Context, _ *access.Caller, p api.Page) (list []wire.Tenant, more bool, err error) {
	leave, err := d.enter(false)
	defer leave()
	names, more := pageOf(keysOf(d.tenants), p)
	for _, n := range names {
		list = append(list, d.tenants[n])
	}
	return list, more, err
}

func (d *double) PutTenant(_ context.Context, name string, n wire.NewTenant) (wire.Tenant, bool, error) {
	leave, err := d.enter(true)
	defer leave()
	_, there := d.tenants[name]
	d.tenants[name] = wire.Tenant{Tenant: name, Quota: n.Quota, CreatedAt: madeAt}
	return d.tenants[name], !there, err
}

func (d *double) DeleteTenant(_ context.Context, name string) error {
	leave, err := d.enter(true)
	defer leave()
	if _, ok := d.tenants[name]; !ok {
		return errors.Join(err, api.ErrNotFound)
	}
	delete(d.tenants, name)
	return err
}
