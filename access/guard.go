package access

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// DefaultTenant is the tenant of all callers as long as no key exists, and of keys made without another.
const DefaultTenant = "default"

// Caller is who makes a request. Callers are shared by all requests of a key: nobody changes one.
type Caller struct {
	Key    string // id; "" without a key
	Role   Role
	Tenant *Tenant
	rights uint32
}

// Waits tells that a caller was admitted before the keys are known: what it may not do, nobody may yet.
func (c *Caller) Waits() bool { return c.rights&(1<<Witness) != 0 }

// May tells whether the caller has the right.
func (c *Caller) May(right Right) bool { return c.rights&(1<<right) != 0 }

// Verdict is what a guard says of a request's credentials.
type Verdict uint8

// The verdicts.
const (
	Admitted Verdict = iota
	Unknown          // no key, or none that is valid now. Nothing tells which.
	Unsure           // strict, and this node may not have heard of a revocation
	Closed           // no key exists yet, and the caller is not on this machine
	Loading          // this node does not know the cluster's keys yet
)

// Options configures a guard.
type Options struct {
	// Strict refuses keys while the node is in doubt of having heard of every revocation.
	Strict bool
	// OpenToAll admits callers of other machines, too, as long as no key exists.
	OpenToAll bool
}

// Guard knows the keys of the cluster.
type Guard struct {
	opts  Options
	table atomic.Pointer[table]
	doubt atomic.Bool
	// As long as no key exists, anyone is a caller of this machine, and visitor, if Options let them in, of another:
	// who makes the first key owns the cluster, so that takes being here.
	// Before anything is known, this machine may see who is there, as witness.
	anyone, visitor, witness *Caller

	mu      sync.Mutex
	facts   map[string]facts // by id
	static  map[string]facts // from files, not replicated
	entries map[string]*entry
	tenants map[string]*Tenant
	shut    bool // a key has been seen
	loaded  bool
	batch   int // learning many: no table until the last
}

// facts are what the records say of one key.
type facts struct {
	record   KeyRecord
	known    bool // the record is here; an ending may come before it
	revoked  bool
	at       int64 // of the revocation
	replaced int64 // unix ms, 0 = not
}

// table is one immutable state of the keys.
type table struct {
	entries map[uint64]*entry
	loaded  bool
	shut    bool
}

// entry is a key that may be used.
type entry struct {
	caller Caller
	hash   [sha256.Size]byte
	until  int64 // unix ms, 0 = for ever
	// proven is the secret that was found to have the hash: the next caller with it need not be hashed.
	proven atomic.Pointer[[secretLen]byte]
}

// stranger stands in for the entry of an unknown id, so that an unknown id costs what a wrong secret costs.
var stranger = func() *entry {
	e := new(entry)
	e.proven.Store(new([secretLen]byte))
	return e
}()

// NewGuard returns a guard that knows nothing yet: it lets nobody in until Loaded.
func NewGuard(o Options) *Guard {
	g := &Guard{
		opts: o, facts: make(map[string]facts), static: make(map[string]facts),
		entries: make(map[string]*entry), tenants: make(map[string]*Tenant),
	}
	g.anyone = &Caller{Role: Admin, Tenant: g.tenant(DefaultTenant), rights: Admin.rights()}
	g.visitor = &Caller{Role: Admin, Tenant: g.tenant(DefaultTenant), rights: Admin.rights() &^ (1<<Issue | 1<<Govern | 1<<Inspect)}
	g.witness = &Caller{Role: ReadOnly, Tenant: g.visitor.Tenant, rights: 1<<Open | 1<<Known | 1<<View | 1<<Witness}
	g.publishLocked()
	return g
}

