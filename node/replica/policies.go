package replica

import (
	"encoding/json"
	"fmt"
	"maps"
	"sync"

	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/ratelimit"
)

// policySet is one immutable state of the policies. Cells remember the set
// they were bound under and bind again when it is replaced.
type policySet struct {
	tenants map[string]*tenantPolicies // by the tenant of the registers
	bare    *ratelimit.Table           // of tenants without policies
	since   int64                      // mono ns when it was learnt
	gen     uint32                     // differs from that of any set before it, and from 0
	least   int64                      // µtok, the smallest capacity of all
	inline  sync.Map                   // encoded inline limit → *ratelimit.Compiled
}

// tenantPolicies is the policies of one tenant.
type tenantPolicies struct {
	table  *ratelimit.Table
	byName map[string]versioned
	least  int64 // µtok, the smallest capacity
}

// homeTenant is the tenant whose policies are stored without a tenant.
const homeTenant = "default"

// policyTenant is the tenant of a policy's register.
func policyTenant(tenant string) string {
	if tenant == homeTenant {
		return ""
	}
	return tenant
}

type versioned struct {
	ratelimit.Policy
	version crdt.HLC
}

// addPolicy reads a policy's register. ok is false for one this version of clawd
// cannot read: a newer node may have written it.
func addPolicy(byName map[string]versioned, name string, reg crdt.Register) (ok bool) {
	delete(byName, name)
	if reg.Deleted {
		return true
	}
	p := versioned{version: reg.Version}
	if json.Unmarshal(reg.Value, &p.Policy) != nil || p.Validate() != nil {
		return false
	}
	byName[name] = p
	return true
}

func newPolicySet(gen uint32, since int64, tenants map[string]*tenantPolicies, def ratelimit.Policy) *policySet {
	s := &policySet{tenants: tenants, bare: ratelimit.NewTable(nil, def), since: since, gen: gen}
	s.least = def.Capacity * ratelimit.Token
	for _, t := range tenants {
		s.least = min(s.least, t.least)
	}
	return s
}

func newTenantPolicies(byName map[string]versioned, def ratelimit.Policy) *tenantPolicies {
	list := make([]ratelimit.Policy, 0, len(byName))
	for _, name := range sortedKeys(byName) {
		list = append(list, byName[name].Policy)
	}
	least := def.Capacity
	for i := range list {
		least = min(least, list[i].Capacity)
	}
	return &tenantPolicies{table: ratelimit.NewTable(list, def), byName: byName, least: least * ratelimit.Token}
}

// tableOf is the table of a tenant's agents.
func (s *policySet) tableOf(tenant string) *ratelimit.Table {
	if t := s.tenants[policyTenant(tenant)]; t != nil {
		return t.table
	}
	return s.bare
}

// named is the policies of a tenant by name.
func (s *policySet) named(tenant string) map[string]versioned {
	if t := s.tenants[policyTenant(tenant)]; t != nil {
		return t.byName
	}
	return nil
}

// of finds the policy of a bucket: the one its key carries, or the one its
// agent's name matches.
func (s *policySet) of(key string) *ratelimit.Compiled {
	k, err := crdt.ParseBucketKey(key)
	if err != nil {
		c, _ := s.bare.Lookup("")
		return c
	}
	if k.Inline != "" {
		if c := s.inlineOf(k.Inline); c != nil {
			return c
		}
	}
	c, _ := s.tableOf(k.Tenant).Lookup(k.Agent)
	return c
}

// inlineOf compiles an inline policy once for all buckets that carry it.
func (s *policySet) inlineOf(inline string) *ratelimit.Compiled {
	if c, ok := s.inline.Load(inline); ok {
		return c.(*ratelimit.Compiled)
	}
	limit, err := ratelimit.ParseInline(inline)
	if err != nil {
		return nil
	}
	c, _ := s.inline.LoadOrStore(inline, ratelimit.CompileInline(limit))
	return c.(*ratelimit.Compiled)
}

func (s *policySet) inlineAllowed(tenant, agent string) bool {
	c, _ := s.tableOf(tenant).Lookup(agent)
	return c.Policy.InlineAllowed()
}

