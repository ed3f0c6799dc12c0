package node

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openclaw/clawd/access"
	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/crdt"
)

func tenantRegister(name string) crdt.RegisterKey {
	return crdt.RegisterKey{Space: crdt.SpaceTenant, Name: name}
}

// Tenant implements api.TenantReader.
func (p public) Tenant(_ context.Context, by *access.Caller, name string) (wire.Tenant, error) {
	if err := p.n.started(); err != nil {
		return wire.Tenant{}, err
	}
	t, ok := p.n.guard.Tenant(name)
	if !ok || !seesTenant(by, name) {
		return wire.Tenant{}, errNoTenant
	}
	return p.n.showTenant(t), nil
}

var errNoTenant = fmt.Errorf("%w: no such tenant", api.ErrNotFound)

func seesTenant(by *access.Caller, name string) bool {
	return by.Role.ClusterWide() || by.Tenant.Name() == name
}

// ListTenants implements api.TenantReader.
func (p public) ListTenants(_ context.Context, by *access.Caller, page api.Page) ([]wire.Tenant, bool, error) {
	if err := p.n.started(); err != nil {
		return nil, false, err
	}
	tenants := slices.DeleteFunc(p.n.guard.Tenants(), func(t *access.Tenant) bool {
		return t.Name() <= page.After || !strings.HasPrefix(t.Name(), page.Prefix) || !seesTenant(by, t.Name())
	})
	slices.SortFunc(tenants, func(a, b *access.Tenant) int { return cmp.Compare(a.Name(), b.Name()) })
	more := len(tenants) > page.Limit
	tenants = tenants[:min(len(tenants), page.Limit)]
	list := make([]wire.Tenant, len(tenants))
	for i, t := range tenants {
		list[i] = p.n.showTenant(t)
	}
	return list, more, nil
}

func (n *Node) showTenant(t *access.Tenant) wire.Tenant {
	r, stored := t.Record()
	out := wire.Tenant{
		Tenant: t.Name(), Quota: wire.Quota(r.Quota),
		Usage: wire.TenantUsage{Watchers: t.Watchers(), Refused: t.Refused()},
	}
	if stored {
		out.CreatedAt = timeText(r.Created)
	}
	return out
}

// PutTenant implements api.TenantWriter.
func (p public) PutTenant(ctx context.Context, name string, t wire.NewTenant) (wire.Tenant, bool, error) {
	n := p.n
	if err := n.started(); err != nil {
		return wire.Tenant{}, false, err
	}
	r := access.TenantRecord{Quota: access.Quota(t.Quota), Created: n.now().Wall}
	if old, ok := n.guard.Tenant(name); ok {
		if have, stored := old.Record(); stored {
			r.Created = have.Created
		}
	} else if len(n.guard.Tenants()) >= maxTenants {
		return wire.Tenant{}, false, fmt.Errorf("%w: there are %d tenants already", api.ErrConflict, maxTenants)
	}
	created, wait, err := n.replica.PutSetting(n.now(), tenantRegister(name), r.Encode(), nil)
	if err := n.durably(ctx, wait, err); err != nil {
		return wire.Tenant{}, false, err
	}
	have, ok := n.guard.Tenant(name)
	if !ok {
		return wire.Tenant{}, false, errNoTenant
	}
	return n.showTenant(have), created, nil
}

// maxTenants bounds what every node has in memory for each.
const maxTenants = 10_000

// DeleteTenant implements api.TenantWriter.
func (p public) DeleteTenant(ctx context.Context, name string) error {
	n := p.n
	if err := n.started(); err != nil {
		return err
	}
	now := n.now()
	for _, k := range n.guard.Keys() {
		if k.Tenant == name && k.Live(now.Wall) {
			return fmt.Errorf("%w: the tenant has live keys; revoke them first", api.ErrConflict)
		}
	}
	wait, err := n.replica.DeleteSetting(now, tenantRegister(name))
	return n.durably(ctx, wait, err)
}
