package access

import "slices"

// Role is what a key may be used for.
type Role string

// The roles. Admin and operator are of the whole cluster, the others of their tenant.
const (
	Admin       Role = "admin"        // everything
	Operator    Role = "operator"     // looks after the cluster and its tenant's limits; hands out no keys
	TenantAdmin Role = "tenant-admin" // everything within the tenant, its keys included
	Consumer    Role = "consumer"     // a service: consumes, and uses the store
	ReadOnly    Role = "read-only"    // sees what the tenant has
	Metrics     Role = "metrics"      // scrapes
)

// Roles are all roles.
var Roles = []Role{Admin, Operator, TenantAdmin, Consumer, ReadOnly, Metrics}

// Known tells whether r is a role.
func (r Role) Known() bool { return slices.Contains(Roles, r) }

// Right is what a route needs its caller to have.
type Right uint8

// The rights. The zero value is given to nobody, so that a route whose right was forgotten is closed.
const (
	Nobody  Right = iota
	Open          // needs no key, ever: probes and the contract
	Known         // any key
	Consume       // take tokens, give them back, report what became of a call
	Read          // agents, policies and the store
	Store         // write the store
	Manage        // policies, and resetting and deleting agents
	Issue         // keys
	View          // the cluster's members
	Operate       // join, leave, forget, backup
	Govern        // tenants and their quotas
	Scrape        // metrics
	Inspect       // the audit log
	Witness       // given to nobody's key: see Caller.Waits
)

// grants is the table of roles and rights.
var grants = map[Role][]Right{
	Admin:       {Known, Consume, Read, Store, Manage, Issue, View, Operate, Govern, Scrape, Inspect},
	Operator:    {Known, Consume, Read, Store, Manage, View, Operate, Scrape, Inspect},
	TenantAdmin: {Known, Consume, Read, Store, Manage, Issue, View, Inspect},
	Consumer:    {Known, Consume, Read, Store},
	ReadOnly:    {Known, Read, View},
	Metrics:     {Known, Scrape},
}

// May tells whether the role has the right.
func (r Role) May(right Right) bool { return right == Open || slices.Contains(grants[r], right) }

// rights is May as a set of bits, for the hot path.
func (r Role) rights() uint32 {
	bits := uint32(1) << Open
	for _, g := range grants[r] {
		bits |= 1 << g
	}
	return bits
}

// MayIssue tells whether a key of role r may hand out keys of role other: nobody makes a key that may do more than
// their own.
func (r Role) MayIssue(other Role) bool {
	switch r {
	case Admin:
		return true
	case TenantAdmin:
		return other == TenantAdmin || other == Consumer || other == ReadOnly
	}
	return false
}

// ClusterWide tells whether the role's rights over keys, tenants, metrics and the audit log go beyond its tenant.
func (r Role) ClusterWide() bool { return r == Admin || r == Operator }