// Identify tells whose the token is. local is whether the caller is on this machine; now is unix ms.
func (g *Guard) Identify(token []byte, local bool, now int64) (*Caller, Verdict) {
	t := g.table.Load()
	if !t.shut {
		return g.keyless(t, local)
	}
	id, secret, ok := split(token)
	if !ok {
		return nil, Unknown
	}
	e := t.entries[id]
	found := e != nil
	if !found {
		e = stranger
	}
	if !e.prove(secret) || !found || e.until != 0 && now >= e.until {
		return nil, Unknown
	}
	if g.opts.Strict && g.doubt.Load() {
		return nil, Unsure
	}
	return &e.caller, Admitted
}

// keyless answers as long as no key is known to exist.
func (g *Guard) keyless(t *table, local bool) (*Caller, Verdict) {
	switch {
	case !t.loaded && local:
		return g.witness, Admitted
	case !t.loaded:
		return nil, Loading
	case g.opts.Strict && g.doubt.Load():
		return nil, Unsure
	case local:
		return g.anyone, Admitted
	case g.opts.OpenToAll:
		return g.visitor, Admitted
	}
	return nil, Closed
}

// prove tells whether secret is the entry's.
func (e *entry) prove(secret []byte) bool {
	if p := e.proven.Load(); p != nil && same(p, secret) {
		return e != stranger
	}
	h := sha256.Sum256(secret)
	if subtle.ConstantTimeCompare(h[:], e.hash[:]) != 1 {
		return false
	}
	var p [secretLen]byte
	copy(p[:], secret)
	e.proven.Store(&p)
	return true
}

// Keyless tells whether no key exists, as far as this node knows.
func (g *Guard) Keyless() bool { return !g.table.Load().shut }

// Doubt says whether the node may have missed a revocation.
func (g *Guard) Doubt(doubt bool) { g.doubt.Store(doubt) }

// Unsure tells what Doubt was told last.
func (g *Guard) Unsure() bool { return g.doubt.Load() }

// Learn takes a register of keys: its name is an id, or an id with a suffix. A deleted one is forgotten.
func (g *Guard) Learn(name string, value []byte, deleted bool) error {
	id, suffix := name, ""
	if i := strings.IndexByte(name, '/'); i >= 0 {
		id, suffix = name[:i], name[i:]
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.facts[id]
	switch err := f.learn(suffix, value, deleted); {
	case err != nil:
		return err
	case f == (facts{}):
		delete(g.facts, id)
	default:
		g.facts[id] = f
		g.shut = true
	}
	g.refresh(id)
	return nil
}

func (f *facts) learn(suffix string, value []byte, deleted bool) error {
	switch suffix {
	case "":
		if f.record, f.known = (KeyRecord{}), false; deleted {
			return nil
		}
		r, err := ParseKeyRecord(value)
		f.record, f.known = r, err == nil
		return err
	case RevokedSuffix, ReplacedSuffix:
		var e Ending
		if !deleted {
			var err error
			if e, err = ParseEnding(value); err != nil {
				return err
			}
		}
		if suffix == RevokedSuffix {
			f.revoked, f.at = !deleted, e.At
		} else {
			f.replaced = e.At
		}
	}
	return nil // a suffix of a newer version
}

// Static makes the keys of files valid on this node; a later call replaces them.
func (g *Guard) Static(secrets []Secret) {
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.static
	g.static = make(map[string]facts, len(secrets))
	for _, s := range secrets {
		g.static[s.ID()] = facts{known: true, record: KeyRecord{
			Role: Admin, Tenant: DefaultTenant, Hash: HashText(s.Hash()), Name: "from a file of this node",
		}}
		g.shut = true
	}
	g.batch++
	for id := range old {
		g.refresh(id)
	}
	for id := range g.static {
		g.refresh(id)
	}
	g.batch--
	g.publishLocked()
}

// Load opens the guard once read has had it learn what there is.
func (g *Guard) Load(read func()) {
	g.mu.Lock()
	g.batch++
	g.mu.Unlock()
	read()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.batch--
	g.loaded = true
	g.publishLocked()
}

// refresh makes the entry of one key anew.
func (g *Guard) refresh(id string) {
	f, ok := g.static[id]
	if !ok {
		f = g.facts[id]
	}
	delete(g.entries, id)
	if hash, err := f.record.hash(); f.known && !f.revoked && err == nil {
		r := &f.record
		g.entries[id] = &entry{
			caller: Caller{Key: id, Role: r.Role, Tenant: g.tenant(r.Tenant), rights: r.Role.rights()},
			hash:   hash, until: f.until(),
		}
	}
	g.publishLocked()
}

// until is when the key ends, 0 = never.
func (f *facts) until() int64 {
	switch {
	case f.replaced == 0:
		return f.record.Expires
	case f.record.Expires == 0:
		return f.replaced
	}
	return min(f.replaced, f.record.Expires)
}

func (g *Guard) publishLocked() {
	if g.batch > 0 {
		return
	}
	t := &table{entries: make(map[uint64]*entry, len(g.entries)), loaded: g.loaded, shut: g.shut}
	for id, e := range g.entries {
		n, ok := parseID([]byte(id))
		if ok {
			t.entries[n] = e
		}
	}
	g.table.Store(t)
}

// Key is one key as its owners see it.
type Key struct {
	ID string
	KeyRecord
	Revoked bool
	Ends    int64 // unix ms when it ends or ended, 0 = never
}

// Live tells whether the key can be used at the time (unix ms).
func (k *Key) Live(now int64) bool { return !k.Revoked && (k.Ends == 0 || now < k.Ends) }

// Key returns one replicated key.
func (g *Guard) Key(id string) (Key, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.facts[id]
	return f.key(id), f.known
}

// Keys returns all replicated keys, in no order. Those of files are not among them.
func (g *Guard) Keys() []Key {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]Key, 0, len(g.facts))
	for id, f := range g.facts {
		if f.known {
			list = append(list, f.key(id))
		}
	}
	return list
}

