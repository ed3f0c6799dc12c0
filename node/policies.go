package node

import (
	"context"

	"github.com/openclaw/clawd/api"
	"github.com/openclaw/clawd/api/wire"
	"github.com/openclaw/clawd/crdt"
	"github.com/openclaw/clawd/node/replica"
)

// Policy implements api.PolicyReader.
func (p public) Policy(_ context.Context, tenant, name string) (wire.Policy, string, error) {
	if err := p.n.started(); err != nil {
		return wire.Policy{}, "", err
	}
	policy, version, err := p.n.replica.Policy(tenant, name)
	return policy, versionText(version), apiError(err)
}

// ListPolicies implements api.PolicyReader.
func (p public) ListPolicies(_ context.Context, page api.Page) ([]wire.Policy, bool, error) {
	if err := p.n.started(); err != nil {
		return nil, false, err
	}
	list := p.n.replica.Policies(page.Tenant, page.Prefix, page.After, page.Limit+1)
	if len(list) > page.Limit {
		return list[:page.Limit], true, nil
	}
	return list, false, nil
}

// PutPolicy implements api.PolicyWriter.
func (p public) PutPolicy(ctx context.Context, tenant string, policy wire.Policy, cond api.Condition) (api.Written, error) {
	if err := p.n.started(); err != nil {
		return api.Written{}, err
	}
	version, created, wait, err := p.n.replica.PutPolicy(p.n.now(), tenant, policy, versionCondition(cond))
	if err := p.n.durably(ctx, wait, err); err != nil {
		return api.Written{}, err
	}
	return api.Written{Version: versionText(version), Created: created}, nil
}

// DeletePolicy implements api.PolicyWriter.
func (p public) DeletePolicy(ctx context.Context, tenant, name string, cond api.Condition) error {
	if err := p.n.started(); err != nil {
		return err
	}
	wait, err := p.n.replica.DeletePolicy(p.n.now(), tenant, name, versionCondition(cond))
	return p.n.durably(ctx, wait, err)
}

// versionCondition makes the api's condition one on versions.
func versionCondition(c api.Condition) replica.Cond {
	if c.Match == nil && c.NoneMatch == nil {
		return nil
	}
	return func(have crdt.HLC, found bool) error { return c.Check(found, versionText(have)) }
}

// versionText is the version of a register as the api shows it.
func versionText(v crdt.HLC) string { return v.String() }