func policyKey(tenant, name string) crdt.RegisterKey {
	return crdt.RegisterKey{Space: crdt.SpacePolicy, Tenant: policyTenant(tenant), Name: name}
}

// Cond decides, with the writes of this node locked out, whether a write may
// replace the version that is there; found is false when nothing is. nil
// allows all.
type Cond func(have crdt.HLC, found bool) error

func (c Cond) check(have crdt.Register, found bool) error {
	if c == nil {
		return nil
	}
	return c(have.Version, found)
}

// PutPolicy stores a policy of a tenant for the whole cluster. It takes effect here at
// once, elsewhere when it is learnt.
func (r *Replica) PutPolicy(now Instant, tenant string, p ratelimit.Policy, cond Cond) (version crdt.HLC, created bool, wait uint64, err error) {
	if err := p.Validate(); err != nil {
		return 0, false, 0, err
	}
	if err := crdt.ValidName(p.Name); err != nil {
		return 0, false, 0, err
	}
	value, err := json.Marshal(p)
	if err != nil {
		return 0, false, 0, err
	}
	return r.putRegister(now, policyKey(tenant, p.Name), value, cond)
}

// DeletePolicy removes a policy; its agents fall back to the next that matches.
func (r *Replica) DeletePolicy(now Instant, tenant, name string, cond Cond) (wait uint64, err error) {
	return r.deleteRegister(now, policyKey(tenant, name), fmt.Sprintf("policy %q", name), cond)
}

// Policy reads one policy and its version.
func (r *Replica) Policy(tenant, name string) (ratelimit.Policy, crdt.HLC, error) {
	p, ok := r.policies.Load().named(tenant)[name]
	if !ok {
		return ratelimit.Policy{}, 0, fmt.Errorf("policy %q: %w", name, ErrNotFound)
	}
	return p.Policy, p.version, nil
}

// Policies lists a tenant's policies by name, after the given one.
func (r *Replica) Policies(tenant, prefix, after string, limit int) []ratelimit.Policy {
	byName := r.policies.Load().named(tenant)
	var list []ratelimit.Policy
	for _, name := range sortedKeys(byName) {
		if name > after && len(name) >= len(prefix) && name[:len(prefix)] == prefix {
			if list = append(list, byName[name].Policy); len(list) == limit {
				break
			}
		}
	}
	return list
}

// policyChanged replaces the policy set; only the changed tenant's policies
// are compiled again.
func (r *Replica) policyChanged(now Instant, key crdt.RegisterKey, reg crdt.Register) {
	set := r.policies.Load()
	tenants := maps.Clone(set.tenants)
	if tenants == nil {
		tenants = make(map[string]*tenantPolicies)
	}
	byName := make(map[string]versioned)
	if t := tenants[key.Tenant]; t != nil {
		byName = maps.Clone(t.byName)
	}
	if !addPolicy(byName, key.Name, reg) {
		r.counters.unreadable.Add(1)
	}
	tenants[key.Tenant] = newTenantPolicies(byName, r.opts.Default)
	if len(byName) == 0 {
		delete(tenants, key.Tenant)
	}
	r.policies.Store(newPolicySet(set.gen+1, now.Mono, tenants, r.opts.Default))
}

// registerChanged lets the parts that follow registers know.
func (r *Replica) registerChanged(now Instant, key string, reg crdt.Register) {
	k, err := crdt.ParseRegisterKey(key)
	if err != nil {
		return
	}
	switch k.Space {
	case crdt.SpacePolicy:
		r.policyChanged(now, k, reg)
	case crdt.SpaceAgent, crdt.SpaceReset:
		r.agentChanged(now, k, reg)
	case crdt.SpaceMember:
		r.memberChanged(now, k, reg)
	case crdt.SpacePool:
		r.poolChanged(now, k, reg)
	case crdt.SpaceShare, crdt.SpaceLedger, crdt.SpaceRates:
		r.refillChanged(now, k, reg)
	case crdt.SpaceKV:
		r.kvChanged(k, reg)
	case crdt.SpaceAPIKey, crdt.SpaceTenant:
		r.settingChanged(k, reg)
	case crdt.SpacePrice:
		r.priceChanged(k, reg)
	case crdt.SpaceClaim:
		r.claimChanged(now, k, reg)
	}
}