func (f *facts) key(id string) Key {
	k := Key{ID: id, KeyRecord: f.record, Revoked: f.revoked, Ends: f.until()}
	if f.revoked {
		k.Ends = f.at
	}
	return k
}

// Remnants names the endings of keys whose records are gone, if they were written before the time (unix ms).
func (g *Guard) Remnants(before int64) (names []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, f := range g.facts {
		if f.known {
			continue
		}
		if f.revoked && f.at < before {
			names = append(names, id+RevokedSuffix)
		}
		if f.replaced != 0 && f.replaced < before {
			names = append(names, id+ReplacedSuffix)
		}
	}
	return names
}

// Bearer cuts the token out of the value of an Authorization field; nil when it is of another scheme.
func Bearer(value []byte) []byte {
	const scheme = "bearer "
	if len(value) <= len(scheme) || !bytes.EqualFold(value[:len(scheme)], []byte(scheme)) {
		return nil
	}
	return bytes.TrimLeft(value[len(scheme):], " ")
}

// tenant returns the tenant of a name, making it known. Called with the lock held.
func (g *Guard) tenant(name string) *Tenant {
	t := g.tenants[name]
	if t == nil {
		t = newTenant(name)
		g.tenants[name] = t
	}
	return t
}

// Tenants returns the tenants that have keys or quotas, in no order.
func (g *Guard) Tenants() []*Tenant {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]*Tenant, 0, len(g.tenants))
	for t := range maps.Values(g.tenants) {
		list = append(list, t)
	}
	return list
}

// Tenant finds a tenant by name.
func (g *Guard) Tenant(name string) (*Tenant, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t, ok := g.tenants[name]
	return t, ok
}

// LearnTenant takes the register of a tenant.
func (g *Guard) LearnTenant(name string, value []byte, deleted bool) error {
	var r TenantRecord
	if !deleted {
		var err error
		if r, err = ParseTenantRecord(value); err != nil {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tenant(name).learn(r, !deleted)
	return nil
}
